"""One recipient's report: their pages within their rows, what the data are of, and what must be known of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from dashboards import reader
from dashboards.confidence import HIGH
from dashboards.export import about
from dashboards.gateway import open_gateway
from dashboards.report.document import Pairs, Report, Section, Sentences, Table
from dashboards.report.period import Kind, Reported, reported
from dashboards.report.sections import PARTS, Made, Material, Part, days_of, days_words, key_figures
from dashboards.view import PREVIOUS, View
from data_entry.access import SYSTEM, Actor, load_actor
from data_entry.services import accounts
from data_entry.services.errors import Forbidden
from data_entry.services.work import Work, reading
from loupan.errors import LoupanError
from loupan.i18n import marked, translator
from loupan.refresh_state import last_refresh
from loupan.settings import Settings

_LOG = logging.getLogger(__name__)
_TITLES: dict[Kind, str] = {
    "month": marked("Monthly report {period}"),
    "quarter": marked("Quarterly report {period}"),
    "week": marked("Weekly report {period}"),
}


class ReportError(LoupanError):
    """A report cannot be made or sent; the message names whose, and why."""


@dataclass(frozen=True)
class Order:
    """What is to be made for whom.

    Attributes:
        login: of the account whose rights and rows count.
        language: a key of `loupan.i18n.LANGUAGES`.
        kind: of the period.
        company: what stands above the title; may be empty.
        since: version of the snapshot that the last report was made from; empty for none.
    """

    login: str
    language: str
    kind: Kind
    company: str = ""
    since: str = ""


def account_of(engine: sa.Engine, login: str) -> Actor:
    """Return the account that a report is for, with its rights of this moment.

    Raises:
        NotFound: if there is no such account.
        Forbidden: if it may not sign in.
    """
    with reading(engine, SYSTEM) as work:
        return load_actor(work.session, accounts.by_login(work, login).id, work.today)


def compose(engine: sa.Engine, settings: Settings, order: Order, now: datetime) -> Report:
    """Make a report's content.

    Args:
        engine: the CRM, which knows the account's rights.
        settings: of the installation.
        order: what is to be made.
        now: the present moment.

    Raises:
        ReportError: if the account may open no page that a report is made of.
        NoSnapshot: if nothing is published.
        SnapshotError: if what is published is damaged.
        NotFound, Forbidden: if there is no such account, or it may not sign in.
    """
    actor = account_of(engine, order.login)
    views = _views(engine, actor, order)
    if not views:
        raise ReportError(
            f"The account {order.login} may open none of the pages that a report is made of. "
            "Give it a role that may, or take it out of the recipients."
        )
    first, told = next(iter(views.values()))
    gateway, t = first.gateway, first.t
    about_days = reported(order.kind, gateway.as_of, gateway.time_zone, now)
    views = {page: (replace(view, period=about_days.period), words) for page, (view, words) in views.items()}
    first = next(iter(views.values()))[0]

    made: list[Made] = []
    figures: Made | None = None
    if "overview" in views:
        figures = key_figures(Material(views["overview"][0], about_days, actor, order.since))
    for part in PARTS:
        if part.page in views:
            view, words = views[part.page]
            one = _guarded(part, Material(view, about_days, actor, order.since))
            if one.section.blocks:
                made.append(_bounded(one, words if words != told else ""))
    shown = [figures, *made] if figures else made
    sections = [one.section for one in made]
    sections += [_confidence(first, shown), _definitions(first, shown)]
    days = days_words(first, about_days)
    return Report(
        language=order.language,
        title=t(_TITLES[order.kind], period=days),
        company=order.company,
        facts=_facts(first, actor, told, days, now),
        notices=_notices(first, settings, about_days, now),
        figures=_table(figures),
        sections=sections,
        page=t("Page {page} of {pages}", page="{page}", pages="{pages}"),
        code=about_days.code,
        version=gateway.version,
    )


def _views(engine: sa.Engine, actor: Actor, order: Order) -> dict[str, tuple[View, str]]:
    """Return the view of each page that the account may open, and what bounds it, in words."""
    found: dict[str, tuple[View, str]] = {}

    def opened() -> AbstractContextManager[Work]:
        return reading(engine, SYSTEM)

    for page in dict.fromkeys(part.page for part in PARTS):
        try:
            known = reader.of_actor(opened, translator(order.language), actor, page)
        except Forbidden:
            continue
        gateway = open_gateway(known.scope)
        # Replaced once the moment of the data has told which days are meant.
        whole = reported(order.kind, gateway.as_of, gateway.time_zone, gateway.as_of).period
        found[page] = View(gateway, order.language, "light", whole, (), PREVIOUS), known.told
    return found


def _guarded(part: Part, material: Material) -> Made:
    """Make a section; a mistake of ours in one must not take the others from the board, and must not be hidden."""
    try:
        return part.make(material)
    except Exception:
        _LOG.exception("A section of the report could not be made: %s", part.make.__name__)
        t = material.view.t
        sentence = t("This could not be shown; the reason is in the server's log.")
        return Made(Section(t(part.title), "", (Sentences("", [sentence]),)))


def _bounded(made: Made, words: str) -> Made:
    """Say in a section's lead what bounds it where that is not what bounds the first page."""
    if not words:
        return made
    return replace(made, section=replace(made.section, lead=f"{words} {made.section.lead}".strip()))


def _table(figures: Made | None) -> Table | None:
    if figures is None:
        return None
    block = figures.section.blocks[0]
    return block if isinstance(block, Table) and block.rows else None


def _facts(view: View, actor: Actor, told: str, days: str, now: datetime) -> list[tuple[str, str]]:
    t, zone = view.t, view.gateway.time_zone
    span = days_of(view, view.period)
    return [
        (t("Recipient"), f"{actor.name} ({actor.login})" if actor.name != actor.login else actor.login),
        (t("Rows that count"), told or t("The whole company.")),
        (t("Period"), days if days == span else f"{days} ({span})"),
        about.moment(view),
        about.origin(view),
        (t("Made on"), view.formats.moment(now, zone)),
    ]


def _notices(view: View, settings: Settings, about_days: Reported, now: datetime) -> list[str]:
    """Return what a reader must know first: that data are old or end early, that a refresh was not published."""
    t, formats, zone = view.t, view.formats, view.gateway.time_zone
    notices = []
    as_of = formats.moment(view.gateway.as_of, zone)
    if now - view.gateway.as_of > timedelta(hours=settings.fresh_hours):
        age = formats.value((now - view.gateway.as_of) / timedelta(days=1), "days")
        notices.append(
            t(
                "The data are older than promised: as of {moment}, {age} before this report was made.",
                moment=as_of,
                age=age,
            )
        )
    if not about_days.is_whole:
        notices.append(
            t("The data end before the period does, on {moment}: its figures are not complete.", moment=as_of)
        )
    if about_days.is_late:
        notices.append(t("A later period is over, but the data do not reach it."))
    refresh = last_refresh(settings)
    if refresh is not None:
        moment = formats.moment(datetime.fromisoformat(refresh.started_at), zone)
        if refresh.outcome == "refused":
            notices.append(
                t(
                    "The last refresh, started {moment}, was refused: {number} checks failed. These are the figures of "
                    "an earlier one.",
                    moment=moment,
                    number=len(refresh.failed_checks),
                )
            )
        elif refresh.outcome in ("error", "cancelled"):
            notices.append(
                t(
                    "The last refresh, started {moment}, did not finish. These are the figures of an earlier one.",
                    moment=moment,
                )
            )
    return notices


def _confidence(view: View, made: Sequence[Made]) -> Section:
    """Say how well what the report rests on is entered, and what the checks kept out."""
    t = view.t
    sentences: list[str] = []
    if view.gateway.scope.is_everything:
        report = view.gateway.metrics.snapshot.report
        checks = report.get("checks", [])
        sentences.append(
            t(
                "{passed} of {all} checks of the data passed; {loaded} rows were loaded, {kept_out} kept out because "
                "of errors.",
                passed=sum(bool(check["passed"]) for check in checks),
                all=len(checks),
                loaded=f"{sum(report.get('rows', {}).values()):,}",
                kept_out=f"{sum(report.get('quarantined', {}).values()):,}",
            )
        )
    graded: dict[str, list[str]] = {}
    for exhibit in (exhibit for one in made for exhibit in one.exhibits):
        grade = exhibit.confidence
        if grade is not None and grade.grade != HIGH:
            graded.setdefault(f"{grade.mark} {grade.sentence}", []).append(exhibit.title)
    sentences += [f"{words} ({t('; ').join(dict.fromkeys(titles))})" for words, titles in graded.items()]
    if not graded:
        sentences.append(t("What the charts rest on is entered on time and completely."))
    lead = t("Dots beside a chart's title: how far the entry of its data can be trusted.") if graded else ""
    return Section(t("Confidence in the data"), lead, (Sentences("", sentences),))


def _definitions(view: View, made: Sequence[Made]) -> Section:
    metrics = [metric for one in made for metric in one.metrics]
    metrics += [metric for one in made for exhibit in one.exhibits for metric in exhibit.measures]
    t = view.t
    lead = t("What notes call the table of a chart, and the records behind each number, are on the pages of Loupan.")
    return Section(t("Definitions"), lead, (Pairs(about.definitions(view, metrics)),))
