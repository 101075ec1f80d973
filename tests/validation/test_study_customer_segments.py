"""The study of the customer segments runs, and holds where a few seeds can tell."""

from tests.validation.study_customer_segments import study


def test_the_study_runs() -> None:
    results = study(3)
    assert [result for result in results if not result.holds] == []
