"""What is taken out before people, projects and sources are compared by a measure, and why that, and what is not."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.view import View
from loupan.i18n import marked

EMPLOYEE, PROJECT, SOURCE = "employee", "project", "source"
SALES = "contracts_gross"
"""The measure that is a number: contracts signed, against what the others in the same project and month signed."""


@dataclass(frozen=True)
class Input:
    """A dimension whose mix is taken out.

    Attributes:
        dimension: of the measure.
        reason: why it moves the measure, in words that fit people, projects and sources alike.
    """

    dimension: str
    reason: str


@dataclass(frozen=True)
class Measure:
    """A rate by which units are compared.

    Attributes:
        metric: the rate.
        units: what can be compared by it, as far as the data has it.
        inputs: what is taken out; a dimension that is the unit itself, or that the metric does not have, is left out.
        left_in: what is not taken out on purpose, and why.
    """

    metric: str
    units: tuple[str, ...]
    inputs: tuple[Input, ...] = ()
    left_in: str = ""

    def applicable(self, view: View, unit: str) -> tuple[Input, ...]:
        """Return the inputs that the metric can be cut by, without the unit itself."""
        known = view.gateway.dimensions(self.metric)
        return tuple(i for i in self.inputs if i.dimension in known and i.dimension != unit)


_PLACE = Input(PROJECT, marked("Price, place and stock differ between projects and move every result there."))
_CLASS = Input("customer_class", marked("Some kinds of customer buy, and complain, more readily than others anyway."))
_AGE = Input("age_band", marked("Customers of different ages buy, and complain, differently anyway."))
_TIME = Input("quarter", marked("Deadlines, handovers and seasons change over time for everybody."))
_DEMAND = (
    _PLACE,
    Input("phase", marked("Before the sale and after it people ask for other things.")),
    Input("demand_kind", marked("Complaints have other deadlines, and leave people less content, than requests.")),
    Input("severity", marked("How serious a demand is decides how soon it is due.")),
    Input("channel", marked("A letter takes another way than a call.")),
    _TIME,
)
MEASURES = {
    measure.metric: measure
    for measure in (
        Measure(
            "conversion_rate",
            (EMPLOYEE, PROJECT, SOURCE),
            (
                Input(SOURCE, marked("Some sources bring people who are readier to buy.")),
                _PLACE,
                Input("month", marked("Leads of recent months have had less time to sign; launches bring waves.")),
                _CLASS,
                _AGE,
            ),
            marked(
                "Not taken out: the intention noted for a lead, because it is the judgement of whoever follows it up; "
                "and how fast and how often a lead was called, because that is the work itself."
            ),
        ),
        Measure(SALES, (EMPLOYEE,)),
        Measure(
            "customer_satisfaction",
            (EMPLOYEE, PROJECT),
            (
                _PLACE,
                Input("survey", marked("Each survey asks at another occasion and in other words.")),
                _CLASS,
                _AGE,
                _TIME,
            ),
        ),
        Measure(
            "complaints_per_100_served",
            (EMPLOYEE,),
            (_PLACE, _CLASS, _AGE),
            marked(
                "Not taken out: the month, because complaints come later than the customers they are counted against."
            ),
        ),
        Measure("complaint_rate", (PROJECT,), (_CLASS, _AGE, _TIME)),
        Measure(
            "follow_up_satisfaction",
            (EMPLOYEE, PROJECT),
            _DEMAND,
            marked("Not taken out: late replies and reopened demands, because they are the work itself."),
        ),
        Measure("reply_timeliness_rate", (EMPLOYEE, PROJECT), _DEMAND),
    )
}
UNITS = {EMPLOYEE: marked("People"), PROJECT: marked("Projects"), SOURCE: marked("Sources")}


def measures_of(view: View, unit: str) -> tuple[str, ...]:
    """Return the measures that a kind of unit can be compared by in this data."""
    return tuple(m.metric for m in MEASURES.values() if unit in m.units and unit in view.gateway.dimensions(m.metric))
