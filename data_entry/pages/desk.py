"""What a page of the CRM is handed: who sits there, in which language, and the way to the services."""

from __future__ import annotations

import datetime as dt
from contextlib import AbstractContextManager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from data_entry.access import Actor
from data_entry.services.work import Identify, Work, reading, writing
from loupan.formats import Formats
from loupan.i18n import Translator, translator


@dataclass(frozen=True)
class Desk:
    """A signed-in person's place at the CRM.

    Attributes:
        engine: the CRM.
        identify: finds the account of the signed-in browser; asked again at every read and write, since dialogs and
            fragments run without the page around them. An actor where nobody sits there.
        actor: the rights as they were when the page was drawn; good for what to show, never for what to allow.
        language: a key of `loupan.i18n.LANGUAGES`.
        currency: ISO code of the company's currency.
        zone: the company's time zone.
        landing_page: path of the page the person begins with.
    """

    engine: sa.Engine
    identify: Identify | Actor
    actor: Actor
    language: str
    currency: str
    zone: ZoneInfo
    landing_page: str = "home"

    @property
    def t(self) -> Translator:
        """The translator of the person's language."""
        return translator(self.language)

    @property
    def formats(self) -> Formats:
        """Writes numbers and dates for the person."""
        return Formats(self.language, self.currency)

    @property
    def today(self) -> dt.date:
        """The company day."""
        return dt.datetime.now(self.zone).date()

    def reading(self) -> AbstractContextManager[Work]:
        """Open a work that only reads; see `data_entry.services.work.reading`."""
        return reading(self.engine, self.identify)

    def writing(self) -> AbstractContextManager[Work]:
        """Open a work that writes; see `data_entry.services.work.writing`."""
        return writing(self.engine, self.identify)
