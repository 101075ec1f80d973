"""Sentences on pairs whose crude order does not hold once what they were handed is taken out (the Simpson alarm)."""

from __future__ import annotations

from dashboards.fair_comparison import FairComparison
from dashboards.names import names_of
from dashboards.view import View
from loupan.statistics.simpson import Reversal


def misleading(view: View, found: FairComparison) -> tuple[str, ...]:
    """Return a sentence for each pair whose order is turned round or comes to nothing, the former first."""
    return tuple(sentence(view, found, pair) for pair in found.reversals)


def sentence(view: View, found: FairComparison, pair: Reversal) -> str:
    """Say what the crude rates of two tell, what they tell with like cases, and what explains it."""
    t, units, name = view.t, found.adjusted, names_of(view, found.unit)
    crude = found.scale * units.observed / units.exposure
    rate = found.scale * units.rate
    named = [view.within(view.title(dimension)) for dimension in pair.inputs]
    words = {
        "metric": view.label(found.metric),
        "one": name(units.units[pair.better]),
        "other": name(units.units[pair.worse]),
        "crude_one": view.write(float(crude[pair.better]), found.metric),
        "crude_other": view.write(float(crude[pair.worse]), found.metric),
        "rate_one": view.write(float(rate[pair.better]), found.metric),
        "rate_other": view.write(float(rate[pair.worse]), found.metric),
        "inputs": t(", ").join(named),
    }
    if not pair.is_reversed:
        return t(
            "{metric}: {other} is above {one} as counted ({crude_other} against {crude_one}); like for like the "
            "difference comes to nothing ({rate_other} against {rate_one}). What explains it: {inputs}.",
            **words,
        )
    said = t(
        "{metric}: as counted {other} is above {one} ({crude_other} against {crude_one}); like for like it is the "
        "other way round ({rate_other} against {rate_one}). What explains it: {inputs}.",
        **words,
    )
    if pair.strata < 2:
        return said
    within = t(
        "Among cases alike in {input}, {one} is the higher one in {agreeing} of {strata} groups.",
        input=named[0],
        one=words["one"],
        agreeing=pair.agreeing,
        strata=pair.strata,
    )
    return f"{said} {within}"
