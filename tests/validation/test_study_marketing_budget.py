"""The study runs; with a few seeds it can say little of rates."""

from tests.validation.study_marketing_budget import study


def test_the_study_runs() -> None:
    results = study(3)
    assert all(result.found for result in results)
    assert len({result.question for result in results}) == len(results)
