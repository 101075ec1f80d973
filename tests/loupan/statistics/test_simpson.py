import pandas as pd
import pytest

from loupan.statistics.casemix import adjust
from loupan.statistics.simpson import _pooled, reversals

# Charig et al. 1986, BMJ 292:879 (Julious and Mullee 1994, BMJ 309:1480): success of two treatments of kidney stones.
STONES = pd.DataFrame(
    [
        ("open surgery", "small", 81, 87),
        ("open surgery", "large", 192, 263),
        ("nephrolithotomy", "small", 234, 270),
        ("nephrolithotomy", "large", 55, 80),
    ],
    columns=["unit", "size", "observed", "exposure"],
)


def compared(cells, inputs):
    return [adjust(cells, used, is_proportion=True) for used in ((), inputs)]


def tenfold(cells):
    return cells.assign(observed=cells["observed"] * 10, exposure=cells["exposure"] * 10)


def test_kidney_stones_are_the_reversal_they_are_known_for():
    cells = tenfold(STONES)
    crude, adjusted = compared(cells, ("size",))
    (found,) = reversals(cells, crude, adjusted)
    assert found.is_reversed
    assert adjusted.units[found.better] == "open surgery"
    assert adjusted.units[found.worse] == "nephrolithotomy"
    assert found.inputs == ("size",)
    assert (found.strata, found.agreeing) == (2, 2)


def test_the_published_numbers_alone_are_too_few_to_be_sure():
    crude, adjusted = compared(STONES, ("size",))
    rates = dict(zip(crude.units, crude.observed / crude.exposure, strict=True))
    assert rates["open surgery"] == pytest.approx(0.78)
    assert rates["nephrolithotomy"] == pytest.approx(0.826, abs=1e-3)
    assert not [found for found in reversals(STONES, crude, adjusted) if found.is_reversed]


def test_pooling_is_that_of_mantel_and_haenszel():
    # By hand: (81·36/357 + 192·25/343) ÷ (6·234/357 + 71·55/343).
    sides = [STONES[STONES["unit"] == unit].drop(columns="unit") for unit in ("open surgery", "nephrolithotomy")]
    table = sides[0].merge(sides[1], on="size", suffixes=("_0", "_1"))
    odds = (81 * 36 / 357 + 192 * 25 / 343) / (6 * 234 / 357 + 71 * 55 / 343)
    assert 2.718281828459045 ** _pooled(table, True) == pytest.approx(odds)


def test_a_difference_that_comes_to_nothing_is_no_reversal():
    rows = [("A", "easy", 320, 800), ("A", "hard", 20, 200), ("B", "easy", 80, 200), ("B", "hard", 80, 800)]
    cells = pd.DataFrame(rows, columns=["unit", "source", "observed", "exposure"])
    (found,) = reversals(cells, *compared(cells, ("source",)))
    assert not found.is_reversed
    assert found.inputs == ("source",)


def test_a_difference_that_stays_is_not_reported():
    rows = [("A", "easy", 400, 800), ("A", "hard", 40, 200), ("B", "easy", 60, 200), ("B", "hard", 40, 800)]
    cells = pd.DataFrame(rows, columns=["unit", "source", "observed", "exposure"])
    assert reversals(cells, *compared(cells, ("source",))) == ()


def test_few_cases_are_never_compared():
    cells = tenfold(STONES)
    few = cells.assign(observed=cells["observed"] / 200, exposure=cells["exposure"] / 200)
    crude, adjusted = compared(pd.concat([cells, few.assign(unit=few["unit"] + " few")]), ("size",))
    pairs = reversals(cells, crude, adjusted)
    assert all("few" not in adjusted.units[place] for found in pairs for place in (found.better, found.worse))


def test_without_inputs_there_is_nothing_to_reverse():
    crude, _ = compared(STONES, ())
    assert reversals(STONES, crude, crude) == ()
