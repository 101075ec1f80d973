"""The sections of the report, each from what one page shows, for who may open that page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from dashboards.attribution import MODEL
from dashboards.change import largest
from dashboards.charts.comparison import rated
from dashboards.charts.events import marks
from dashboards.charts.series import lines_by_month
from dashboards.definition import certainty
from dashboards.export.exhibit import Exhibit
from dashboards.findings import findings
from dashboards.gateway import Period, earlier_versions, open_earlier
from dashboards.key_figure import attained, compared
from dashboards.memory import remembered
from dashboards.model_results import model_runs, rows_of
from dashboards.pages import campaign_return, changes, complaints, conversion, headlines, models, overview, sales
from dashboards.report.blocks import change, rows_of_charts, table
from dashboards.report.document import Block, Cell, Section, Sentences, Table
from dashboards.report.period import Reported, twelve_months
from dashboards.report.plot import course_line
from dashboards.view import View
from data_entry.access import Actor
from data_entry.services.figures import OPEN, resource_of
from loupan.errors import LoupanError
from loupan.formats import NO_DATA
from loupan.i18n import marked
from loupan.mining.published import OK
from loupan.ui.drawing import Drawing
from loupan.ui.palette import COLOURS

_COURSE = (54.0, 15.0)
_MOST_FINDINGS, _MOST_MONTHS, _MOST_COMPARED = 8, 10, 10
# The forecasts a board plans with, and the tables of each that tell them.
_FORECASTS = {
    "sales_forecast": ("amount", "by_project"),
    "collections_forecast": ("collected",),
    "sell_through": ("course",),
}


@dataclass(frozen=True)
class Material:
    """What a section is made from.

    Attributes:
        view: of the days reported, within the rows that count on the section's page.
        reported: those days.
        actor: the recipient.
        since: version of the snapshot that the recipient's last report was made from; empty for none.
    """

    view: View
    reported: Reported
    actor: Actor
    since: str = ""

    @property
    def year(self) -> View:
        """The twelve months that end with the days reported: parts of a single month are too few to be compared."""
        return replace(self.view, period=twelve_months(self.view.period))

    @property
    def days(self) -> str:
        """The days reported, in the reader's words."""
        return days_words(self.view, self.reported)

    @property
    def twelve(self) -> str:
        """The twelve months, in the reader's words."""
        return self.view.t("12 months to {day}", day=self.view.formats.day(self.view.period.end))

    def may_open(self, page: str) -> bool:
        """Say whether the recipient may open a page."""
        return self.actor.may(OPEN, resource_of(page))


@dataclass(frozen=True)
class Made:
    """A section, and what it shows: for the notes on the data and the definitions."""

    section: Section
    exhibits: tuple[Exhibit, ...] = ()
    metrics: tuple[str, ...] = ()


def days_words(view: View, reported: Reported) -> str:
    """Write the days reported: a month or quarter by its name, a week by its days."""
    formats = view.formats
    if reported.kind == "week":
        return days_of(view, reported.period)
    if reported.kind == "month":
        return formats.month_in_full(reported.period.start)
    return formats.period_label(reported.label)


def days_of(view: View, period: Period) -> str:
    """Write a period by its first and last day."""
    return f"{view.formats.day(period.start)} – {view.formats.day(period.end)}"


def key_figures(material: Material) -> Made:
    """The figures of the overview: of the period, beside the one before and a year before, and their target."""
    view, year, t = material.view, material.year, material.view.t
    before, year_before = view.period.previous(), view.period.year_before()
    metrics = tuple(metric for metric in overview.TILES if view.gateway.has(metric))
    rows = []
    for metric in metrics:
        told, told_year = compared(view, metric, before), compared(view, metric, year_before)
        # Targets are set by the month: of a week they say nothing.
        share = None if material.reported.kind == "week" else attained(view, metric)
        rows.append(
            [
                Cell(view.label(metric)),
                Cell(view.write(told.value, metric)),
                change(told),
                change(told_year),
                Cell(NO_DATA if share is None else view.formats.value(share, "percent")),
                Cell(view.write(year.value(metric), metric)),
                Cell("", plot=course_line(_by_month(year, metric), *_COURSE, COLOURS["light"].main)),
            ]
        )
    head = (
        t("Key figure"),
        material.days,
        t("vs prior period"),
        t("vs last year"),
        t("of target"),
        t("12 months"),
        t("By month"),
    )
    note = t(
        "Prior period: {before}. Last year: {year}. 12 months: those to {day}; the line shows them. Green: better, "
        "orange: worse.",
        before=days_of(view, before),
        year=days_of(view, year_before),
        day=view.formats.day(view.period.end),
    )
    block = Table("", head, rows, frozenset({1, 2, 3, 4, 5}), (1.5, 0.85, 1.05, 1.05, 0.7, 0.95, 0.9), note)
    return Made(Section(t("Key figures"), "", (block,)), metrics=metrics)


def _by_month(view: View, metric: str) -> list[float]:
    values = view.ask(metric, by=("month",))
    if metric not in values:
        return []
    definition = view.gateway.metrics.describe(metric)
    course = values.set_index("month")[metric].reindex(view.months()).astype(float)
    # The gateway leaves out months in which nothing happened.
    return (course.fillna(0.0) if definition.is_additive else course).tolist()


def what_changed(material: Material) -> Made:
    """What rose and fell against the period before, and which groups that comes from."""
    view, t = material.view, material.view.t
    before = view.period.previous()
    metrics = tuple(metric for metric in headlines.METRICS if view.gateway.is_recorded(metric))
    rows = [
        [
            Cell(view.label(metric)),
            Cell(view.write(view.value(metric, period=before), metric)),
            Cell(view.write(view.value(metric), metric)),
            change(compared(view, metric, before)),
            Cell(headlines.largest_part(view, metric) or NO_DATA),
        ]
        for metric in metrics
    ]
    head = (t("Figure"), t("Then"), t("Now"), t("Difference"), t("Where it comes from"))
    block = Table("", head, rows, frozenset({1, 2, 3}), (1.35, 0.7, 0.7, 0.95, 2.5))
    exhibits = tuple(_decomposed(view, metrics))
    blocks: list[Block] = [block, *rows_of_charts(exhibits)]
    lead = t("{days} against {before}.", days=material.days, before=days_of(view, before))
    return Made(Section(t("What changed, and why"), lead, blocks, is_in_mail=True), exhibits, metrics)


def _decomposed(view: View, metrics: Sequence[str]) -> Iterator[Exhibit]:
    """Yield the two changes whose causes are told best, taken apart."""
    before, drawn = headlines.earlier(view), 0
    for metric in metrics:
        found = largest(view, metric, headlines.DIMENSIONS, before)
        if found is None or drawn == 2:
            continue
        drawn += 1
        title = view.heading(view.t("Why {metric} changed", metric=view.within(view.label(metric))), found[0].dimension)
        yield Exhibit(view, title, headlines.contributors, (metric, found[0].dimension), (metric,))


def decisions(material: Material) -> Made:
    """What stands out in the twelve months; what names people only for who may see them on their page."""
    year, t = material.year, material.view.t
    found = [f for f in findings(year) if not f.is_personal or material.may_open(f.page)]
    sentences = [finding.text for finding in found[:_MOST_FINDINGS]]
    if len(found) > _MOST_FINDINGS:
        sentences.append(t("And {number} more.", number=len(found) - _MOST_FINDINGS))
    block = Sentences("", sentences or [t("Nothing stands out in this period.")])
    lead = t(
        "{words} Days looked at: {days}.", words=t("Beyond what chance explains, or plainly due."), days=material.twelve
    )
    return Made(Section(t("What needs a decision"), lead, (block,), is_in_mail=True))


def trends(material: Material) -> Made:
    """The course of sales, leads, conversion and complaints within the limits of its ordinary variation."""
    year, t = material.year, material.view.t
    exhibits = (
        Exhibit(year, t("Contract amount by month"), overview.monthly_amount, (), ("contract_amount",)),
        Exhibit(year, t("{metric} by month", metric=year.label("leads")), _leads, (), ("leads",)),
        Exhibit(
            year,
            t("{metric} by month of entry", metric=year.label("conversion_rate_90d")),
            conversion.by_month,
            ("conversion_rate_90d",),
            ("conversion_rate_90d",),
        ),
        Exhibit(year, t("Complaint rate by month"), overview.complaints, (), ("complaint_rate",)),
    )
    happened = marks(year, year.months())
    if happened is None:
        return _made(material, t("Trends"), t("Rings mark what lies beyond ordinary variation."), exhibits)
    # On paper nothing can be pointed at: what the numbers beneath the charts mean is told once.
    made = _made(
        material, t("Trends"), t("Rings mark what lies beyond ordinary variation."), exhibits, without=happened.words
    )
    events = [f"({number}) {words}" for number, words in enumerate(filter(None, happened.by_month), start=1)]
    block = Sentences(t("Events"), [" ".join(events)])
    return replace(made, section=replace(made.section, blocks=(*made.section.blocks, block)))


@remembered()
def _leads(view: View) -> Drawing:
    """Leads by month."""
    return lines_by_month(view, view.ask("leads", by=("month",)), ("leads",))


@remembered()
def _compared(view: View, metric: str, dimension: str) -> Drawing:
    """A rate by the values of a dimension, those of most cases: paper has no room for all."""
    return rated(view, metric, dimension, most=_MOST_COMPARED)


def sold(material: Material) -> Made:
    """What was sold, where, and what of it has been paid."""
    year, t = material.year, material.view.t
    exhibits = (
        Exhibit(
            year, t("Contract amount by project"), sales.by_cut, ("contract_amount", "project"), ("contract_amount",)
        ),
        Exhibit(
            year,
            t("{metric}: target and actual by project", metric=year.label("contract_amount")),
            sales.target_by_project,
            ("contract_amount_attainment",),
            ("contract_amount_attainment",),
            t("Mark: the target of the period. Beside the bar: what was reached, and the share attained."),
        ),
        Exhibit(
            year,
            t("Sell-through by project"),
            sales.share_by_project,
            ("sell_through_rate",),
            ("sell_through_rate",),
            t("Units under a live deal, of those that may be sold; as of the data's date."),
        ),
        Exhibit(
            year,
            t("Collection rate by project"),
            sales.share_by_project,
            ("collection_rate",),
            ("collection_rate",),
            t("Received, of what was due by then, of live contracts; the rest is in arrears."),
        ),
    )
    return _made(material, t("Sales"), "", exhibits, sales.TILES)


def converted(material: Material) -> Made:
    """How many leads become customers, how sure that is, and what is still to come."""
    year, t = material.year, material.view.t
    rate = "conversion_rate_90d"
    exhibits = (
        Exhibit(
            year,
            t("Sales funnel"),
            overview.funnel,
            (),
            ("leads",),
            t("Leads that came in during the period, and how far they have got."),
        ),
        Exhibit(
            year,
            t("{metric} compared", metric=year.label(rate)),
            _compared,
            (rate, "source"),
            (rate,),
            t("Points with 95% Wilson intervals."),
        ),
    )
    note = t(
        "Rates to date will still change: many leads of the last six months are undecided. A rate within 90 days "
        "counts only leads whose 90 days are over, so it can be compared."
    )
    return _made(material, t("Conversion"), note, exhibits, conversion.TILES)


def complained(material: Material) -> Made:
    """How often customers complain, about what, and how fast they are answered."""
    year, t = material.year, material.view.t
    exhibits = (
        Exhibit(
            year,
            year.heading(year.label("complaint_rate"), "project"),
            _compared,
            ("complaint_rate", "project"),
            ("complaint_rate",),
            t("Per 100 customer-months, with exact 95% Poisson intervals."),
        ),
        Exhibit(
            year,
            t("What complaints are about"),
            complaints.categories,
            ("valid_complaints", complaints.usual_category(year, "valid_complaints")),
            ("valid_complaints",),
            t("A category holds all below it. Σ is the running share."),
        ),
    )
    return _made(material, t("Complaints"), "", exhibits, complaints.TILES)


def returned(material: Material) -> Made:
    """What marketing cost and brought, as a range over the attribution models."""
    t = material.view.t
    narrowed = ((MODEL, (campaign_return.usual_model(material.view),)),)
    material = replace(material, view=material.view.narrowed(narrowed))
    year = material.year
    exhibits = (
        Exhibit(
            year,
            t("Attributed contract amount"),
            campaign_return.credited,
            ("attributed_amount", "source"),
            ("attributed_amount",),
            t("Bars: one model. Thick lines: the range over all. Thin lines: with what chance adds."),
        ),
        Exhibit(
            year,
            t("Does it pay, under every model?"),
            campaign_return.returned,
            ("source",),
            ("marketing_expense", "roi"),
            t("Return on investment: the margin of what is credited, less what it cost, by what it cost."),
        ),
    )
    return _made(material, t("Campaign return"), "", exhibits, campaign_return.TILES)


def forecast(material: Material) -> Made:
    """What the models expect, each with its verdict on itself; models without a result say why."""
    view, t = material.view, material.view.t
    exhibits: list[Exhibit] = []
    sentences: list[str] = []
    known = {run.name: run for run in model_runs(view.gateway)}
    for run in (known[name] for name in _FORECASTS if name in known):
        title = t(run.card.title) if run.card else run.name
        sentences.append(t(": ").join((title, models.verdict(view, run) or t("no remark"))))
        outputs = [run.output(name) for name in _FORECASTS[run.name]] if run.status == OK else []
        exhibits += [
            Exhibit(view, t(": ").join((title, t(output.title))), models.result, (run.name, output.name))
            for output in outputs
            if output is not None and rows_of(view.gateway, run.name, output.name) is not None
        ]
    blocks: list[Block] = [*rows_of_charts(exhibits)]
    if sentences:
        blocks.append(Sentences(t("What the models say of themselves"), sentences))
    lead = t("Bands hold what is to come in 95 of 100 cases, if the future is like the past.") if exhibits else ""
    return Made(Section(t("Forecasts"), lead, blocks), tuple(exhibits))


def restated(material: Material) -> Made:
    """Months told of before whose numbers are others now."""
    view, t = material.view, material.view.t
    versions = earlier_versions(view.gateway)
    before = [version for version, s in versions.items() if s.published_at.date() <= view.period.end]
    chosen = material.since if material.since in versions else next(iter(before), "")
    if not chosen:
        return Made(Section("", "", ()))
    try:
        gateway = open_earlier(view.gateway, chosen)
    except LoupanError:
        # One of the past that is damaged takes nothing away from what is in force.
        return Made(Section("", "", ()))
    drawing = changes.restated_months(view, gateway)
    words = t("Months that were over when the earlier snapshot was made, and whose numbers differ now.")
    lead = f"{changes.span(view, gateway)} {words}"
    block: Block = (
        Sentences("", [t("Nothing differs.")]) if drawing.is_empty else table("", drawing, _MOST_MONTHS, view)
    )
    return Made(Section(t("Months that became others"), lead, (block,)))


@dataclass(frozen=True)
class Part:
    """A section: its title, and the page whose right and rows it needs."""

    title: str
    page: str
    make: Callable[[Material], Made]


PARTS = (
    Part(marked("What changed, and why"), "overview", what_changed),
    Part(marked("What needs a decision"), "overview", decisions),
    Part(marked("Trends"), "overview", trends),
    Part(marked("Sales"), "sales", sold),
    Part(marked("Conversion"), "conversion", converted),
    Part(marked("Complaints"), "complaints", complained),
    Part(marked("Campaign return"), "campaign-return", returned),
    Part(marked("Forecasts"), "models", forecast),
    Part(marked("Months that became others"), "changes", restated),
)


def _made(
    material: Material,
    title: str,
    lead: str,
    exhibits: Sequence[Exhibit],
    tiles: Sequence[str] = (),
    without: str = "",
) -> Made:
    metrics = tuple(metric for metric in tiles if material.view.gateway.is_recorded(metric))
    words = material.view.t("Charts and intervals: {days}.", days=material.twelve)
    blocks: list[Block] = [_tiles(material, metrics)] if metrics else []
    charts = [*rows_of_charts(exhibits, without)]
    told = " ".join(filter(None, (lead, words if charts else "")))
    return Made(Section(title, told, [*blocks, *charts]), tuple(exhibits), metrics)


def _tiles(material: Material, metrics: Sequence[str]) -> Table:
    """Return a page's key figures of the period and of twelve months, with how sure those are."""
    view, year, t = material.view, material.year, material.view.t
    rows = []
    for metric in metrics:
        sure = dict(certainty(year, view.gateway.metrics.describe(metric), year.ask(metric)))
        told = compared(view, metric, view.period.previous())
        rows.append(
            [
                Cell(view.label(metric)),
                Cell(view.write(told.value, metric)),
                change(told),
                Cell(year.write(year.value(metric), metric)),
                Cell(sure.get(t("95% interval"), NO_DATA)),
                Cell(sure.get("n", NO_DATA) if year.is_estimate(metric) else NO_DATA),
            ]
        )
    head = (t("Figure"), material.days, t("vs prior period"), t("12 months"), t("95% interval"), "n")
    return Table("", head, rows, frozenset({1, 2, 3, 4, 5}), (1.9, 0.95, 1.2, 1.1, 1.15, 0.7))
