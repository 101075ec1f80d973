"""Whom to call: a salesperson's own open leads in order of what to do today, with the chance to sign and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboards import filters, seat
from dashboards.model_results import model_run, rows_of
from dashboards.names import names_of
from dashboards.pages import models
from dashboards.view import View
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import links
from data_entry.pages.customers import title_of
from data_entry.services.call_list import open_ways
from loupan import ui
from loupan.errors import LoupanError
from loupan.formats import is_missing
from loupan.i18n import Translator, marked
from loupan.i18n.codes import value_label
from loupan.mining.published import OK

MODEL, OUTPUT = "lead_score", "leads"
# Shown at once; and how many of the first are looked up in the CRM, of which some were done since.
_SIZES, _LOOKED_UP = ("20", "50", "100"), 200
_QUIET_DAYS, _LITTLE = 7, 0.01
_UNITS = 100
# In their order in the list, each with its tone.
_TO_DO = (
    (marked("Call today"), "good"),
    (marked("Spoken to lately, can wait"), ""),
    (marked("If there is time"), "quiet"),
)


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t, run = view.t, model_run(view.gateway, MODEL)
    if run is None:
        ui.message(t("No model has run for what is published: all are off, or it was made by an earlier version."))
        return
    if run.status == OK and run.values.get("is_better"):
        lift = run.values["lift"]
        said = t(
            "Tested on the last months: the tenth with the best chances signed {lift} times as often as the average.",
            lift=lift,
        )
        st.info(ui.sentence(said), icon=":material/verified:")
    else:
        models.say_state(view, run)
    if run.status != OK:
        ui.message(t("Until there is one, the page Customers shows who has gone quiet."))
        return
    ui.message(
        t(
            "A chance of 12% means: of 100 such leads about 12 sign their first contract within 60 days. Whom to call "
            "today stands first, the best chances on top; then who was spoken to in the last week, and who hardly has "
            "a chance. It is as of {moment}; who was spoken to since stands at the end.",
            moment=view.formats.moment(view.gateway.as_of, view.gateway.time_zone),
        )
    )
    rows = rows_of(view.gateway, MODEL, OUTPUT)
    if rows is None or rows.empty:
        st.success(t("No open lead is yours."), icon=":material/check_circle:")
        return
    _lists(view, rows)


def _lists(view: View, rows: pd.DataFrame) -> None:
    t = view.t
    with st.container(horizontal=True, key="lp_lead_list_filters"):
        estates = sorted(rows["project"].dropna().unique())
        if len(estates) > 1:
            estate = filters.selection("estate", ["", *estates], "", t("Estate"), lambda name: name or t("All"))
            rows = rows[rows["project"] == estate] if estate else rows
        people = sorted(rows["employee"].dropna().unique())
        if len(people) > 1:
            name_of = names_of(view, "employee")
            who = filters.selection(
                "who", ["", *people], "", t("Looked after by"), lambda n: name_of(n) if n else t("All")
            )
            rows = rows[rows["employee"] == who] if who else rows
        size = int(filters.selection("show", list(_SIZES), _SIZES[0], t("Show"), str))
    try:
        entries = _entries(view, by_what_to_do(rows).head(_LOOKED_UP))
    except LoupanError as error:
        st.error(t("This could not be shown: {error}", error=ui.sentence(str(error))), icon=":material/error:")
        return
    if not entries:
        st.success(t("No open lead is yours."), icon=":material/check_circle:")
        return
    shown = entries[:size]
    has_estates, has_people = (len({e.lead[c] for e in shown}) > 1 for c in ("project", "employee"))
    heads = [t("Customer"), t("To do today"), t("Chance to sign"), t("Why"), t("Last contact")]
    heads += [t("Estate")] * has_estates + [t("Looked after by")] * has_people
    name_of = names_of(view, "employee")
    cells = {
        int(entry.lead["lead_id"]): [
            Cell(entry.name),
            Cell(*_to_do(t, entry)),
            Cell(chance_words(view, entry.lead["chance"])),
            Cell(why(t, entry.lead)),
            Cell(_day(view, entry)),
            *[Cell(str(entry.lead["project"]))] * has_estates,
            *[Cell(name_of(entry.lead["employee"]))] * has_people,
        ]
        for entry in shown
    }
    opened = table(
        view, [Column("", head) for head in heads], cells, title=t("Whom to call"), key="lp_lead_list",
        can_open=links.leads_to("customer"),
    ).open  # fmt: skip
    if len(rows) > len(shown):
        ui.message(t("The first {shown} of {total}.", shown=f"{len(shown):,}", total=f"{len(rows):,}"))
    if opened is not None:
        links.go_to_record("customer", next(e.customer_id for e in shown if int(e.lead["lead_id"]) == opened))


@dataclass(frozen=True)
class Entry:
    """A lead of the list.

    Attributes:
        lead: its row of the model's results.
        customer_id, name: whose it is.
        spoken_at: when anything was heard after the data's date; None where nothing was.
    """

    lead: Mapping[Any, Any]
    customer_id: int
    name: str
    spoken_at: datetime | None


def _entries(view: View, rows: pd.DataFrame) -> list[Entry]:
    """Return the leads that are still open and the reader's, those spoken to since the data's date last.

    Raises:
        LoupanError: if the CRM cannot be read.
    """
    desk = seat.take(view.language, view.language)
    with desk.reading() as work:
        ways = open_ways(work, rows["customer_id"].tolist())
        found = []
        for lead in rows.to_dict("records"):
            way = ways.get((lead["customer_id"], lead["project_id"]))
            if way is None:
                continue
            row, journey = way
            # The CRM keeps moments in UTC without saying so.
            heard = None if journey.last_contact_at is None else journey.last_contact_at.replace(tzinfo=UTC)
            spoken_at = heard if heard is not None and heard > view.gateway.as_of else None
            found.append(Entry(lead, row.customer.id, title_of(desk, row), spoken_at))
    return sorted(found, key=lambda entry: entry.spoken_at is not None)


def by_what_to_do(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the leads with their place in `_TO_DO` as ``to_do``, by it; within it in the model's order."""
    to_do = np.where(rows["chance"] < _LITTLE, 2, np.where(rows["days_quiet"] < _QUIET_DAYS, 1, 0))
    return rows.assign(to_do=to_do).sort_values("to_do", kind="stable")


def _to_do(t: Translator, entry: Entry) -> tuple[str, str]:
    """Return what to do with a lead, and the tone to say it in."""
    if entry.spoken_at is not None:
        return t("Spoken to since"), "quiet"
    words, tone = _TO_DO[entry.lead["to_do"]]
    return t(words), tone


def _day(view: View, entry: Entry) -> str:
    at = entry.spoken_at or pd.Timestamp(entry.lead["last_contact_at"]).tz_localize(UTC).to_pydatetime()
    return view.formats.moment(at, view.gateway.time_zone)


def chance_words(view: View, chance: float) -> str:
    """Return a chance as people say it."""
    if chance < _LITTLE:
        return view.t("under 1%")
    return f"{round(_UNITS * chance)}%"


def why(t: Translator, lead: Mapping[Any, Any]) -> str:
    """Return what moves a lead's chance most, for and against, in words."""
    told: dict[bool, list[str]] = {True: [], False: []}
    for place in (1, 2, 3):
        reason, times = lead[f"reason_{place}"], lead[f"times_{place}"]
        if reason in WORDS and not is_missing(times):
            told[times > 1].append(WORDS[reason](t, lead))
    good, bad = (t("; ").join(told[is_good]) for is_good in (True, False))
    if good and bad:
        return t("For it: {good}. Against it: {bad}.", good=good, bad=bad)
    if good:
        return t("For it: {reasons}.", reasons=good)
    return t("Against it: {reasons}.", reasons=bad) if bad else t("Nothing that sets it apart from others.")


def _ago(t: Translator, lead: Mapping[Any, Any], column: str) -> str:
    days = round(lead[column])
    if days < 1:
        return t("less than a day ago")
    return t("1 day ago") if days == 1 else t("{number} days ago", number=f"{days:,}")


def _named(t: Translator, lead: Mapping[Any, Any], column: str, known: str, unknown: str) -> str:
    value = lead[column]
    return t(unknown) if is_missing(value) else t(known, value=value_label(t, column, value))


def _visits(t: Translator, lead: Mapping[Any, Any]) -> str:
    if is_missing(lead["visits"]) or not lead["visits"]:
        return t("no visit yet")
    number, ago = f"{int(lead['visits']):,}", _ago(t, lead, "days_since_visit")
    return t("visits: {number}, the last {ago}", number=number, ago=ago)


def _calls(t: Translator, lead: Mapping[Any, Any]) -> str:
    reached, vain = (0 if is_missing(lead[c]) else int(lead[c]) for c in ("calls", "calls_in_vain"))
    if not reached + vain:
        return t("no call yet")
    return t("calls: {reached} reached, {vain} in vain", reached=reached, vain=vain)


def _booking(t: Translator, lead: Mapping[Any, Any]) -> str:
    if is_missing(lead["booking"]):
        return t("no booking yet")
    ago = _ago(t, lead, "days_since_booking")
    return t("small booking {ago}", ago=ago) if lead["booking"] == "small_booking" else t("booking {ago}", ago=ago)


def _markets(t: Translator, lead: Mapping[Any, Any]) -> str:
    met = str(lead["markets_met"] or "").split()
    if not met:
        return t("no contact known before the lead")
    return t("met us before: {markets}", markets=t(", ").join(value_label(t, "market_type", each) for each in met))


def _asked(t: Translator, lead: Mapping[Any, Any]) -> str:
    number = 0 if is_missing(lead["asked_again"]) else int(lead["asked_again"])
    return t("asked again: {number} times", number=number) if number else t("has not asked again")


def _flag(column: str, yes: str, no: str) -> Callable[[Translator, Mapping[Any, Any]], str]:
    return lambda t, lead: t(yes) if lead[column] is True or lead[column] == 1 else t(no)


# What each reason of the model is called about a very lead; a test holds them to the model's list.
WORDS: Mapping[str, Callable[[Translator, Mapping[Any, Any]], str]] = {
    "Where the customer came from": lambda t, lead: _named(
        t, lead, "source", marked("came through {value}"), marked("source not noted")
    ),
    "The project": lambda t, lead: _named(t, lead, "project", marked("estate {value}"), marked("estate not noted")),
    "The intention noted": lambda t, lead: _named(
        t, lead, "intent_level", marked("intention {value}"), marked("no intention noted")
    ),
    "The customer's class": lambda t, lead: _named(
        t, lead, "customer_class", marked("class {value}"), marked("no class noted")
    ),
    "How long ago the lead came in": lambda t, lead: t("came in {ago}", ago=_ago(t, lead, "days_open")),
    "The last contact": lambda t, lead: t("last contact {ago}", ago=_ago(t, lead, "days_quiet")),
    "Visits so far": _visits,
    "Calls so far": _calls,
    "A booking": _booking,
    "Judged worth pursuing": _flag(
        "is_qualified", marked("judged worth pursuing"), marked("not judged worth pursuing yet")
    ),
    "Contacts before the lead": _markets,
    "Lost before": _flag("was_lost", marked("was lost before"), marked("never lost before")),
    "Asked once more": _asked,
}
