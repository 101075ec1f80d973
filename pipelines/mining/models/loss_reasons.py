"""Loss reasons: which are more common somewhere than elsewhere, beyond chance, and which grow."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loupan.i18n import marked
from loupan.mining import Abstain, Card, Evaluation, Feature, Field, Marts, Output, Picture, Result
from loupan.statistics.excess import false_discoveries, shrunken_ratio, stratified_excess, trend
from loupan.statistics.intervals import ENOUGH, wilson

READS = ("fct_lead", "fct_lost_lead", "dim_source", "dim_project", "dim_reason")
ONCE_A_DAY = True

MONTHS, ENOUGH_LOSSES, EXPECTED = 24, 200, 5
FALSE_ALARMS, WORTH_SAYING = 0.05, 1.1
_MAIN = 6
_LEARN_SHARE = 2 / 3

SOURCE, PROJECT, STAGE, QUARTER = marked("Source"), marked("Project"), marked("Stage reached"), marked("Quarter")
# What each is compared within, so that a source is not blamed for the estate it mostly sells.
_WITHIN = {SOURCE: "project", PROJECT: "stage", STAGE: "project", QUARTER: "project"}
_COLUMNS = {SOURCE: "source", PROJECT: "project", STAGE: "stage", QUARTER: "quarter"}
COMPETITOR = marked("Bought at a competing estate")
STAGES = (
    marked("Before a visit"), marked("After a visit"), marked("After a small booking"), marked("After a booking"),
    marked("After a contract"),
)  # fmt: skip
_TO_DO = {
    SOURCE: marked("Ask what customers of this source are told, and answer the reason before the first visit"),
    PROJECT: marked("Take it up in this estate: the offer, the price list, or what the team answers to it"),
    STAGE: marked("Prepare an answer to the reason for the talks at this stage"),
    QUARTER: marked("Ask what was different then: prices, a competitor's opening, a campaign"),
}
_TO_DO_COMPETITOR = marked("Set your offer beside the competing estates' on the page Competition analysis")
_NOT_KNOWN = "unknown"

CARD = Card(
    title=marked("Loss reasons"),
    purpose=marked(
        "Where to work on which reason of loss: a source, an estate, a stage, a time. For sales and marketing."
    ),
    action=marked("Take up what stands out with those concerned; leave the rest as it is. First of all, note reasons."),
    data=marked(
        "The last loss or cancellation of every lead that is lost, of the last 24 months, with the reason noted"
    ),
    features=(
        Feature(marked("Source and project of the lead"), marked("Known when the lead came in")),
        Feature(marked("Stage the lead had reached"), marked("Known when it was lost")),
        Feature(marked("Reason noted"), marked("As noted with the loss; competing estates count as one reason")),
    ),
    excluded=marked(
        "Whose lead it was: reasons are what customers say, and no account of people. Prices of competing estates: "
        "they "
        "are not in the figures yet."
    ),
    baseline=marked("Each reason as often in every source, estate, stage and quarter as in all of the same estate"),
    fails=marked(
        "Reasons are what somebody wrote down, often the polite one. Who notes no reasons is not in it. A cause that "
        "is "
        "everywhere stands out nowhere."
    ),
    abstains=marked("Fewer than 200 losses with a reason in 24 months, or only one reason that is used 30 times"),
    method=marked(
        "Counts beside expected ones within estates (Mantel & Haenszel 1959), ratios drawn towards 1 (empirical Bayes, "
        "Clayton & Kaldor 1987), at most 5% false alarms among what is listed (Benjamini & Hochberg 1995), from 1.1 "
        "times on. Trends: Cochran–Armitage."
    ),
)
_TOO_FEW = marked(
    "Only {n} losses of the last 24 months have a reason; {needed} are needed. Note a reason with every loss."
)
_ONE_REASON = marked("Only {n} reasons were noted 30 times or more; two are needed to compare them.")
_FOUND = marked(
    "{found} of {cells} comparisons stand out beyond chance. Of those that stood out in the earlier two thirds of the "
    "time, "
    "{again} of {earlier} were above expectation again later: the baseline, all alike, is beaten there."
)
_NOT_AGAIN = marked(
    "{found} of {cells} comparisons stand out beyond chance, but that they come again is not shown ({again} of "
    "{earlier} of "
    "the earlier ones did): the baseline, all alike, is not beaten. Ask, before you act."
)
_NOT_TESTED = marked(
    "{found} of {cells} comparisons stand out beyond chance. Nothing did in the earlier two thirds of the time, so "
    "that it "
    "comes again could not be tested: the baseline, all alike, is not beaten. Ask, before you act."
)
_NONE = marked(
    "None of {cells} comparisons stands out beyond chance: no difference between sources, estates, stages or quarters "
    "could be shown, and the baseline is not beaten. Start with the most common reason."
)


def losses_of(marts: Marts) -> pd.DataFrame:
    """Return the losses of the last months: project, source, stage, quarter, month, reason (none if not noted).

    In order of time; texts are categories, for there may be millions.
    """
    frame = marts.query(
        f"""
        select
            lost.lead_id, lost.project_id, coalesce(project.project_name, '{_NOT_KNOWN}') as project,
            coalesce(source.source_name, '{_NOT_KNOWN}') as source,
            strftime(lost.lost_at, '%Y-%m') as month,
            format('{{}}-Q{{}}', year(lost.lost_at), quarter(lost.lost_at)) as quarter,
            case when reason.competitor_project_id is not null then '{COMPETITOR}' else reason.reason_name end
                as reason,
            case when lead.has_contract then 4 when lead.has_booked then 3 when lead.has_small_booked then 2
                when lead.has_visited then 1 else 0 end as reached
        from fct_lost_lead as lost
        inner join fct_lead as lead on lost.lead_id = lead.lead_id
        left join dim_project as project on lost.project_id = project.project_id
        left join dim_source as source on lost.source_id = source.source_id
        left join dim_reason as reason on lost.reason_id = reason.reason_id
        where lost.lost_at > timestamp '{marts.as_of:%Y-%m-%d %H:%M:%S}' - interval {MONTHS} month
        order by lost.lost_at, lost.lead_id
        """,  # noqa: S608 - names, a moment and a number of our own
        categories=True,
    )
    frame["stage"] = pd.Categorical.from_codes(frame.pop("reached").to_numpy(np.int64), pd.Index(STAGES))
    return frame


def compare(losses: pd.DataFrame) -> pd.DataFrame:
    """Return every comparison that can be made of losses with a reason.

    Returns:
        about (source, project, …), group, kind (the reason), cases, observed, expected, times, low, high, p, alarms
        (share of false alarms among those as unlikely); only where five are expected among thirty losses.
    """
    parts = []
    for about, column in _COLUMNS.items():
        cells = stratified_excess(losses["reason"], losses[column], losses[_WITHIN[about]])
        parts.append(cells.assign(about=about))
    cells = pd.concat(parts, ignore_index=True)
    counted = cells.groupby(["about", "kind"])["observed"].transform("sum")
    is_all = cells.groupby("about")["group"].transform("nunique") < 2
    cells = cells[
        (cells["cases"] >= ENOUGH) & (cells["expected"] >= EXPECTED) & (counted >= ENOUGH) & ~is_all
        & (cells["group"] != _NOT_KNOWN)
    ].reset_index(drop=True)  # fmt: skip
    cells["times"], cells["low"], cells["high"] = shrunken_ratio(cells["observed"], cells["expected"])
    cells["alarms"] = false_discoveries(cells["p"])
    return cells


def standing_out(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the comparisons that are hardly false alarms, and whose ratio, drawn towards 1, still says something."""
    return cells[(cells["alarms"] <= FALSE_ALARMS) & (cells["times"] >= WORTH_SAYING)]


def run(marts: Marts) -> Result:
    """Compare the losses of the last months.

    Raises:
        Abstain: if there are too few with a reason.
    """
    losses = losses_of(marts)
    known = losses[losses["reason"].notna()]
    if len(known) < ENOUGH_LOSSES:
        raise Abstain(_TOO_FEW, n=len(known), needed=ENOUGH_LOSSES)
    counts = known["reason"].value_counts()
    if (counts >= ENOUGH).sum() < 2:
        raise Abstain(_ONE_REASON, n=int((counts >= ENOUGH).sum()))
    cells = compare(known)
    found = standing_out(cells).sort_values(["p", "about", "group", "kind"])
    evaluation, again, earlier = _judged(known)
    is_again = earlier > 0 and evaluation[0].low is not None and evaluation[0].low > 0.5
    values: dict[str, str | int | float] = {"found": len(found), "cells": len(cells)}
    if not len(found):
        verdict = _NONE
    elif not earlier:
        verdict = _NOT_TESTED
    else:
        verdict = _FOUND if is_again else _NOT_AGAIN
        values |= {"again": again, "earlier": earlier}
    # An empty table would say that data are missing; the verdict says that nothing stands out.
    listed = [_excess(found)] if len(found) else []
    return Result([*listed, *_trends(known), _missing(losses)], evaluation, verdict, values)


def _judged(known: pd.DataFrame) -> tuple[list[Evaluation], int, int]:
    """Look whether what stands out in the earlier part of the time does so in the later one; quarters cannot."""
    cut = int(len(known) * _LEARN_SHARE)
    keys = ["about", "group", "kind"]
    earlier, later = compare(known.iloc[:cut]), compare_all(known.iloc[cut:])
    both = earlier[earlier["about"] != QUARTER].merge(later, on=keys, suffixes=("", "_later"))
    both = both[both["expected_later"] > 0]
    found = standing_out(both)
    again = int((found["observed_later"] > found["expected_later"]).sum())
    low, high = wilson(again, len(found))
    drawn_in, alike = (
        _deviance(both["observed_later"], both["expected_later"] * times) for times in (both["times"], 1)
    )
    is_any = len(found) > 0
    lines = [
        Evaluation(
            marked("What stood out earlier and was above expectation again later"),
            again / len(found) if is_any else None,
            0.5,
            float(low) if is_any else None,
            float(high) if is_any else None,
            unit="percent",
        ),
        Evaluation(
            marked("Misfit of the later counts per comparison (Poisson deviance)"), drawn_in, alike, better="low"
        ),
    ]
    return lines, again, len(found)


def compare_all(losses: pd.DataFrame) -> pd.DataFrame:
    """Return observed and expected counts of all comparisons, however few they are of."""
    return pd.concat(
        [
            stratified_excess(losses["reason"], losses[column], losses[_WITHIN[about]]).assign(about=about)
            for about, column in _COLUMNS.items()
        ]
    )[["about", "group", "kind", "observed", "expected"]]


def _deviance(observed: pd.Series, expected: pd.Series) -> float | None:
    """Return the mean Poisson deviance; None without comparisons."""
    if not len(observed):
        return None
    o, e = observed.to_numpy(float), expected.to_numpy(float)
    log_ratio = np.log(np.where(o > 0, o, 1) / e)
    return float(2 * np.mean(np.where(o > 0, o * log_ratio, 0) - (o - e)))


def _excess(found: pd.DataFrame) -> Output:
    to_do = found["about"].map(_TO_DO).where(found["kind"] != COMPETITOR, _TO_DO_COMPETITOR)
    frame = found.assign(to_do=to_do, project=found["group"].where(found["about"] == PROJECT, None))
    columns = ["about", "group", "project", "kind", "cases", "observed", "expected", "times", "low", "high", "alarms"]
    return Output(
        "excess",
        marked("Reasons that are more common somewhere than elsewhere"),
        frame[[*columns, "to_do"]],
        {
            "about": Field(marked("Compared by")),
            "group": Field(marked("Where it stands out")),
            "kind": Field(marked("Reason of loss")),
            "observed": Field(marked("Losses for it"), "count"),
            "expected": Field(marked("To be expected"), "decimal"),
            "times": Field(marked("Times as often"), "ratio"),
            "low": Field(marked("At least (95%)"), "ratio"),
            "high": Field(marked("At most (95%)"), "ratio"),
            "to_do": Field(marked("What to do about this reason")),
        },
        note=marked(
            "At most one in twenty of these is a false alarm. Times as often is drawn towards 1 where there are few "
            "cases."
        ),
    )


def _trends(known: pd.DataFrame) -> tuple[Output, Output]:
    main = known["reason"].value_counts().index[:_MAIN].tolist()
    counted = known.groupby(["month", "reason"], observed=True).size().unstack(fill_value=0).sort_index()
    months, totals = counted.index.astype("str").tolist(), counted.sum(axis=1)
    counted = counted.set_axis(months).reindex(columns=main, fill_value=0)
    place = np.arange(len(months), dtype=float)
    half = len(months) // 2
    lines, rows = [], []
    for reason in main:
        came = counted[reason]
        lines += [
            {"month": month, "kind": reason, "share": n / total if total >= ENOUGH else None, "losses": int(total)}
            for month, n, total in zip(months, came, totals, strict=True)
        ]
        z, p = trend(came, totals, place)
        before, after = (float(came.iloc[part].sum() / totals.iloc[part].sum()) if totals.iloc[part].sum() else None
                         for part in (slice(None, half), slice(half, None)))  # fmt: skip
        rows.append({"kind": reason, "losses": int(came.sum()), "before": before, "after": after, "z": z, "p": p})
    table = pd.DataFrame(rows)
    is_sure = false_discoveries(table["p"]) <= FALSE_ALARMS
    table["trend"] = np.where(~is_sure, _NO_TREND, np.where(table["z"] > 0, _GROWS, _SHRINKS))
    return (
        Output(
            "months", marked("Share of the main reasons by month"), pd.DataFrame(lines),
            {
                "month": Field(marked("Month"), "month"),
                "kind": Field(marked("Reason of loss")),
                "share": Field(marked("Share of losses"), "percent"),
                "losses": Field(marked("Losses with a reason"), "count"),
            },
            Picture("lines", "month", "share", group="kind"),
            note=marked("Months with fewer than 30 losses are left out."),
        ),
        Output(
            "trends", marked("Which main reasons grow"), table,
            {
                "kind": Field(marked("Reason of loss")),
                "losses": Field(marked("Losses for it"), "count"),
                "before": Field(marked("Share in the first half of the time"), "percent"),
                "after": Field(marked("Share in the second half"), "percent"),
                "trend": Field(marked("Trend of the share")),
            },
            note=marked("Growing and shrinking are said only where chance hardly makes them."),
        ),
    )  # fmt: skip


_NO_TREND, _GROWS, _SHRINKS = (
    marked("No trend beyond chance"), marked("Grows: look for the cause"), marked("Shrinks: keep on"),
)  # fmt: skip


def _missing(losses: pd.DataFrame) -> Output:
    is_without = losses.assign(is_without=losses["reason"].isna())
    groups = is_without.groupby(["project_id", "project"], observed=True)
    frame = groups.agg(losses=("lead_id", "size"), without=("is_without", "sum")).reset_index()
    frame["project"] = frame["project"].astype("str")
    frame["share"] = frame["without"] / frame["losses"]
    frame["low"], frame["high"] = wilson(frame["without"], frame["losses"])
    return Output(
        "missing",
        marked("Losses without a reason"),
        frame.sort_values(["without", "project"], ascending=[False, True]),
        {
            "project": Field(marked("Project")),
            "losses": Field(marked("Losses in all"), "count"),
            "without": Field(marked("Without a reason"), "count"),
            "share": Field(marked("Share without"), "percent"),
        },
        Picture("points", "project", "share", "low", "high"),
        note=marked("What is not noted cannot be learnt from: have the reason noted with every loss."),
    )
