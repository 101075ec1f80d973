"""Which complaint themes of which projects have grown beyond what their own past and their customers explain."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loupan.i18n import marked
from loupan.mining import Abstain, Card, Evaluation, Feature, Field, Marts, Output, Picture, Result
from loupan.statistics.foresight import compared
from loupan.statistics.intervals import Floats, wilson
from loupan.statistics.warning import Level, chance_of, false_share, onset, past_level, upper_limit

READS = (
    "fct_demand", "fct_demand_category", "dim_demand_category", "fct_customer_month", "fct_lead", "fct_deal_chain",
    "fct_unit", "dim_project",
)  # fmt: skip
ONCE_A_DAY = True

CARD = Card(
    title=marked("Complaints: themes and early warning"),
    purpose=marked(
        "Shows customer service and the managers of a project which themes of complaint have begun to grow there, "
        "before the yearly rate shows it."
    ),
    action=marked(
        "Look at the complaints of the theme since the day named, find the common cause, and name who removes it. If "
        "the next two scans still warn, the cause is not removed."
    ),
    data=marked(
        "Valid complaints by project, phase and category, in periods of four weeks, up to two years back; "
        "customer-months by how long the customer or owner has been there."
    ),
    features=(
        Feature(marked("Category of the complaint, at every level"), marked("Chosen at entry.")),
        Feature(
            marked("Customer-months, by time since the first contact or the handover"),
            marked("New owners complain most; a handover alone is no warning. Known on the day."),
        ),
    ),
    excluded=marked(
        "The words of a complaint: they stay in the CRM, for they may name people. Themes are therefore the categories "
        "only. Persons are not looked at."
    ),
    baseline=marked("The rate of the twelve weeks before."),
    fails=marked(
        "Seasons are not taken out (two years cannot teach them), and neither is a company-wide change in how "
        "complaints are entered. A theme that has always been high is not found: it has not grown."
    ),
    abstains=marked(
        "When no project has a year of complaints before the last half year, or no theme has eight of them."
    ),
    method=marked(
        "Quasi-Poisson level of each theme's past with the last half year kept out (Farrington 1996; Noufaily 2013), "
        "on exposure standardised by time with us; the share of false warnings is kept to one in twenty among projects "
        "as a whole and to one in twenty among themes, one in ten in all (Benjamini and Hochberg 1995); "
        "the beginning by a scan of runs (Kulldorff 1997)."
    ),
)

_DAYS, _GUARD, _PAST, _LEAST_PAST = 28, 7, 26, 13
# How many periods are looked at together: a leap shows soonest in the last one, slow growth in all that no past is
# learnt from.
_WINDOWS = (1, 3, 7)
_COURSE = _WINDOWS.index(3)
_WINDOW = _WINDOWS[_COURSE]
# Each of the two families, projects as a whole and their themes, may have this share of false alarms.
_LEAST_COMPLAINTS, _LEAST_OBSERVED, _FALSE = 8, 5, 0.05
_ALL = marked("All complaints")
_GROWN, _NOT_GROWN = marked("Grown"), marked("No more than chance")
# How long somebody has been there, in months: the rate of complaints falls with it.
_BANDS = {"sales": (0, 1, 2, 4, 7), "property": (0, 1, 3, 6, 12)}
_ORIGINS = (3, 6, 9, 12)
_LEAST_FORECASTS = 8


def _band(phase: str) -> str:
    """Return, in SQL, the age at which the band of an age begins: all that counts of it."""
    return "case " + " ".join(f"when age >= {edge} then {edge}" for edge in reversed(_BANDS[phase])) + " else 0 end"


_MONTHS = """
with start as (
    select customer_id, project_id, min(date_trunc('month', opened_on)) as start_on from fct_lead group by all
),
owner as (
    select deal.customer_id, deal.project_id,
        min(greatest(deal.first_contract_on, coalesce(unit.handover_on, deal.first_contract_on))) as owner_on
    from fct_deal_chain as deal left join fct_unit as unit on deal.unit_id = unit.unit_id
    where deal.is_live group by all
),
joined as (
    select months.customer_id, months.project_id, months.month_on,
        coalesce(date_trunc('month', owner.owner_on) <= months.month_on, false) as is_owner,
        date_diff('month', case when date_trunc('month', owner.owner_on) <= months.month_on
            then date_trunc('month', owner.owner_on) else coalesce(start.start_on, months.month_on) end,
            months.month_on) as age
    from fct_customer_month as months
    left join start using (customer_id, project_id)
    left join owner using (customer_id, project_id)
)
"""
_EXPOSURE = (
    _MONTHS
    + f"""
select project_id, case when is_owner then 'property' else 'sales' end as phase, month_on,
    case when is_owner then {_band("property")} else {_band("sales")} end as age, count(*) as months
from joined group by all order by all
"""  # noqa: S608 - numbers of our own
)
_AGES = (
    _MONTHS
    + """
select demand.phase, demand.received_on, greatest(joined.age, 0) as age
from fct_demand as demand
inner join joined
    on demand.customer_id = joined.customer_id and demand.project_id = joined.project_id
    and date_trunc('month', demand.received_on) = joined.month_on
    and joined.is_owner = (demand.phase = 'property')
where demand.is_valid_complaint
order by all
"""
)
_COMPLAINTS = """
select project_id, phase, received_on, null::bigint as category_id, demand_id from fct_demand where is_valid_complaint
union all
select project_id, phase, received_on, counted_category_id, demand_id from fct_demand_category where is_valid_complaint
order by all
"""


@dataclass(frozen=True)
class History:
    """What the scans look at.

    Attributes:
        cells: project_id, phase, category_id (empty for all), theme and depth of each series.
        counts: valid complaints, cells × periods of four weeks, the latest period last.
        months: customer-months by project_id, phase, month_on and age in months.
        ages: phase, received_on and age of the customers who complained.
        last_on: the last day.
    """

    cells: pd.DataFrame
    counts: Floats
    months: pd.DataFrame
    ages: pd.DataFrame
    last_on: dt.date


@dataclass(frozen=True)
class Scan:
    """One scan, arrays by cell, or cells × the windows of `_WINDOWS`; NaN where a cell is not tested.

    Attributes:
        observed: complaints in each window.
        exposure: cells × periods, as far as the scan looks; the latest last.
        level: of the past.
        expected: complaints in each window, if nothing has changed.
        window_p: probability of as many complaints in each window, or more, then.
        p: of the clearest window, corrected for the choice.
        chance: share of false alarms among all cells of the family that are as clear.
    """

    observed: Floats
    exposure: Floats
    level: Level
    expected: Floats
    window_p: Floats
    p: Floats
    chance: Floats

    @property
    def clearest(self) -> np.ndarray:
        """The window that speaks most clearly, by its place."""
        return np.asarray(np.where(np.isnan(self.window_p), np.inf, self.window_p).argmin(axis=1))

    def at_clearest(self, values: Floats) -> Floats:
        """Return of cells × windows what stands in each cell's clearest window."""
        return np.asarray(values[np.arange(len(values)), self.clearest])


def run(marts: Marts) -> Result:
    """Scan every project, phase and theme."""
    history = _history(marts)
    scan = scanned(history)
    tested = np.isfinite(scan.p)
    if not tested.any():
        raise Abstain(
            marked(
                "No theme of any project has a year of complaints (eight at least) before the last half year; "
                "{n} valid complaints are on record."
            ),
            n=int(history.counts[history.cells["category_id"].isna().to_numpy()].sum()),
        )
    alerts = _alerts(history, scan, _carried(history, scan, alarms(scan)))
    measures, is_better = _evaluation(history)
    found = len(alerts)
    return Result(
        outputs=(
            Output(
                "alerts",
                marked("Themes that have grown"),
                alerts,
                {
                    "project": Field(marked("Project")),
                    "phase": Field(marked("Phase")),
                    "theme": Field(marked("Theme")),
                    "weeks": Field(marked("In the last weeks"), "count"),
                    "observed": Field(marked("Complaints counted"), "count"),
                    "expected": Field(marked("Expected"), "decimal"),
                    "upper": Field(marked("Usual upper end, of this theme alone"), "count"),
                    "ratio": Field(marked("Times as many as expected"), "ratio"),
                    "since_on": Field(marked("Since about"), "date"),
                    "share": Field(marked("Share of the phase's complaints"), "percent"),
                },
                note=marked(
                    "Of such warnings one in ten may be false: one in twenty of those of projects as a whole, one in "
                    "twenty of those of themes."
                ),
            ),
            Output(
                "course",
                marked("How the warned themes came about"),
                _course(history, scan, alerts),
                {
                    "project": Field(marked("Project")),
                    "phase": Field(marked("Phase")),
                    "theme": Field(marked("Theme")),
                    "month": Field(marked("Month"), "month"),
                    "observed": Field(marked("Complaints counted"), "count"),
                    "expected": Field(marked("Expected"), "decimal"),
                    "ratio": Field(marked("Times as many as expected"), "ratio"),
                },
                Picture("lines", "month", "ratio", group="project+phase+theme"),
                marked("Twelve weeks up to each month's last scan; 1 is as expected."),
            ),
            Output(
                "tested",
                marked("All themes tested"),
                _all_tested(history, scan, np.flatnonzero(tested)),
                {
                    "project": Field(marked("Project")),
                    "phase": Field(marked("Phase")),
                    "theme": Field(marked("Theme")),
                    "weeks": Field(marked("In the last weeks"), "count"),
                    "observed": Field(marked("Complaints counted"), "count"),
                    "expected": Field(marked("Expected"), "decimal"),
                    "upper": Field(marked("Usual upper end, of this theme alone"), "count"),
                    "state": Field(marked("Result")),
                },
                note=marked(
                    "A theme above its usual upper end has not grown for that alone: of many themes a few are above by "
                    "chance. The result allows for how many are tested."
                ),
            ),
        ),
        evaluation=measures,
        verdict=_verdict(measures[0], is_better),
        values={"tested": int(tested.sum()), "found": found, "projects": int(alerts["project"].nunique())},
    )


def _verdict(forecast: Evaluation, is_better: bool) -> str:
    if forecast.model is None:
        return marked(
            "{tested} themes were tested, {found} have grown ({projects} projects). How well it foresees cannot be "
            "told yet: the history is too short."
        )
    if is_better:
        return marked(
            "{tested} themes were tested, {found} have grown ({projects} projects). In earlier scans its expectation "
            "was nearer to what came than the rate of the twelve weeks before."
        )
    return marked(
        "{tested} themes were tested, {found} have grown ({projects} projects). In earlier scans its expectation was "
        "no nearer to what came than the rate of the twelve weeks before: trust whether a theme has grown, "
        "not the expected number."
    )


def _history(marts: Marts) -> History:
    complaints = marts.query(_COMPLAINTS)
    categories = marts.frame("dim_demand_category", ["demand_category_id", "demand_category_name", "depth"])
    projects = marts.frame("dim_project", ["project_id", "project_name"]).set_index("project_id")["project_name"]
    age = (pd.Timestamp(marts.as_of_on) - pd.to_datetime(complaints["received_on"])).dt.days
    complaints = complaints.assign(back=(age // _DAYS)).query("back >= 0")
    wide = _GUARD + _PAST + max(_ORIGINS)
    keys = ["project_id", "phase", "category_id"]
    # A category missing stands for all; a number that no category has takes its place while counting.
    complaints["category_id"] = complaints["category_id"].astype("float64").fillna(-1)
    table = complaints.groupby([*keys, "back"], sort=True)["demand_id"].nunique().unstack("back", fill_value=0)
    counts = table.reindex(columns=range(wide - 1, -1, -1), fill_value=0)
    cells = counts.index.to_frame(index=False)
    cells["category_id"] = cells["category_id"].where(cells["category_id"] >= 0)
    named = categories.set_index("demand_category_id")
    cells["theme"] = cells["category_id"].map(named["demand_category_name"]).fillna(_ALL)
    cells["depth"] = cells["category_id"].map(named["depth"]).fillna(-1).astype(int)
    cells["project"] = cells["project_id"].map(projects)
    values = counts.to_numpy(float)
    keep = _distinct(cells, values)
    months = marts.query(_EXPOSURE)
    # At midnight the as-of is the first moment of a month of which no day has passed.
    months = months[pd.to_datetime(months["month_on"]) <= pd.Timestamp(marts.as_of_on)].reset_index(drop=True)
    return History(cells[keep].reset_index(drop=True), values[keep], months, marts.query(_AGES), marts.as_of_on)


def _distinct(cells: pd.DataFrame, counts: Floats) -> np.ndarray:
    """Leave out a category that holds all complaints of a phase: it is the same series once more."""
    order = cells.assign(key=[row.tobytes() for row in counts]).sort_values("depth", kind="stable")
    return (~order.duplicated(["project_id", "phase", "key"]).sort_index()).to_numpy()


def scanned(history: History, origin: int = 0) -> Scan:
    """Scan as of so many periods ago, on what was known then."""
    end = pd.Timestamp(history.last_on) - pd.Timedelta(days=_DAYS * origin)
    exposure = _exposure(history, end)
    counts = history.counts[:, : history.counts.shape[1] - origin][:, -exposure.shape[1] :]
    past_counts, past_exposure = counts[:, :-_GUARD], exposure[:, :-_GUARD]
    level = past_level(past_counts, past_exposure)
    is_tested = (
        (past_counts.sum(axis=1) >= _LEAST_COMPLAINTS)
        & ((past_exposure > 0).sum(axis=1) >= _LEAST_PAST)
        & (exposure[:, -_GUARD:] > 0).all(axis=1)
    )
    observed, now = _in_windows(counts), _in_windows(exposure)
    window_p = np.column_stack([chance_of(level, y, e) for y, e in zip(observed.T, now.T, strict=True)])
    window_p[~is_tested] = np.nan
    p = np.minimum(len(_WINDOWS) * window_p.min(axis=1), 1.0)
    # A project as a whole is one of few: it is not made to compete with the many themes.
    is_whole = history.cells["category_id"].isna().to_numpy()
    chance = np.where(is_whole, false_share(np.where(is_whole, p, np.nan)), false_share(np.where(is_whole, np.nan, p)))
    return Scan(observed, exposure, level, level.rate[:, None] * now, window_p, p, chance)


def _in_windows(values: Floats) -> Floats:
    return np.column_stack([values[:, -window:].sum(axis=1) for window in _WINDOWS])


def alarms(scan: Scan) -> np.ndarray:
    """Return the cells that have grown."""
    # A handful is no theme, however rare it was (Farrington et al. 1996, section 3.8).
    return np.flatnonzero((scan.chance <= _FALSE) & (scan.at_clearest(scan.observed) >= _LEAST_OBSERVED))


def _exposure(history: History, end: pd.Timestamp) -> Floats:
    """Return the exposure of each cell's project and phase by period: expected complaints at the company's rates.

    The rates by time with us are learnt from months before the guard only, so that a present outbreak is not expected.
    """
    periods = _PAST + _GUARD
    edges = end - pd.to_timedelta(_DAYS * np.arange(periods, -1, -1), unit="D")
    learnt_until = end - pd.Timedelta(days=_DAYS * _GUARD)
    months, ages = history.months, history.ages
    month_end = pd.to_datetime(months["month_on"]) + pd.offsets.MonthEnd(0)
    month_end = month_end.where(month_end <= pd.Timestamp(history.last_on), pd.Timestamp(history.last_on))
    days = edges.to_numpy().astype("datetime64[D]").astype(float)
    ends, place = np.unique(month_end.to_numpy().astype("datetime64[D]"), return_inverse=True)
    begun = ends.astype("datetime64[M]").astype("datetime64[D]")
    # The month that is not over counts for the part of it that is.
    over = ((ends - begun).astype(float) + 1) / pd.DatetimeIndex(ends).days_in_month.to_numpy()
    cells = history.cells.groupby(["project_id", "phase"]).indices
    result = np.zeros((len(history.cells), periods))
    for phase, bands in _BANDS.items():
        is_own, said = (months["phase"] == phase).to_numpy(), ages[ages["phase"] == phase]
        if not is_own.any():
            continue
        own, at = months[is_own], place[is_own]
        time = own["months"].to_numpy(float)
        band = np.searchsorted(bands, own["age"].to_numpy(), side="right") - 1
        is_past = ends[at] <= learnt_until.to_datetime64()
        there = np.bincount(band[is_past], time[is_past], len(bands))
        known = said[pd.to_datetime(said["received_on"]) <= learnt_until]
        events = np.bincount(np.searchsorted(bands, known["age"].to_numpy(), side="right") - 1, minlength=len(bands))
        # Half an event and the common rate's share of time: a band hardly seen is like all others.
        common = (events.sum() + 0.5) / max(there.sum(), 1.0)
        rates = (events + 0.5) / (there + 0.5 / common)
        project, project_ids = pd.factorize(own["project_id"])
        shape = (len(project_ids), len(ends))
        where = np.ravel_multi_index((project, at), shape)
        due = np.bincount(where, rates[band] * time, shape[0] * shape[1]).reshape(shape) * over
        is_there = np.bincount(where, minlength=shape[0] * shape[1]).reshape(shape) > 0
        for project_id, own_due, own_months in zip(project_ids, due, is_there, strict=True):
            rows = cells.get((project_id, phase))
            if rows is None:
                continue
            first = begun[own_months][0] - np.timedelta64(1, "D")
            known_on = np.array([first, *ends[own_months]], dtype="datetime64[D]").astype(float)
            total = np.concatenate([[0.0], np.cumsum(own_due[own_months])])
            result[rows] = np.diff(np.interp(days, known_on, total))
    return result


def _carried(history: History, scan: Scan, alarmed: np.ndarray) -> np.ndarray:
    """Leave out an alarmed theme whose excess lies in alarmed themes below it."""
    cells = history.cells
    kept = []
    for cell in alarmed:
        same = (cells["project_id"] == cells["project_id"][cell]) & (cells["phase"] == cells["phase"][cell])
        below = [c for c in alarmed if same[c] and cells["depth"][c] == cells["depth"][cell] + 1]
        below = [c for c in below if (history.counts[c] <= history.counts[cell]).all()]
        window = scan.clearest[cell]
        rest = scan.observed[cell, window] - scan.observed[below, window].sum()
        left = max(scan.expected[cell, window] - scan.expected[below, window].sum(), 0.0)
        if not below or rest > left + 2 * np.sqrt(max(left, 1.0)):
            kept.append(cell)
    return np.array(kept, dtype=int)


def _tested(history: History, scan: Scan, rows: np.ndarray) -> pd.DataFrame:
    found = history.cells.loc[rows, ["project_id", "project", "phase", "category_id", "theme", "depth"]].copy()
    limits = upper_limit(scan.level.of(rows), scan.at_clearest(_in_windows(scan.exposure))[rows])
    found["cell"] = rows
    found["weeks"] = (np.array(_WINDOWS) * _DAYS // 7)[scan.clearest[rows]]
    for name, values in (("observed", scan.observed), ("expected", scan.expected)):
        found[name] = scan.at_clearest(values)[rows]
    found["upper"] = limits
    found["chance"] = scan.chance[rows]
    order = ["chance", "project", "phase", "depth", "theme", "category_id"]
    return found.sort_values(order, kind="stable").drop(columns=["category_id", "depth"]).reset_index(drop=True)


def _all_tested(history: History, scan: Scan, rows: np.ndarray) -> pd.DataFrame:
    found = _tested(history, scan, rows)
    return found.assign(state=np.where(found["cell"].isin(alarms(scan)), _GROWN, _NOT_GROWN))


def _alerts(history: History, scan: Scan, alarmed: np.ndarray) -> pd.DataFrame:
    alerts = _tested(history, scan, alarmed)
    alerts["ratio"] = alerts["observed"] / alerts["expected"]
    cells = history.cells
    wholes = {
        (cells["project_id"][c], cells["phase"][c]): c for c in np.flatnonzero(cells["category_id"].isna().to_numpy())
    }
    alerts["share"] = [
        observed / scan.observed[wholes[project, phase], scan.clearest[cell]]
        for observed, project, phase, cell in zip(
            alerts["observed"], alerts["project_id"], alerts["phase"], alerts["cell"], strict=True
        )
    ]
    since = []
    for cell in alerts["cell"]:
        expected = scan.level.rate[cell] * scan.exposure[cell]
        begun = onset(history.counts[cell][-len(expected) :], expected)
        days = _DAYS * (len(expected) - begun) - 1
        since.append(pd.Timestamp(history.last_on) - pd.Timedelta(days=days))
    alerts["since_on"] = pd.to_datetime(pd.Series(since, dtype="datetime64[ns]"))
    return alerts


def _course(history: History, scan: Scan, alerts: pd.DataFrame) -> pd.DataFrame:
    """Return, of each alerted theme, twelve weeks up to the last period that ends in each month."""
    rows = []
    periods = scan.exposure.shape[1]
    ends = pd.Timestamp(history.last_on) - pd.to_timedelta(_DAYS * np.arange(periods - 1, -1, -1), unit="D")
    for alert in alerts.to_dict("records"):
        cell = int(alert["cell"])
        expected = _rolling(scan.level.rate[cell] * scan.exposure[cell])
        observed = _rolling(history.counts[cell][-periods:])
        for month, y, mu in zip(ends[_WINDOW - 1 :].strftime("%Y-%m"), observed, expected, strict=True):
            if mu > 0:
                rows.append(
                    (alert["project_id"], alert["phase"], alert["theme"], alert["project"], month, y, mu, y / mu)
                )
    names = ["project_id", "phase", "theme", "project", "month", "observed", "expected", "ratio"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.drop_duplicates([*names[:3], "month"], keep="last").reset_index(drop=True)


def _rolling(values: Floats) -> Floats:
    return np.convolve(values, np.ones(_WINDOW), "valid")


def _evaluation(history: History) -> tuple[tuple[Evaluation, ...], bool]:
    """Compare the expectations of earlier scans with what came, and count how often the limit was passed."""
    errors, naive, beyond, tested = [], [], 0, 0
    for origin in _ORIGINS:
        scan = scanned(history, origin)
        known = np.isfinite(scan.p)
        # A theme within another is no further case.
        top = known & history.cells["category_id"].isna().to_numpy()
        before = slice(-2 * _WINDOW, -_WINDOW)
        counts = history.counts[:, : history.counts.shape[1] - origin]
        rate = counts[:, before].sum(axis=1) / np.maximum(scan.exposure[:, before].sum(axis=1), 1e-9)
        came, now = scan.observed[:, _COURSE], _in_windows(scan.exposure)[:, _COURSE]
        errors.append(np.abs(scan.expected[:, _COURSE] - came)[top])
        naive.append(np.abs(rate * now - came)[top])
        beyond += int((scan.window_p[known, _COURSE] <= 0.025).sum())
        tested += int(known.sum())
    title = marked("Complaints in twelve weeks by which the expectation of a project was wrong, in four earlier scans")
    forecast, is_better = Evaluation(title, None, better="low"), False
    if sum(map(len, errors)) >= _LEAST_FORECASTS:
        found = compared(np.concatenate(errors), np.concatenate(naive))
        forecast = Evaluation(title, found.model, found.baseline, found.low, found.high, "low")
        is_better = found.is_better
    share_low, share_high = wilson(beyond, tested)
    beyond_limit = Evaluation(
        marked("Themes above their usual upper end in those scans (2.5 % where nothing has grown)"),
        beyond / tested if tested else None,
        0.025 if tested else None,
        float(share_low) if tested else None,
        float(share_high) if tested else None,
        "nominal",
        "percent",
    )
    return (forecast, beyond_limit), is_better
