"""Errors that nobody foresaw: the reader is told a number, the log holds it beside the lines of code."""

from __future__ import annotations

import logging

import streamlit as st
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards import telemetry
from loupan.i18n import Translator, marked, translator
from loupan.logs import new_incident

LOG = logging.getLogger(__name__)
_TEXT = marked("This could not be shown. Tell an administrator the number {number}: it stands in the server's log.")


def record(what: str, error: BaseException) -> str:
    """Log an error that nobody foresaw, and return its number."""
    number = new_incident()
    telemetry.INCIDENTS.inc()
    LOG.error(what, exc_info=error, extra={"incident": number})
    return number


def show(t: Translator, what: str, error: BaseException) -> None:
    """Log an error and draw a notice with its number."""
    st.error(t(_TEXT, number=record(what, error)), icon=":material/error:")


def show_uncaught(error: Exception) -> bool:
    """Do the same for what left the script; Streamlit's own notice would have no number."""
    from dashboards import filters

    show(translator(filters.asked_language() or filters.browser_language()), "The script was ended by an error", error)
    return True


class Incidents:
    """Answers a request whose route failed with the number of the incident."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def send_noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_noting)
        except Exception as error:
            number = record("A request could not be answered", error)
            if has_begun:
                raise
            text = f"Something went wrong. Tell an administrator the number {number}: it stands in the server's log."
            await PlainTextResponse(text, 500, {"cache-control": "no-store"})(scope, receive, send)
