"""The studies of forecasts and of sell-through run, on few seeds."""

from tests.validation import study_forecast, study_sell_through


def test_the_study_of_forecasts_runs():
    found = study_forecast.study(3)
    assert len(found) == 19
    assert all(result.found for result in found)


def test_the_study_of_sell_through_runs():
    found = study_sell_through.study(3)
    assert len(found) == 7
    # What three seeds can tell: intervals that hold at least half.
    assert all(float(result.found.split("%")[0]) > 50 for result in found[:5])
