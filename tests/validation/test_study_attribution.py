"""The study runs, and on a few seeds nothing is lost."""

from tests.validation.study_attribution import MODELS, study


def test_the_study_of_attribution():
    lines = study(3)
    assert len(lines) == len(MODELS) + 2
    assert lines[0].holds
