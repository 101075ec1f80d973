from tests.validation.study_incidence import study


def test_the_study_of_incidence_finds_what_is_planted():
    # Few seeds, so that what it says of bias and bands holds with room; the table of the documentation has 200.
    lines = study(4)
    assert len(lines) == 14
    assert all(line.holds for line in lines), [line for line in lines if not line.holds]
