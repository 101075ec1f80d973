"""The study of lead scoring runs, and holds on a few seeds."""

from tests.validation.study_lead_score import study


def test_the_study_holds():
    assert [result for result in study(4) if not result.holds] == []
