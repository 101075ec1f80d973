"""Groups of customers who are alike in what they want and how they came, if there are any that stay the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loupan.i18n import marked, translator
from loupan.i18n.codes import value_label
from loupan.mining import Abstain, Card, Evaluation, Feature, Field, Marts, Output, Picture, Result
from loupan.statistics.foresight import compared, log_losses
from loupan.statistics.intervals import ENOUGH, wilson
from loupan.statistics.segments import STABLE, UNKNOWN, Candidate, candidates, chosen

READS = ("fct_lead", "fct_customer_answer", "fct_deal_chain", "dim_customer", "dim_source", "dim_project")
ONCE_A_DAY = True

CARD = Card(
    title=marked("Customer segments"),
    purpose=marked(
        "Shows marketing which groups of customers there are, if any, to aim campaigns and offers at. It decides "
        "nothing about a single customer."
    ),
    action=marked(
        "Write one message and choose one channel for each segment; compare its cost per contract next quarter. Where "
        "there is no result, aim by single characteristics instead of by invented groups."
    ),
    data=marked("Each customer's first lead, of the last three years, and what was recorded about the customer."),
    features=(
        Feature(marked("Market type, intention, customer class"), marked("Recorded when the lead was opened.")),
        Feature(
            marked("Answers to the company's own questions"),
            marked("What a customer wants, e.g. purpose, layout, budget. Questions with several answers are left out."),
        ),
    ),
    excluded=marked(
        "Gender, age, education, occupation, income and personality: a customer must not be treated by them. The "
        "answers to own questions are used as they are; a question that asks for such a thing should not be asked. "
        "Visits: who has come is nearer to signing, so that a segment of visitors would foresee what is known already."
    ),
    baseline=marked("One common conversion rate for all customers."),
    fails=marked(
        "Segments are of customers as recorded: what sales does not ask cannot show. Two segments may differ in what "
        "is recorded and not in what they buy; the table says so."
    ),
    abstains=marked(
        "When fewer than 300 customers are described, when what is recorded is not connected beyond chance, or when "
        "the groups do not come back in customers drawn anew."
    ),
    method=marked(
        "Latent classes by expectation maximisation (Goodman 1974), which take gaps in the records as they are; how "
        "many is decided by Schwarz's criterion among those numbers whose groups all come back in bootstrap samples "
        "with a likeness of 0.75 or more (Hennig 2007)."
    ),
)

_LEAST, _MOST_LEARNT, _MOST_CLASSES, _DRAWS = 300, 2_500, 6, 12
_EARLY_DAYS, _OUTCOME_DAYS, _SPLIT = 14, 90, 0.7
_LEAST_KNOWN, _MOST_VALUES, _RARE, _LEAST_ITEMS = 0.10, 12, 0.02, 3
_LEVELS = (marked("low"), marked("middle"), marked("high"))
_OTHER = marked("Other")


@dataclass(frozen=True)
class Item:
    """A characteristic: its name and the names of its categories, in English or as the company wrote them."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Described:
    """The customers, by the opening of their first lead.

    Attributes:
        leads: one per customer; with what came of it.
        items: their characteristics.
        codes: customers × items, the category's number or `UNKNOWN`.
        is_learnt: those the classes may be learnt from.
        is_measured: later ones, of whom it is known whether they signed in time.
    """

    leads: pd.DataFrame
    items: list[Item]
    codes: np.ndarray
    is_learnt: np.ndarray
    is_measured: np.ndarray


def run(marts: Marts) -> Result:
    """Find segments, say how stable they are, and what came of their customers."""
    described = _described(marts)
    learnt = described.codes[described.is_learnt]
    if len(learnt) < _LEAST or len(described.items) < 2:
        raise Abstain(
            marked("Only {n} customers are described well enough; {least} are needed."), n=len(learnt), least=_LEAST
        )
    rng = np.random.default_rng(1)
    sample = learnt[np.sort(rng.permutation(len(learnt))[:_MOST_LEARNT])]
    tried = candidates(sample, [len(item.values) for item in described.items], _MOST_CLASSES, rng, _DRAWS)
    best = chosen(tried)
    if best is None:
        raise _refusal(tried, len(learnt))
    segments = _by_size(best.classes.assigned(described.codes), len(best.classes.share))
    measure, is_better = _evaluation(described, segments)
    frame, profile = _segments(described, segments, best)
    verdict = (
        marked("{segments} segments, all stable. Who belongs to which tells something about who signs later.")
        if is_better
        else marked(
            "{segments} segments, all stable. They differ in what customers want, but not in how many sign: use them "
            "for what to say, not for whom to expect."
        )
    )
    return Result(
        outputs=(
            _segment_output(frame),
            _profile_output(profile),
            _project_output(described, segments),
            _stability_output(tried, best),
        ),
        evaluation=(measure,),
        verdict=verdict,
        values={"segments": len(best.classes.share)},
    )


def _refusal(tried: list[Candidate], customers: int) -> Abstain:
    gained = [candidate for candidate in tried if candidate.gain > 0]
    if not gained:
        return Abstain(
            marked("No groups could be shown: {n} customers are described as well without any as with them."),
            n=customers,
        )
    nearest = max(gained, key=lambda candidate: float(candidate.stability.min()))
    return Abstain(
        marked(
            "No number of groups is stable: the nearest, {groups}, come back with a likeness of {likeness} only when "
            "customers are drawn anew; {bound} is asked for."
        ),
        groups=len(nearest.classes.share),
        likeness=f"{nearest.stability.min():.2f}",
        bound=STABLE,
    )


def _described(marts: Marts) -> Described:
    today = f"date '{marts.as_of_on:%Y-%m-%d}'"
    leads = marts.query(
        f"""
        with deal as (
            select lead_id, sum(contract_amount_restated) as amount from fct_deal_chain where is_live group by lead_id
        ),
        first_lead as (
            select * from fct_lead
            qualify row_number() over (partition by customer_id order by opened_at, lead_id) = 1
        )
        select lead.customer_id, lead.project_id, project.project_name as project, lead.opened_on,
            source.market_type, cast(lead.intent_level as varchar) as intent_level,
            cast(customer.customer_class as varchar) as customer_class, lead.days_to_contract,
            deal.amount
        from first_lead as lead
        inner join dim_customer as customer using (customer_id)
        left join dim_project as project on lead.project_id = project.project_id
        left join dim_source as source on lead.source_id = source.source_id
        left join deal on lead.lead_id = deal.lead_id
        where lead.opened_on <= {today} - {_EARLY_DAYS} and lead.opened_on > {today} - interval 3 year
        order by lead.opened_on, lead.lead_id
        """,  # noqa: S608 - a day and a number of our own
        categories=True,
    )
    as_of = pd.Timestamp(marts.as_of_on)
    items, codes = [], []
    # One column after the other, and of each its codes only: together they are the largest table of all models.
    for name, values in _columns(marts, leads):
        item, coded = _coded(name, values)
        if len(item.values) > 1 and (coded != UNKNOWN).mean() >= _LEAST_KNOWN:
            items.append(item)
            codes.append(coded)
    leads = leads[["project_id", "project", "opened_on", "days_to_contract", "amount"]]
    table = np.column_stack(codes) if codes else np.empty((len(leads), 0), dtype=np.int8)
    # Somebody of whom hardly anything is known is in no group.
    is_known = (table != UNKNOWN).sum(axis=1) >= min(_LEAST_ITEMS, max(table.shape[1], 1))
    leads, table = leads[is_known].reset_index(drop=True), table[is_known]
    opened = pd.to_datetime(leads["opened_on"])
    ripe = opened <= as_of - pd.Timedelta(days=_EARLY_DAYS + _OUTCOME_DAYS)
    split = opened[ripe].quantile(_SPLIT) if ripe.any() else as_of
    return Described(
        leads, items, table, (ripe & (opened <= split)).to_numpy(), (ripe & (opened > split)).to_numpy()
    )  # fmt: skip


def _market(code: str) -> str:
    """Return what a market type is called in English, which the page translates."""
    return value_label(translator("en"), "market_type", code)


def _columns(marts: Marts, leads: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """Give what is recorded of each customer as categories, one characteristic after the other, by its name."""
    yield marked("Market type"), _relabelled(leads["market_type"], map(_market, leads["market_type"].cat.categories))
    yield marked("Intention"), leads["intent_level"]
    yield marked("Customer class"), leads["customer_class"]
    yield from _answers(marts, pd.Index(leads["customer_id"]))


def _relabelled(values: pd.Series, labels: Iterable[str | None]) -> pd.Series:
    """Return categories under other names, of which several may be the same, or missing."""
    numbers, names = pd.factorize(np.array([*labels], dtype=object))
    codes: np.ndarray = np.append(numbers, -1)[values.cat.codes]
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(names, dtype="str")))


def _answers(marts: Marts, customers: pd.Index) -> Iterator[tuple[str, pd.Series]]:
    """Give the customers' answers to each question that has one answer."""
    questions = marts.query(
        "select feature_id, min(feature_name) as name from fct_customer_answer where feature_value is not null "
        "and feature_id not in (select feature_id from fct_customer_answer where answer_number > 1) "
        "group by feature_id order by feature_id"
    )
    for question in questions.itertuples():
        answers = marts.query(
            "select customer_id, min(feature_value) as value from fct_customer_answer "  # noqa: S608 - a number
            f"where feature_id = {question.feature_id} and feature_value is not null group by customer_id",
            categories=True,
        )
        labels = _labels(answers["value"])
        if labels is None:
            continue
        place = customers.get_indexer(pd.Index(answers["customer_id"]))
        codes = np.full(len(customers), -1, np.int32)
        codes[place[place >= 0]] = answers["value"].cat.codes[place >= 0]
        of_customers = pd.Series(pd.Categorical.from_codes(codes, answers["value"].cat.categories))
        yield str(question.name), _relabelled(of_customers, labels)


def _labels(answers: pd.Series) -> list[str | None] | None:
    """Return what each different answer is told as; None if they are free words, which may name somebody."""
    different = answers.cat.categories
    numbers = pd.to_numeric(pd.Series(different.astype("str")), errors="coerce").to_numpy(float)
    given = pd.Series(numbers[answers.cat.codes])
    if given.notna().mean() >= 0.9 and given.nunique() > _MOST_VALUES:
        thirds = np.searchsorted(given.quantile([1 / 3, 2 / 3]).to_numpy(), numbers)
        return [None if np.isnan(n) else _LEVELS[third] for n, third in zip(numbers, thirds, strict=True)]
    if set(different) <= {"true", "false"}:
        return [{"true": marked("Yes"), "false": marked("No")}[answer] for answer in different]
    return [*different] if len(different) <= 4 * _MOST_VALUES else None


def _coded(name: str, values: pd.Series) -> tuple[Item, np.ndarray]:
    """Number the categories; rare ones are taken together."""
    counts = values.value_counts()
    counts = counts[counts > 0]
    kept = counts[counts >= _RARE * counts.sum()].index[: _MOST_VALUES - 1]
    known = sorted(map(str, kept))
    order = [level for level in _LEVELS if level in known]
    known = order if len(order) == len(known) else known
    if len(kept) < len(counts) and _OTHER not in known:
        known.append(_OTHER)
    number = {value: position for position, value in enumerate(known)}
    rest = number.get(_OTHER, UNKNOWN)
    of_category = [number[value] if value in kept else rest for value in values.cat.categories]
    return Item(name, tuple(known)), np.array([*of_category, UNKNOWN], np.int8)[values.cat.codes]


def _by_size(assigned: np.ndarray, classes: int) -> np.ndarray:
    """Number the segments by size, the largest first."""
    order = np.argsort(-np.bincount(assigned, minlength=classes), kind="stable")
    return np.argsort(order)[assigned]


def _letter(segment: int) -> str:
    return chr(ord("A") + segment)


def _segments(described: Described, segments: np.ndarray, best: Candidate) -> tuple[pd.DataFrame, pd.DataFrame]:
    assigned = best.classes.assigned(described.codes)
    rows, profiles = [], []
    for segment in range(len(best.classes.share)):
        own = segments == segment
        low, high = wilson(own.sum(), len(own))
        typical = _typical(described, own, segment)
        profiles.append(typical)
        likeness = best.stability[assigned[own][0]] if own.any() else np.nan
        first = [*typical.head(2)[["trait", "value"]].to_numpy().ravel(), *[None] * 4][:4]
        rows.append(
            (
                _letter(segment), int(own.sum()), own.mean(), float(low), float(high), *first, likeness,
                *_outcome(described, own),
            )
        )  # fmt: skip
    names = [
        "segment", "customers", "share", "share_low", "share_high", "trait_1", "value_1", "trait_2", "value_2",
        "likeness", "measured", "conversion", "conversion_low", "conversion_high", "deals", "amount", "amount_low",
        "amount_high",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=names), pd.concat(profiles, ignore_index=True)


def _typical(described: Described, own: np.ndarray, segment: int) -> pd.DataFrame:
    """Return the answers that are more frequent in a segment than among all, the most telling first."""
    rows = []
    for item, codes in zip(described.items, described.codes.T, strict=True):
        known, here = codes[codes != UNKNOWN], codes[own & (codes != UNKNOWN)]
        if len(here) < ENOUGH:
            continue
        for number, value in enumerate(item.values):
            share, among_all = (here == number).mean(), (known == number).mean()
            low, high = wilson((here == number).sum(), len(here))
            if low > among_all:
                rows.append((item.name, value, share, float(low), float(high), among_all, share / among_all))
    names = ["trait", "value", "share", "low", "high", "among_all", "lift"]
    frame = pd.DataFrame(rows, columns=names).assign(segment=_letter(segment))
    return (
        frame.assign(more=frame["share"] - frame["among_all"])
        .sort_values(["more", "trait", "value"], ascending=[False, True, True], kind="stable")
        .drop(columns="more")
        .head(8)
    )


def _outcome(described: Described, own: np.ndarray) -> tuple[float | int | None, ...]:
    """Return, of the later customers, how many signed in time, and for how much on average; None for fewer than 30."""
    is_asked, signed = _signed(described, described.is_measured)
    asked, count = int((is_asked & own).sum()), int((signed & own).sum())
    low, high = wilson(count, asked)
    rate = (count / asked, float(low), float(high)) if asked >= ENOUGH else (None, None, None)
    amounts = described.leads.loc[described.is_measured & own, "amount"].dropna().to_numpy(float)
    mean: tuple[float | None, ...] = (None, None, None)
    if len(amounts) >= ENOUGH:
        half = 1.96 * amounts.std(ddof=1) / np.sqrt(len(amounts))
        mean = (float(amounts.mean()), float(amounts.mean() - half), float(amounts.mean() + half))
    return (asked, *rate, len(amounts), *mean)


def _signed(described: Described, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return of whom it can be asked whether they signed in the 90 days after the first two weeks, and who did.

    Who signed within the two weeks is left out: what is recorded of them in that time may be of the signing.
    """
    days = described.leads["days_to_contract"].to_numpy(float)
    is_asked = among & ~(days <= _EARLY_DAYS)
    return is_asked, is_asked & (days <= _EARLY_DAYS + _OUTCOME_DAYS)


def _evaluation(described: Described, segments: np.ndarray) -> tuple[Evaluation, bool]:
    """Foresee who of the later customers signs by the segment's earlier rate; say whether it beats one common rate."""
    title = marked("How far off it was foreseen which later customers sign (log loss)")
    was_asked, had_signed = _signed(described, described.is_learnt)
    is_asked, has_signed = _signed(described, described.is_measured)
    if is_asked.sum() < 10 * ENOUGH or not 0 < had_signed.sum() < was_asked.sum():
        return Evaluation(title, None, better="low"), False
    count = int(segments.max()) + 1
    common = had_signed.sum() / was_asked.sum()
    signed = np.bincount(segments[had_signed], minlength=count)
    # Ten customers of the common rate beside the segment's own: no rate is 0.
    rates = (signed + 10 * common) / (np.bincount(segments[was_asked], minlength=count) + 10)
    outcome = has_signed[is_asked]
    found = compared(log_losses(rates[segments[is_asked]], outcome), log_losses(common, outcome))
    return Evaluation(title, found.model, found.baseline, found.low, found.high, "low"), found.is_better


def _segment_output(frame: pd.DataFrame) -> Output:
    return Output(
        "segments",
        marked("The segments, the largest first"),
        frame,
        {
            "segment": Field(marked("Segment")),
            "customers": Field(marked("Customers"), "count"),
            "share": Field(marked("Share of customers"), "percent"),
            "trait_1": Field(marked("Most typical")),
            "value_1": Field(marked("Value")),
            "trait_2": Field(marked("Next most typical")),
            "value_2": Field(marked("Its value")),
            "conversion": Field(marked("Sign in time"), "percent"),
            "conversion_low": Field(marked("From"), "percent"),
            "conversion_high": Field(marked("To"), "percent"),
            "amount": Field(marked("Average contract"), "currency"),
            "amount_low": Field(marked("Average from"), "currency"),
            "amount_high": Field(marked("Average to"), "currency"),
            "likeness": Field(marked("Stability (1 = always comes back)"), "ratio"),
        },
        Picture("points", "segment+trait_1+value_1", "conversion", "conversion_low", "conversion_high"),
        marked(
            "Who signs in time is counted on customers later than those learnt from: a contract in the 90 days after "
            "the first two weeks. Fewer than 30 give no number."
        ),
    )


def _profile_output(profile: pd.DataFrame) -> Output:
    return Output(
        "profile",
        marked("What distinguishes each segment"),
        profile,
        {
            "segment": Field(marked("Segment")),
            "trait": Field(marked("Characteristic")),
            "value": Field(marked("Value")),
            "share": Field(marked("In the segment"), "percent"),
            "low": Field(marked("From"), "percent"),
            "high": Field(marked("To"), "percent"),
            "among_all": Field(marked("Among all"), "percent"),
            "lift": Field(marked("Times as frequent"), "ratio"),
        },
        note=marked(
            "Of those of whom it is recorded; what is more frequent than among all. The segments were made from these "
            "characteristics, so that they must differ in them; that is no proof of anything else."
        ),
    )


def _project_output(described: Described, segments: np.ndarray) -> Output:
    grouped = described.leads.assign(segment=segments).groupby(["project_id", "project", "segment"], observed=True)
    counted = grouped.size().rename("customers").reset_index()
    counted["segment"] = [*map(_letter, counted["segment"])]
    counted["project"] = counted["project"].astype("str")
    total = counted.groupby("project_id")["customers"].transform("sum")
    frame = counted.assign(share=counted["customers"] / total)
    return Output(
        "projects",
        marked("Segments by project"),
        frame,
        {
            "project": Field(marked("Project")),
            "segment": Field(marked("Segment")),
            "customers": Field(marked("Customers"), "count"),
            "share": Field(marked("Share of customers"), "percent"),
        },
        note=marked("Each customer counts in the project of the first lead."),
    )


def _stability_output(tried: list[Candidate], best: Candidate) -> Output:
    rows = [
        (
            len(candidate.classes.share),
            candidate.gain,
            float(candidate.stability.min()) if len(candidate.stability) else None,
            marked("Taken") if candidate is best else marked("Not taken"),
        )
        for candidate in tried
    ]
    return Output(
        "stability",
        marked("Why so many segments"),
        pd.DataFrame(rows, columns=["groups", "gain", "likeness", "taken"]),
        {
            "groups": Field(marked("Groups"), "count"),
            "gain": Field(marked("Better described than as one group (Schwarz)"), "count"),
            "likeness": Field(marked("Stability of the weakest group"), "ratio"),
            "taken": Field(marked("Whether taken")),
        },
        note=marked(
            "Of the numbers whose weakest group reaches 0.75, the one that describes the customers best is taken."
        ),
    )
