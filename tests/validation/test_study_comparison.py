from tests.validation.study_comparison import study


def test_a_few_companies_are_compared_as_promised():
    results = study(2)
    assert len(results) == 9
    assert {result.method for result in results if result.holds} == {result.method for result in results}
