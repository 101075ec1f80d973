"""Where entry got worse, and habits of entry that are worth a question."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from loupan.i18n import marked
from loupan.mining import Abstain, Card, Evaluation, Feature, Field, Marts, Output, Picture, Result
from loupan.statistics.entry import compared, discoveries, heaping, shift
from loupan.statistics.intervals import ENOUGH

READS = ("fct_entry", "fct_field_completeness", "dim_employee", "dim_project")
ONCE_A_DAY = True

YEAR, LATE_MONTHS, LEAST_MONTHS = 12, 3, 6
TOGETHER, ROUND_MINUTES = 5, (0, 30)
LEVEL, WORTH_ASKING, LEAST_CHANGE = 0.05, 0.05, 0.03
LIKE_COLLEAGUES = 5.0

CARD = Card(
    title=marked("How well records are entered"),
    purpose=marked(
        "For the data staff and team leaders: which fields are filled less than before, and whose habits of entry "
        "differ from those of colleagues with the same kind of records."
    ),
    action=marked(
        "Ask, do not accuse: a late entry may mean a form that does not work outside the office, a round time a rule "
        "of the house. Mend the form or the rule first."
    ),
    data=marked(
        "The last twelve months of leads and their events, events of deals, demands and their steps, follow-ups and "
        "expenses that were typed in one by one; imports are left out. Fields: those of the page Completeness."
    ),
    features=(
        Feature(
            marked("Day it happened and moment of entry"), marked("both are stored with each record as it is entered")
        ),
        Feature(marked("Minutes of the time stated"), marked("as typed in; only where a time, not a day, is recorded")),
        Feature(marked("Fields filled"), marked("as they stand at the date of the data")),
    ),
    excluded=marked(
        "Texts such as notes: they hold personal data and stay in the CRM, so that equal notes are not looked for. "
        "What people sell, age, gender, and whatever else is not about entry."
    ),
    baseline=marked("Everybody does it as often as colleagues with the same kind of records in the same estate."),
    fails=marked(
        "A whole team with the same habit looks normal. Who enters for others is asked about in their names. What is "
        "never entered leaves no trace."
    ),
    abstains=marked("With less than six months of entries, or fewer than two people with thirty records."),
    method=marked(
        "Mantel–Haenszel comparison with colleagues, exact, widened where colleagues differ anyway (Spiegelhalter "
        "2005); of what is shown at most 5 % is expected to be chance (Benjamini and Hochberg 1995)."
    ),
)

PATTERNS = {
    "late": marked("Typed in more than seven days later"),
    "at_once": marked("Five or more typed in within one minute"),
    "round_time": marked("Times at the full or half hour"),
    "weekend": marked("Of a working day, typed in at the weekend"),
}
KINDS = {
    "lead": marked("Leads"), "lead_event": marked("Lead events"), "deal_event": marked("Deal events"),
    "demand": marked("Demands"), "demand_event": marked("Demand events"), "follow_up": marked("Follow-ups"),
    "expense": marked("Expenses"), "payment": marked("Payments"),
}  # fmt: skip
# Which remainders are round: minutes of times, m² of areas, and amounts by thousands.
_NUMBERS = {
    "minutes": (marked("Minutes of times"), 60, ROUND_MINUTES),
    "lead": (marked("Area looked for, by ten m²"), 10, (0,)),
    "expense": (marked("Amount of expenses, by hundreds"), 100, (0,)),
}

FOUND = marked(
    "{questions} questions worth asking, of {tests} comparisons; at most one in twenty is expected to be chance. "
    "Habits last: knowing the earlier months foretells the later ones better than taking everybody for alike."
)
FLEETING = marked(
    "{questions} questions worth asking, of {tests} comparisons; at most one in twenty is expected to be chance. "
    "Habits do not last in these data: the earlier months do not foretell the later ones better than taking everybody "
    "for alike."
)


_ENTRIES = """
with entry as (
    select
        crm_table, project_id, employee_id, typed_number, is_late, strftime(happened_on, '%Y-%m') as month,
        minute(happened_at) as minute, date_trunc('minute', entered_at) as entered_minute,
        case when isodow(happened_on) <= 5 then coalesce(isodow(entered_on) > 5, false) end as is_weekend
    from fct_entry
    where happened_on > date '{as_of_on:%Y-%m-%d}' - interval {months} month
),
together as (
    select crm_table, employee_id, entered_minute from entry
    where employee_id is not null and entered_minute is not null
    group by all having count(*) >= {together}
)
"""
_COUNTS = (
    _ENTRIES
    + """
select
    employee_id as person, crm_table, project_id, month, count(*) as records,
    {marks}
from entry
left join together using (crm_table, employee_id, entered_minute)
group by all
order by all
"""
)
# What has a mark, where it can have one at all.
_MARKS = {
    "late": "is_late",
    "at_once": "together.crm_table is not null",
    "round_time": f"minute in {ROUND_MINUTES}",
    "weekend": "is_weekend",
}
_NUMBERS_TYPED = (
    _ENTRIES
    + """
select 'minutes' as kind, cast(minute as double) as number, count(*) as n
from entry where minute is not null group by all
union all
select crm_table, cast(typed_number as double), count(*) from entry where typed_number is not null group by all
order by all
"""
)


def entries(marts: Marts) -> pd.DataFrame:
    """Count the entries of people in the last twelve months.

    Returns:
        One row per person (empty: nobody's), kind of record, project and month: records, and of each pattern the
        records that can have the mark (``<pattern>_own``) and those that have it (``<pattern>_marked``).
    """
    marks = ", ".join(
        f"count({mark}) as {name}_own, count(*) filter ({mark}) as {name}_marked" for name, mark in _MARKS.items()
    )
    return marts.query(_COUNTS.format(marks=marks, as_of_on=marts.as_of_on, months=YEAR, together=TOGETHER))


def counted(rows: pd.DataFrame, pattern: str) -> pd.DataFrame:
    """Return records and marked records by person and stratum: kind of record and estate."""
    own, marked_ones = f"{pattern}_own", f"{pattern}_marked"
    known = rows[(rows[own] > 0) & rows["person"].notna()]
    stratum = known["crm_table"].astype(str) + "/" + known["project_id"].astype("Int64").astype(str)
    grouped = known.assign(stratum=stratum).groupby(["person", "stratum"])[[own, marked_ones]]
    counts = grouped.sum().reset_index().rename(columns={own: "own", marked_ones: "marked"})
    return counts.astype({"person": "int64", "own": "int64", "marked": "int64"})


def run(marts: Marts) -> Result:
    """Compare people and months."""
    rows = entries(marts)
    months = rows["month"].nunique()
    if months < LEAST_MONTHS:
        raise Abstain(
            marked("Entries of {months} months are known, typed in one by one; {least} are needed."),
            months=months, least=LEAST_MONTHS,
        )  # fmt: skip
    tests = pd.concat([compared(counted(rows, name)).assign(pattern=name) for name in PATTERNS], ignore_index=True)
    if tests["person"].nunique() < 2:
        raise Abstain(marked("Fewer than two people have thirty records beside colleagues; nobody can be compared."))
    tests["asked"] = discoveries(tests["p_value"], LEVEL) & (tests["share"] - tests["expected"] >= WORTH_ASKING)
    numbers = marts.frame("dim_employee", ["employee_id", "employee_number"])
    tests = tests.merge(numbers.rename(columns={"employee_id": "person", "employee_number": "employee"}), on="person")
    evaluation = lasting(rows)
    questions = int(tests["asked"].sum())
    is_lasting = evaluation.low is not None and evaluation.low > 0
    return Result(
        [_questions(tests), _people(tests), _fields(marts), _kinds(rows), _digits(marts)],
        [evaluation],
        FOUND if is_lasting else FLEETING,
        {"questions": questions, "tests": len(tests)},
    )


def _questions(tests: pd.DataFrame) -> Output:
    asked = tests[tests["asked"]].sort_values(["employee", "pattern"], ignore_index=True)
    frame = asked.assign(what=asked["pattern"].map(PATTERNS).astype(object))
    return Output(
        "questions",
        marked("Questions worth asking"),
        frame[["employee", "what", "own", "marked", "share", "expected"]],
        {
            "employee": Field(marked("Employee")),
            "what": Field(marked("Habit")),
            "share": Field(marked("Share of own records"), "percent"),
            "expected": Field(marked("As often as colleagues would be"), "percent"),
            "own": Field(marked("Records counted"), "count"),
        },
        note=marked(
            "In the order of staff numbers, not ranked. A question, no accusation: it says that something differs, not "
            "why."
        ),
    )


def _people(tests: pd.DataFrame) -> Output:
    late = tests[tests["pattern"] == "late"].sort_values("employee", ignore_index=True)
    return Output(
        "late",
        marked("Late entries by person"),
        late[["employee", "own", "share", "expected"]],
        {
            "employee": Field(marked("Employee")),
            "share": Field(marked("Typed in more than seven days later"), "percent"),
            "expected": Field(marked("As often as colleagues would be"), "percent"),
            "own": Field(marked("Records counted"), "count"),
        },
        note=marked(
            "Only people with thirty records or more beside colleagues; in the order of staff numbers, not ranked."
        ),
    )


def _fields(marts: Marts) -> Output:
    """Return the fields that are filled more or less often than in the year before."""
    last = pd.Period(marts.as_of_on, "M") - 1
    months = pd.period_range(last - YEAR - LATE_MONTHS + 1, last, freq="M")
    rows = marts.query(
        "select project_name as project, crm_field, strftime(month_on, '%Y-%m') as month, sum(row_count) as n, "
        "sum(filled_count) as filled from fct_field_completeness inner join dim_project using (project_id) group by all"
    )
    labels = [str(month) for month in months]
    wide = rows.pivot_table(index=["project", "crm_field"], columns="month", values=["n", "filled"], aggfunc="sum")
    expected, filled = (
        wide.reindex(columns=[(part, label) for label in labels]).fillna(0).to_numpy(float) for part in ("n", "filled")
    )
    found = [
        (*key, shift(full, n, LATE_MONTHS), n[-LATE_MONTHS:].sum())
        for key, n, full in zip(wide.index, expected, filled, strict=True)
        if min(n[-LATE_MONTHS:].sum(), n[:-LATE_MONTHS].sum()) >= ENOUGH
    ]
    named = ["project", "crm_field", "before", "share", "low", "high", "difference", "n", "p_value"]
    frame = pd.DataFrame(
        [
            (project, field, s.before, s.late, s.low, s.high, s.late - s.before, n, s.p_value)
            for project, field, s, n in found
        ],
        columns=named,
    )
    is_changed = discoveries(frame["p_value"], LEVEL) & (frame["difference"].abs() >= LEAST_CHANGE)
    return Output(
        "fields",
        marked("Fields filled more or less often than in the year before"),
        frame[is_changed].sort_values(["difference", "project", "crm_field"], ignore_index=True),
        {
            "project": Field(marked("Project")),
            "crm_field": Field(marked("Field")),
            "before": Field(marked("Filled, the twelve months before"), "percent"),
            "share": Field(marked("Filled, the last three whole months"), "percent"),
            "difference": Field(marked("Difference"), "percent"),
            "low": Field(marked("At least (95% interval)"), "percent"),
            "high": Field(marked("At most (95% interval)"), "percent"),
            "n": Field(marked("Records of the last three months"), "count"),
        },
        note=marked(
            "Only changes of three points or more that chance does not explain; what is not listed did not change."
        ),
    )


def _kinds(rows: pd.DataFrame) -> Output:
    """Return the late share of each kind of record, month by month."""
    grouped = rows.groupby(["crm_table", "month"])[["records", "late_own", "late_marked"]].sum().reset_index()
    grouped = grouped[grouped["records"] >= ENOUGH]
    frame = pd.DataFrame(
        {
            "kind": grouped["crm_table"].map(KINDS).astype(object),
            "month": grouped["month"],
            "share": grouped["late_marked"] / grouped["late_own"],
            "n": grouped["records"],
        }
    )
    return Output(
        "late_by_month",
        marked("Late entries by kind of record"),
        frame.reset_index(drop=True),
        {
            "kind": Field(marked("Kind of record")),
            "month": Field(marked("Month"), "month"),
            "share": Field(marked("Typed in more than seven days later"), "percent"),
            "n": Field(marked("Records counted"), "count"),
        },
        Picture("lines", "month", "share", group="kind"),
        marked("The last days look better than they are: what comes in late is not there yet."),
    )


def _digits(marts: Marts) -> Output:
    """Return how often numbers are round, in the whole company."""
    numbers = marts.query(_NUMBERS_TYPED.format(as_of_on=marts.as_of_on, months=YEAR, together=TOGETHER))
    found = []
    for name, (title, period, preferred) in _NUMBERS.items():
        own = numbers[numbers["kind"] == name]
        heaped = heaping(own["number"], period, preferred, own["n"])
        if heaped.values >= ENOUGH:
            found.append((title, heaped.values, heaped.share, heaped.expected, heaped.share / heaped.expected))
    return Output(
        "digits",
        marked("Round numbers"),
        pd.DataFrame(found, columns=["what", "n", "share", "expected", "times"]),
        {
            "what": Field(marked("Number")),
            "share": Field(marked("Round ones"), "percent"),
            "expected": Field(marked("If nobody rounded"), "percent"),
            "times": Field(marked("Times as many"), "number"),
            "n": Field(marked("Records counted"), "count"),
        },
        note=marked("Rounded numbers are no fault; do not read more out of them than they were written with."),
    )


def lasting(rows: pd.DataFrame) -> Evaluation:
    """Ask whether the earlier two thirds of the months foretell each person's marks in the later third."""
    months = sorted(rows["month"].unique())
    border = months[len(months) * 2 // 3]
    scores = []
    for pattern in PATTERNS:
        before, after = (
            _expected(counted(part, pattern)) for part in (rows[rows["month"] < border], rows[rows["month"] >= border])
        )
        both = before.merge(after, left_index=True, right_index=True, suffixes=("_before", "_after"))
        both = both[both["expected_after"] > 0]
        times = (both["marked_before"] + LIKE_COLLEAGUES) / (both["expected_before"] + LIKE_COLLEAGUES)
        # Poisson log-likelihood of the later marks, over that of taking everybody for alike.
        scores.append(both["marked_after"] * np.log(times) - both["expected_after"] * (times - 1))
    by_person = pd.concat(scores).groupby(level=0).sum()
    measure = marked("Gain in foretelling a person's later marks over taking everybody for alike (log-likelihood)")
    if len(by_person) < 2:
        return Evaluation(measure, None, 0.0)
    mean, error = float(by_person.mean()), float(by_person.std(ddof=1) / np.sqrt(len(by_person)))
    reach = float(stats.t.ppf(0.975, len(by_person) - 1)) * error
    return Evaluation(measure, mean, 0.0, mean - reach, mean + reach)


def _expected(counts: pd.DataFrame) -> pd.DataFrame:
    """Return marks and expected marks by person."""
    if counts.empty:
        return pd.DataFrame(columns=["marked", "expected"], dtype=float)
    strata = counts.groupby("stratum")[["own", "marked"]].transform("sum")
    expected = counts["own"] * strata["marked"] / strata["own"]
    return counts.assign(expected=expected).groupby("person")[["marked", "expected"]].sum()
