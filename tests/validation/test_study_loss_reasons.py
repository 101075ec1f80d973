"""The study of loss reasons runs, and holds on a few seeds."""

from tests.validation.study_loss_reasons import study


def test_the_study_holds():
    assert [result for result in study(6) if not result.holds] == []
