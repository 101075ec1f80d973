"""Lead scoring: which open leads will sign within the next sixty days, and what speaks for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loupan.i18n import marked
from loupan.mining import Abstain, Card, Evaluation, Feature, Field, Marts, Output, Picture, Result
from loupan.mining.result import MOST_ROWS
from loupan.statistics.intervals import ENOUGH
from loupan.statistics.prediction import Line, Scored, calibration_line, interval, reliability, resampled

READS = (
    "fct_lead", "fct_lead_event", "fct_customer_ownership", "dim_source", "dim_project", "dim_customer", "dim_employee",
)  # fmt: skip
RETRAIN_DAYS = 7

HORIZON_DAYS, STEP_DAYS = 60, 30
# Prediction moments of the past, counted back from the last whose outcome is known: those it is tested on, those left
# out because what came of them was not known yet when the test begins, those that correct the level, and the rest.
TEST, UNKNOWN_THEN, CALIBRATE, MOMENTS = 6, 1, 4, 24
ENOUGH_SIGNED = 100
# Of more leads than these, so many are learnt from: about ten thousand of them sign, so that the weights are surer than
# the future is like the past, and a day's refresh does not wait for millions.
MOST_LEADS = 100_000
_DRAWS, _GROUPS, _AT_ONCE = 200, 6, 6
# A lead that is spoken to every day needs no call today; after a week without a word its full chance counts.
QUIET_DAYS = 7
_RARE = 30
_OTHER, _NOT_KNOWN = "other", "unknown"

SOURCE, PROJECT, INTENT, CUSTOMER_CLASS = (
    marked("Where the customer came from"), marked("The project"), marked("The intention noted"),
    marked("The customer's class"),
)  # fmt: skip
AGE, CONTACT, VISITS, CALLS = (
    marked("How long ago the lead came in"), marked("The last contact"), marked("Visits so far"),
    marked("Calls so far"),
)  # fmt: skip
BOOKING, QUALIFIED, MARKETS, TURNS, AGAIN = (
    marked("A booking"), marked("Judged worth pursuing"), marked("Contacts before the lead"), marked("Lost before"),
    marked("Asked once more"),
)  # fmt: skip
REASONS = (
    SOURCE, PROJECT, INTENT, CUSTOMER_CLASS, AGE, CONTACT, VISITS, CALLS, BOOKING, QUALIFIED, MARKETS, TURNS, AGAIN,
)  # fmt: skip
_RECORDED = marked("As recorded today; when it was entered or changed is not kept in the figures")
_UP_TO_THEN = marked("Events up to the moment of prediction")

CARD = Card(
    title=marked("Lead scoring"),
    purpose=marked(
        "Whom to call first: for every open lead the chance that it signs its first contract within 60 days. For sales."
    ),
    action=marked(
        "Salespeople find it on the page Whom to call and work from its top. The chance orders work; it is no reason "
        "to give a customer up, and says nothing about how well anybody sells."
    ),
    data=marked(
        "All leads that were open at 24 past moments, 30 days apart, each as it stood then, and whether it signed "
        "within "
        "60 days after. The last six moments are kept for the test. Of more than 100,000 leads it learns from, and is "
        "tested on, about 100,000, drawn by their number and always the same; all open ones are scored."
    ),
    features=(
        Feature(marked("Source, project, intention, customer class"), _RECORDED),
        Feature(
            marked("Days since the lead came in and since the last call, visit, deal step or enquiry"), _UP_TO_THEN
        ),
        Feature(marked("Visits and calls so far, with and without effect"), _UP_TO_THEN),
        Feature(marked("A small booking or booking that stands, and since when"), _UP_TO_THEN),
        Feature(marked("Kinds of market met before the lead came in"), _UP_TO_THEN),
        Feature(marked("Whether it was judged worth pursuing, was lost and reopened, or asked once more"), _UP_TO_THEN),
    ),
    excluded=marked(
        "Age, gender, education, income, occupation, personality and family: a person's chance to be called must not "
        "hang on them. Owner and employee: the score must neither reward nor punish a person."
    ),
    baseline=marked("The share that signed among past leads of the same age and intention"),
    fails=marked(
        "It cannot know what nobody enters. Intention and class count as they stand today, also in the past: where "
        "they "
        "are mended after the fact, it looks better than it is. A new project, a price change or a new permit moves "
        "the "
        "chances before the model has seen it. Events entered late count as if they had been known."
    ),
    abstains=marked(
        "Fewer than 100 leads that signed in the time it learns from, or 30 in the time it is tested on; no lead was "
        "ever recorded as lost, so that nobody knows which are open; no lead is open. A lead that signed before and "
        "was "
        "cancelled gets no chance."
    ),
    method=marked(
        "Logistic regression with linear splines on past moments (landmarking, van Houwelingen 2007), its level "
        "corrected "
        "on later moments (Platt 1999). A reason's weight is its exact part of the log-odds, measured from the average "
        "open lead that was heard of in the last 60 days. Intervals by resampling whole leads 200 times."
    ),
)


@dataclass(frozen=True)
class Fitted:
    """What was learnt.

    Attributes:
        columns: of the design, each with the reason it belongs to.
        levels: per choice, the values that have a column of their own.
        weights: of the columns; shape (columns,).
        intercept: of the log-odds before they are corrected.
        line: how they are corrected.
    """

    columns: tuple[tuple[str, str], ...]
    levels: dict[str, tuple[str, ...]]
    weights: NDArray[np.float64]
    intercept: float
    line: Line

    def parts(self, leads: pd.DataFrame) -> pd.DataFrame:
        """Return what each reason adds to the log-odds of each lead; a column for each reason."""
        added = {reason: np.zeros(len(leads)) for reason in REASONS}
        weights = self.weights * self.line.slope
        place = 0
        for reason, name in _CHOICES:
            size = len(self.levels[name])
            # A value without a weight of its own, −1, finds the 0 behind the last.
            added[reason] += np.append(weights[place : place + size], 0.0)[_codes(leads[name], self.levels[name])]
            place += size
        # One column at a time: a matrix of them all is large for half a million open leads.
        for ((reason, _), column), weight in zip(_numbers(leads), weights[place:], strict=True):
            added[reason] += weight * np.asarray(column, float)
        return pd.DataFrame(added, index=leads.index)

    def log_odds(self, leads: pd.DataFrame) -> NDArray[np.float64]:
        """Return the corrected log-odds of each lead."""
        return self.line(self.intercept) + self.parts(leads).sum(axis=1).to_numpy()

    def chance(self, leads: pd.DataFrame) -> NDArray[np.float64]:
        """Return the chance of each lead."""
        return 1 / (1 + np.exp(-self.log_odds(leads)))


def states(
    marts: Marts, moments: Sequence[dt.datetime], leads: str = "fct_lead", events: str = "fct_lead_event"
) -> pd.DataFrame:
    """Return the leads that were open and had never signed at some moments, each as it stood then.

    Args:
        marts: of the refresh.
        moments: aware; nothing that happened after one is told of it, but whether the lead signed within the horizon.
        leads, events: tables of the leads that are asked about, and of their events; all by default.

    Returns:
        One row per moment and lead, in their order.
    """
    listed = ", ".join(f"timestamp '{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}'" for moment in moments)
    found = marts.query(
        _STATES.format(moments=listed, markets=_MARKET_COLUMNS, horizon=HORIZON_DAYS, leads=leads, events=events)
    )
    # Sorted here: DuckDB would do it while it still holds what it has added up, for which half a million leads leave
    # no room.
    return found.sort_values(["moment", "lead_id"], ignore_index=True)


MARKET_TYPES = ("event", "online", "media", "outdoor", "channel", "referral", "direct", "other")
_MARKET_COLUMNS = "".join(
    f"coalesce(bool_or(is_before and market_type = '{market}'), false) as met_{market}, " for market in MARKET_TYPES
)
_STATES = """
with moment as (select unnest([{moments}]) as moment),
turn as (
    select lead_id, occurred_at, event_kind from {events} where event_kind in ('lost', 'reopened', 'cancel')
    qualify row_number() over (
        partition by lead_id, occurred_at order by recorded_in = 'lead_event' desc, event_number desc
    ) = 1
),
unsigned as (
    select moment.moment, lead.*
    from {leads} as lead
    inner join moment on lead.opened_at <= moment.moment
    where lead.first_contract_at is null or lead.first_contract_at > moment.moment
),
closed as (
    select lead_id, event_kind, occurred_at, lead(occurred_at) over (partition by lead_id order by occurred_at) as until
    from turn
),
open_lead as (
    select unsigned.*
    from unsigned
    anti join closed
        on unsigned.lead_id = closed.lead_id
        and closed.event_kind <> 'reopened'
        and closed.occurred_at <= unsigned.moment
        and (closed.until is null or closed.until > unsigned.moment)
),
told as (
    select
        open_lead.moment, open_lead.lead_id, event.*, source.market_type,
        event.event_kind = 'touchpoint' and event.occurred_at < open_lead.opened_at as is_before
    from open_lead
    inner join (select lead_id, occurred_at, event_kind, event_number, is_effective, source_id from {events}) as event
        on open_lead.lead_id = event.lead_id and event.occurred_at <= open_lead.moment
    left join dim_source as source on event.source_id = source.source_id
),
so_far as (
    select
        moment, lead_id,
        max(occurred_at) filter (event_kind not in ('touchpoint', 'lost')) as last_contact_at,
        count(*) filter (event_kind = 'visit' and coalesce(is_effective, false)) as visits,
        count(*) filter (event_kind = 'visit' and not coalesce(is_effective, false)) as visits_in_vain,
        max(occurred_at) filter (event_kind = 'visit' and coalesce(is_effective, false)) as last_visit_at,
        count(*) filter (event_kind = 'call' and coalesce(is_effective, false)) as calls,
        count(*) filter (event_kind = 'call' and not coalesce(is_effective, false)) as calls_in_vain,
        arg_max(event_kind, (occurred_at, event_number))
            filter (event_kind in ('small_booking', 'booking', 'cancel', 'swap')) as last_step,
        max(occurred_at) filter (event_kind in ('small_booking', 'booking')) as booked_at,
        bool_or(event_kind = 'qualified') as is_qualified,
        bool_or(event_kind in ('lost', 'cancel')) as was_lost,
        {markets}
        count(*) filter (event_kind = 'asked_again') as asked_again
    from told
    group by moment, lead_id
)
select
    open_lead.moment,
    open_lead.lead_id,
    open_lead.customer_id,
    open_lead.project_id,
    open_lead.employee_id as entry_employee_id,
    project.project_name as project,
    source.source_name as source,
    open_lead.intent_level,
    customer.customer_class,
    greatest(coalesce(so_far.last_contact_at, open_lead.opened_at), open_lead.opened_at) as last_contact_at,
    epoch(open_lead.moment - open_lead.opened_at) / 86400 as days_open,
    epoch(open_lead.moment - greatest(coalesce(so_far.last_contact_at, open_lead.opened_at), open_lead.opened_at))
        / 86400 as days_quiet,
    epoch(open_lead.moment - so_far.last_visit_at) / 86400 as days_since_visit,
    case when so_far.last_step in ('small_booking', 'booking') then so_far.last_step end as booking,
    case when so_far.last_step in ('small_booking', 'booking')
        then epoch(open_lead.moment - so_far.booked_at) / 86400 end as days_since_booking,
    so_far.* exclude (moment, lead_id, last_contact_at, last_visit_at, last_step, booked_at),
    coalesce(open_lead.first_contract_at <= open_lead.moment + interval {horizon} day, false) as signed
from open_lead
left join so_far on open_lead.moment = so_far.moment and open_lead.lead_id = so_far.lead_id
left join dim_project as project on open_lead.project_id = project.project_id
left join dim_source as source on open_lead.source_id = source.source_id
left join dim_customer as customer on open_lead.customer_id = customer.customer_id
"""


# Where the effect of a number of days bends.
_AGE_BENDS, _QUIET_BENDS, _VISIT_BENDS, _BOOKING_BENDS = (
    (3, 7, 14, 30, 60, 120, 240),
    (1, 3, 7, 14, 30, 90),
    (7, 30),
    (14,),
)
_MARKETS_THAT_COUNT = ("event", "online", "media", "channel")
_CHOICES = ((SOURCE, "source"), (PROJECT, "project"), (INTENT, "intent_level"), (CUSTOMER_CLASS, "customer_class"))
_STRENGTH = 1.0
# Beyond so many columns, most are 0 nearly everywhere.
_MOST_DENSE = 200


def _spline(days: pd.Series, bends: Sequence[int]) -> list[NDArray[np.float64]]:
    """Return the columns of a line in log-days that bends at some days; all 0 where the days are not known."""
    x = np.log1p(days.fillna(0).clip(lower=0).to_numpy(float))
    return [x, *(np.maximum(x - np.log1p(bend), 0) for bend in bends)]


def _levels(leads: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return the values of each choice that are common enough for a weight of their own."""
    found = {}
    for _, name in _CHOICES:
        counts = leads[name].fillna(_NOT_KNOWN).value_counts()
        found[name] = tuple(sorted(map(str, counts[counts >= _RARE].index)))
    return found


def _codes(values: pd.Series, levels: Sequence[str]) -> NDArray[np.int64]:
    """Return the place of each value among the levels; −1 where it is none of them."""
    numbers = {level: number for number, level in enumerate(levels)}
    return np.asarray(values.fillna(_NOT_KNOWN).astype("str").map(numbers).fillna(-1), np.int64)


def _numbers(leads: pd.DataFrame) -> Iterator[tuple[tuple[str, str], Any]]:
    """Give the columns that are no choices, each with its reason and its name."""
    days = [
        (AGE, "days_open", _AGE_BENDS),
        (CONTACT, "days_quiet", _QUIET_BENDS),
        (VISITS, "days_since_visit", _VISIT_BENDS),
        (BOOKING, "days_since_booking", _BOOKING_BENDS),
    ]
    for reason, name, bends in days:
        for k, column in enumerate(_spline(leads[name], bends)):
            yield (reason, f"{name} {k}"), column
    visits, calls = leads["visits"].fillna(0), leads["calls"].fillna(0)
    for n in (1, 2, 3):
        yield (VISITS, f"visits {n}"), visits >= n
    yield (VISITS, "visits in vain"), leads["visits_in_vain"].fillna(0) > 0
    yield (CALLS, "calls"), np.log1p(calls)
    yield (CALLS, "calls in vain"), np.log1p(leads["calls_in_vain"].fillna(0))
    yield (BOOKING, "small booking"), leads["booking"] == "small_booking"
    yield (BOOKING, "booking"), leads["booking"] == "booking"
    yield (QUALIFIED, "qualified"), _is(leads["is_qualified"])
    yield (TURNS, "lost before"), _is(leads["was_lost"])
    yield (AGAIN, "asked again"), np.log1p(leads["asked_again"].fillna(0))
    for market in _MARKETS_THAT_COUNT:
        yield (MARKETS, market), _is(leads[f"met_{market}"])


def _design(leads: pd.DataFrame, levels: Mapping[str, tuple[str, ...]]) -> tuple[Any, tuple[tuple[str, str], ...]]:
    """Return the numbers that the log-odds are a weighted sum of, and what each is: its reason and its name.

    A matrix; a sparse one (CSR) where there are many columns, which are then mostly projects of which a lead has one.
    """
    names = [(reason, level) for reason, name in _CHOICES for level in levels[name]]
    keys = [key for key, _ in _numbers(leads.head(0))]
    count = len(names) + len(keys)
    is_sparse = count > _MOST_DENSE
    # Filled in place: beside each other the columns of a hundred thousand states would be held twice.
    design = np.zeros((len(leads), len(keys) if is_sparse else count))
    for place, (_, column) in enumerate(_numbers(leads), start=design.shape[1] - len(keys)):
        design[:, place] = column
    chosen = [(_codes(leads[name], levels[name]), len(levels[name])) for _, name in _CHOICES]
    if not is_sparse:
        first = 0
        for codes, size in chosen:
            rows = np.flatnonzero(codes >= 0)
            design[rows, first + codes[rows]] = 1.0
            first += size
        return design, (*names, *keys)
    from scipy import sparse

    parts = []
    for codes, size in chosen:
        rows = np.flatnonzero(codes >= 0)
        parts.append(sparse.csr_matrix((np.ones(len(rows)), (rows, codes[rows])), shape=(len(leads), size)))
    return sparse.hstack([*parts, sparse.csr_matrix(design)], format="csr"), (*names, *keys)


def _is(flags: pd.Series) -> pd.Series:
    return flags.fillna(value=False).astype(bool)


def fit(learn: pd.DataFrame, correct: pd.DataFrame) -> Fitted:
    """Learn from the leads of earlier moments, and correct the level by those of later ones.

    Args:
        learn, correct: of `states`; both with leads that signed and leads that did not.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils.sparsefuncs import inplace_column_scale, mean_variance_axis

    levels = _levels(learn)
    design, columns = _design(learn, levels)
    signed = learn["signed"].to_numpy(bool)
    if isinstance(design, np.ndarray):
        scale = np.maximum(design.std(axis=0), 1e-9)
        design /= scale
        model = LogisticRegression(C=_STRENGTH, solver="newton-cholesky", max_iter=100).fit(design, signed)
    else:
        _, variance = mean_variance_axis(design, axis=0)
        scale = np.maximum(np.sqrt(variance), 1e-9)
        inplace_column_scale(design, 1 / scale)
        model = LogisticRegression(C=_STRENGTH, solver="newton-cg", tol=1e-6, max_iter=100).fit(design, signed)
    weights, intercept = model.coef_[0] / scale, float(model.intercept_[0])
    raw = _design(correct, levels)[0] @ weights + intercept
    line = calibration_line(correct["signed"], raw)
    if line.slope < 0:
        # What spoke for signing speaks against it later: nothing was learnt but how many sign.
        line = calibration_line(correct["signed"], np.zeros(len(correct)))
    return Fitted(columns, levels, weights, intercept, line)


@dataclass(frozen=True)
class Baseline:
    """The share that signed, by age and intention.

    Attributes:
        shares: by (age, intention).
        share: of all, where there were too few.
    """

    shares: dict[tuple[int, str], float]
    share: float

    @classmethod
    def of(cls, leads: pd.DataFrame) -> Baseline:
        """Learn from past leads."""
        groups = leads.groupby([*_kinds(leads)], observed=True)["signed"].agg(["size", "mean"])
        common = groups[groups["size"] >= ENOUGH]
        shares = dict(zip(common.index.tolist(), common["mean"].tolist(), strict=True))
        return cls(shares, float(leads["signed"].mean()))

    def chance(self, leads: pd.DataFrame) -> NDArray[np.float64]:
        """Return the share of those like each lead."""
        keys = zip(*(kind.tolist() for kind in _kinds(leads)), strict=True)
        return np.array([self.shares.get(key, self.share) for key in keys])


def _kinds(leads: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    age = pd.Series(np.searchsorted([7, 30, 60, 120, 240], leads["days_open"], side="right"), index=leads.index)
    return age.rename("age"), leads["intent_level"].fillna(_NOT_KNOWN).astype(str).rename("intent")


@dataclass(frozen=True)
class Learnt:
    """Everything that is remembered between refreshes: the model in use, and how one made alike did on later data."""

    model: Fitted
    evaluation: tuple[Evaluation, ...]
    verdict: str
    values: dict[str, str | int | float]
    reliability: pd.DataFrame
    signed: int


def evaluate(past: pd.DataFrame, moments: Sequence[pd.Timestamp]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Learn as in use, but from earlier moments only, and predict the last ones.

    Args:
        past: of `states` at all moments.
        moments: from the latest to the earliest.

    Returns:
        The leads of the test, with ``chance`` and ``baseline``, and those that were learnt from.

    Raises:
        Abstain: if too few signed in one of the parts.
    """
    test = past[past["moment"].isin(moments[:TEST])]
    rest = moments[TEST + UNKNOWN_THEN :]
    correct, learn = past[past["moment"].isin(rest[:CALIBRATE])], past[past["moment"].isin(rest[CALIBRATE:])]
    _require(learn, ENOUGH_SIGNED)
    _require(correct, ENOUGH)
    _require(test, ENOUGH)
    known = pd.concat([learn, correct])
    model = fit(learn, correct)
    return test.assign(chance=model.chance(test), baseline=Baseline.of(known).chance(test)), known


def _require(leads: pd.DataFrame, needed: int) -> None:
    signed = int(leads.loc[leads["signed"], "lead_id"].nunique())
    if signed < needed or leads["signed"].all():
        raise Abstain(_TOO_FEW, n=signed, needed=needed, days=HORIZON_DAYS)


_TOO_FEW = marked(
    "Only {n} leads signed within {days} days in one of the parts of the past that it learns from and is tested on; "
    "{needed} are needed. It will begin by itself once there are more."
)
_NO_LEADS = marked("No lead has been recorded yet.")
_NO_LOSSES = marked(
    "No lead was ever recorded as lost, so nobody knows which are still open. Record losses in the CRM."
)
_TOO_SHORT = marked(
    "The leads reach back {n} months; {needed} are needed to learn from one part and to be tested on a later one."
)
_NONE_OPEN = marked("No lead is open, so there is nobody to call.")
# By whether it beats the baseline, and whether leads without a booking signed beyond chance less or more often than
# was promised (-1, 1).
_VERDICTS = {
    (True, 0): marked(
        "Better than the baseline: on {n} open leads at {moments} later moments that it had not seen, its best tenth "
        "signed {lift} times as often as all, the baseline's best tenth {baseline_lift} times. Follow its order."
    ),
    (True, -1): marked(
        "Better than the baseline: on {n} open leads at {moments} later moments that it had not seen, its best tenth "
        "signed {lift} times as often as all, the baseline's best tenth {baseline_lift} times. Follow its order, but "
        "not its chances: leads without a booking signed {unbooked} times as often as promised."
    ),
    (True, 1): marked(
        "Better than the baseline: on {n} open leads at {moments} later moments that it had not seen, its best tenth "
        "signed {lift} times as often as all, the baseline's best tenth {baseline_lift} times. Follow its order; its "
        "chances are low: leads without a booking signed {unbooked} times as often as promised."
    ),
    (False, 0): marked(
        "Does not beat the baseline: on {n} open leads at {moments} later moments that it had not seen, the difference "
        "may be chance. Age and intention alone order the leads as well; go on as before."
    ),
    (False, -1): marked(
        "Does not beat the baseline: on {n} open leads at {moments} later moments that it had not seen, the difference "
        "may be chance. Age and intention alone order the leads as well; go on as before. Its chances are high, too: "
        "leads without a booking signed {unbooked} times as often as promised."
    ),
    (False, 1): marked(
        "Does not beat the baseline: on {n} open leads at {moments} later moments that it had not seen, the difference "
        "may be chance. Age and intention alone order the leads as well; go on as before. Its chances are low, too: "
        "leads without a booking signed {unbooked} times as often as promised."
    ),
}


def judged(tested: pd.DataFrame) -> tuple[tuple[Evaluation, ...], str, dict[str, str | int | float]]:
    """Measure chances beside those of the baseline, and say whether they are better.

    Args:
        tested: of `evaluate`.

    Returns:
        The measures, the verdict, and what stands in its places.
    """
    came = tested["signed"].to_numpy(float)
    model, base = Scored.of(came, tested["chance"]), Scored.of(came, tested["baseline"])
    promised = tested["chance"].to_numpy(float)
    # Who holds a booking is known to sign soon; how it orders all others is another question.
    is_unbooked = tested["booking"].isna().to_numpy()
    unbooked, base_unbooked = (
        Scored.of(came[is_unbooked], tested.loc[is_unbooked, name]) for name in ("chance", "baseline")
    )

    def measures(weight: NDArray[np.float64] | None = None) -> list[float]:
        return [
            model.auc(weight), model.lift(weight=weight), model.brier(weight), model.log_loss(weight),
            _ratio(came, promised, weight),
            unbooked.auc(None if weight is None else weight[is_unbooked]),
            _ratio(came[is_unbooked], promised[is_unbooked], None if weight is None else weight[is_unbooked]),
            model.log_loss(weight) - base.log_loss(weight), model.auc(weight) - base.auc(weight),
        ]  # fmt: skip

    found = measures()
    bounds = [interval(column) for column in resampled(measures, tested["lead_id"], _DRAWS).T]
    names: tuple[tuple[str, float, Literal["high", "low", "nominal"]], ...] = (
        (marked("A lead that signed ranks above one that did not (AUC)"), base.auc(), "high"),
        (marked("Signed in the best tenth, as a multiple of all (lift)"), base.lift(), "high"),
        (_BRIER, base.brier(), "low"),
        (marked("Surprise at what came (log loss)"), base.log_loss(), "low"),
        (
            marked("Signed, as a multiple of what was promised"),
            _ratio(came, tested["baseline"].to_numpy(float)),
            "nominal",
        ),
        (
            marked("Among leads without a booking: one that signed ranks above one that did not (AUC)"),
            base_unbooked.auc(),
            "high",
        ),
        (
            marked("Among leads without a booking: signed, as a multiple of what was promised"),
            _ratio(came[is_unbooked], tested.loc[is_unbooked, "baseline"].to_numpy(float)),
            "nominal",
        ),
    )
    lines = [
        Evaluation(name, value, baseline, low, high, better, "percent" if name == _BRIER else "number")
        for (name, baseline, better), value, (low, high) in zip(names, found, bounds, strict=False)
        # Where nobody without a booking signed, there is nothing to say of them.
        if np.isfinite(value)
    ]
    slope, base_slope = (_slope(came, tested[column]) for column in ("chance", "baseline"))
    lines.append(Evaluation(_SLOPE, slope, base_slope, better="nominal"))
    is_better = bool(bounds[-2][1] < 0 and bounds[-1][0] > 0)
    unbooked_low, unbooked_high = bounds[_UNBOOKED]
    misses = int(unbooked_low > 1) - int(unbooked_high < 1)
    values: dict[str, str | int | float] = {
        "n": f"{tested['lead_id'].nunique():,}",
        "moments": int(tested["moment"].nunique()),
        "lift": f"{found[1]:.1f}",
        "baseline_lift": f"{base.lift():.1f}",
        "unbooked": f"{found[_UNBOOKED]:.2f}",
        "is_better": int(is_better),
    }
    return tuple(lines), _VERDICTS[is_better, misses], values


# Where the measures hold how many signed without a booking, as a multiple of what was promised.
_UNBOOKED = 6
_BRIER = marked("Squared error of the chance (Brier score)")
_SLOPE = marked("How much the chances differ in truth, as a multiple of what is said (calibration slope)")


def _ratio(
    came: NDArray[np.float64], promised: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> float:
    """Return how many came for each that was promised; NaN if none was."""
    w = np.ones(len(came)) if weight is None else weight
    total = float((w * promised).sum())
    return float((w * came).sum()) / total if total > 0 else float("nan")


def _slope(came: NDArray[np.float64], chance: pd.Series) -> float:
    p = chance.clip(1e-6, 1 - 1e-6).to_numpy(float)
    return calibration_line(came, np.log(p / (1 - p))).slope


def past_moments(marts: Marts) -> list[pd.Timestamp]:
    """Return the moments of the past whose outcome is known, from the latest to the earliest.

    Raises:
        Abstain: if there are no leads, no losses, or the leads do not reach back far enough.
    """
    first = marts.query("select min(opened_at) as first, count(*) as number from fct_lead").iloc[0]
    if not first["number"]:
        raise Abstain(_NO_LEADS)
    if marts.query("select count(*) from fct_lead_event where event_kind = 'lost'").iloc[0, 0] == 0:
        raise Abstain(_NO_LOSSES)
    last = pd.Timestamp(marts.as_of).tz_convert(None) - pd.Timedelta(days=HORIZON_DAYS)
    moments = [last - pd.Timedelta(days=STEP_DAYS * k) for k in range(MOMENTS)]
    known = [moment for moment in moments if moment > first["first"]]
    if len(known) <= TEST + UNKNOWN_THEN + CALIBRATE:
        months = int((last + pd.Timedelta(days=HORIZON_DAYS) - first["first"]).days // 30)
        raise Abstain(_TOO_SHORT, n=months, needed=TEST + UNKNOWN_THEN + CALIBRATE + HORIZON_DAYS // STEP_DAYS + 1)
    return known


def drawn(marts: Marts, most: int) -> tuple[str, str]:
    """Return the names of tables of about so many leads and of their events; those of all where there are no more."""
    some = marts.sample("fct_lead", "lead_id", most)
    if some == "true":
        return "fct_lead", "fct_lead_event"
    # Once, and not again for each few moments.
    marts.query(f"create or replace temp table some_lead as from fct_lead where {some}")
    marts.query(
        "create or replace temp table some_event as "
        "select lead_id, occurred_at, event_kind, event_number, recorded_in, is_effective, source_id "
        "from fct_lead_event semi join some_lead using (lead_id)"
    )
    return "some_lead", "some_event"


def train(marts: Marts) -> Learnt:
    """Learn from the past, after a test of the same procedure on its last part.

    Raises:
        Abstain: if the past cannot carry it.
    """
    moments = past_moments(marts)
    stamps = [moment.tz_localize("UTC") for moment in moments]
    tables = drawn(marts, MOST_LEADS)
    # A few moments at once: all together take twice the memory.
    past = pd.concat(
        [states(marts, stamps[k : k + _AT_ONCE], *tables) for k in range(0, len(stamps), _AT_ONCE)], ignore_index=True
    )
    tested, _ = evaluate(past, moments)
    evaluation, verdict, values = judged(tested)
    is_last = past["moment"].isin(moments[:CALIBRATE])
    return Learnt(
        fit(past[~is_last], past[is_last]), evaluation, verdict, values,
        reliability(tested["signed"], tested["chance"], _GROUPS, tested["lead_id"]),
        int(past.loc[past["signed"], "lead_id"].nunique()),
    )  # fmt: skip


def run(marts: Marts, learnt: Learnt) -> Result:
    """Score the leads that are open as of the refresh.

    Raises:
        Abstain: if none is.
    """
    leads = states(marts, [marts.as_of])
    if leads.empty:
        raise Abstain(_NONE_OPEN)
    parts = learnt.model.parts(leads)
    # What speaks for a lead does so beside those it competes with for a call, not beside those long forgotten.
    is_heard_of = leads["days_quiet"] <= HORIZON_DAYS
    compared = parts[is_heard_of] if is_heard_of.any() else parts
    deviations = parts - compared.mean()
    scored = _with_owner(marts, leads.assign(chance=learnt.model.chance(leads)))
    scored["priority"] = scored["chance"] * (scored["days_quiet"] / QUIET_DAYS).clip(upper=1)
    scored = scored.join(_reasons(deviations))
    scored = scored.sort_values(["priority", "lead_id"], ascending=[False, True]).head(MOST_ROWS)
    weights = pd.DataFrame({"pushed_by": compared.columns, "times": np.exp(compared.std(ddof=0).to_numpy())})
    weights = weights.sort_values(["times", "pushed_by"], ascending=[False, True])
    return Result(
        [_list(scored), _reliability(learnt.reliability), _weights(weights)],
        learnt.evaluation,
        learnt.verdict,
        learnt.values,
    )


def _list(scored: pd.DataFrame) -> Output:
    return Output(
        "leads",
        marked("Open leads in order of what to do"),
        scored[[*_KEPT, *_reason_columns()]],
        {
            "project": Field(marked("Project")),
            "employee": Field(marked("Looked after by")),
            "lead_id": Field(marked("Lead")),
            "chance": Field(marked("Chance to sign in 60 days"), "percent"),
            "days_quiet": Field(marked("Days since the last contact"), "days"),
            "reason_1": Field(marked("Moves it most")),
            "times_1": Field(marked("Odds times"), "ratio"),
            "reason_2": Field(marked("Moves it second most")),
            "times_2": Field(marked("Odds times (second)"), "ratio"),
        },
        note=marked(
            "In order of chance × how long nothing was heard, up to a week; the page Whom to call puts those first who "
            "are to be called today. Odds times: how much the reason multiplies the odds, beside the average open lead "
            "that was heard of in the last 60 days. Calls made count, but are told only where they speak against it. "
            "Of more than a million the first million."
        ),
    )


def _reliability(table: pd.DataFrame) -> Output:
    return Output(
        "reliability",
        marked("Do the chances come true?"),
        table,
        {
            "expected": Field(marked("Chance promised"), "percent"),
            "observed": Field(marked("Signed in truth"), "percent"),
            "low": Field(marked("Signed at least (95%)"), "percent"),
            "high": Field(marked("Signed at most (95%)"), "percent"),
            "cases": Field(marked("Times a lead was looked at"), "count"),
        },
        Picture("points", "expected", "observed", "low", "high"),
        note=marked(
            "Tested leads in groups by their chance, of each about as many to be expected to sign. A lead counts at "
            "each moment at which it was open; the intervals allow for that. Good chances lie within the interval of "
            "what came."
        ),
    )


def _weights(weights: pd.DataFrame) -> Output:
    return Output(
        "weights",
        marked("What moves the chance most"),
        weights,
        {
            "pushed_by": Field(marked("Reason")),
            "times": Field(marked("Typical push: odds times or divided by"), "ratio"),
        },
        Picture("bars", "pushed_by", "times"),
        note=marked("Among the open leads that were heard of in the last 60 days; 1 is no push at all."),
    )


_REASONS_TOLD, _LEAST = 3, 0.1
_KEPT = (
    "lead_id", "customer_id", "project_id", "project", "employee_id", "employee", "chance", "priority",
    "last_contact_at", "days_quiet", "days_open", "source", "intent_level", "customer_class", "visits",
    "visits_in_vain", "days_since_visit", "calls", "calls_in_vain", "booking", "days_since_booking", "asked_again",
    "markets_met", "was_lost", "is_qualified",
)  # fmt: skip


def _reason_columns() -> list[str]:
    return [f"{name}_{k}" for k in range(1, _REASONS_TOLD + 1) for name in ("reason", "times")]


def _reasons(deviations: pd.DataFrame) -> pd.DataFrame:
    """Return the reasons that move each lead's log-odds most, and by how much they multiply the odds.

    What a salesperson decides on is no reason in favour: "no call yet" would read as advice not to call.
    """
    told_of = deviations.copy()
    told_of[CALLS] = told_of[CALLS].clip(upper=0)
    values = told_of.to_numpy()
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :_REASONS_TOLD]
    names = deviations.columns.to_numpy(object)
    told = pd.DataFrame(index=deviations.index)
    for k in range(_REASONS_TOLD):
        pushed = values[np.arange(len(values)), order[:, k]]
        is_told = np.abs(pushed) >= _LEAST
        told[f"reason_{k + 1}"] = pd.Series(names[order[:, k]], index=deviations.index).where(is_told, None)
        told[f"times_{k + 1}"] = np.where(is_told, np.exp(pushed), np.nan)
    return told


def _with_owner(marts: Marts, leads: pd.DataFrame) -> pd.DataFrame:
    """Add who looks after each lead today, and which markets its customer had met before."""
    owners = marts.query("""
        select customer_id, project_id, first(employee_id order by from_at desc, customer_owner_id desc) as employee_id
        from fct_customer_ownership where to_at is null group by customer_id, project_id
    """)
    owners = owners[owners["customer_id"].isin(leads["customer_id"])]
    people = marts.frame("dim_employee", ["employee_id", "employee_number"]).set_index("employee_id")["employee_number"]
    here = owners.dropna(subset="project_id")
    everywhere = owners[owners["project_id"].isna()].drop(columns="project_id")
    found = leads.merge(here, "left", ["customer_id", "project_id"]).merge(
        everywhere.rename(columns={"employee_id": "everywhere_id"}), "left", "customer_id"
    )
    # As in the CRM: a lead that nobody looks after is that of who entered it.
    owner = found["employee_id"].fillna(found["everywhere_id"]).fillna(found["entry_employee_id"])
    met = [np.where(_is(found[f"met_{market}"]), market, "") for market in _MARKETS_THAT_COUNT]
    found["markets_met"] = [" ".join(filter(None, row)) for row in zip(*met, strict=True)]
    return found.assign(employee_id=owner.astype("Int64"), employee=owner.map(people))
