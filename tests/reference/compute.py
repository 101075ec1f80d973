"""Every metric of the dictionary, computed from the raw CRM tables without the product's own SQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from tests.reference.crm import Crm
from tests.reference.deals import Deals
from tests.reference.demands import Demands
from tests.reference.entry import Entry
from tests.reference.facts import Group, Metric, Question, Ratio
from tests.reference.features import Answers, by_feature
from tests.reference.fees import Fees
from tests.reference.identity import journeys, survivors
from tests.reference.leads import Leads
from tests.reference.marketing import Marketing
from tests.reference.planning import Planning
from tests.reference.promises import Promises


class Reference:
    """Answers questions about one state of the CRM.

    ``tables`` maps table names to data frames with the columns of the schema: moments in UTC without offset, money as
    exact decimals. ``as_of`` is in UTC, with or without offset; days are days of ``time_zone``.
    """

    def __init__(self, tables: dict[str, pd.DataFrame], as_of: dt.datetime, time_zone: str = "Asia/Shanghai") -> None:
        if as_of.tzinfo is not None:
            as_of = as_of.astimezone(dt.UTC).replace(tzinfo=None)
        crm = Crm(tables, as_of, time_zone)
        survivor_of = survivors(crm)
        journey_of = journeys(crm, survivor_of)
        deals = Deals(crm, survivor_of, journey_of)
        leads = Leads(crm, journey_of, deals)
        lead_metrics = leads.metrics()
        cohort = lead_metrics["leads"]
        assert isinstance(cohort, Metric)
        demands = Demands(crm, survivor_of, leads)
        self._metrics: dict[str, Metric | Ratio] = {
            **lead_metrics,
            **deals.metrics(),
            **demands.metrics(),
            **Promises(crm, survivor_of, demands).metrics(),
            **Marketing(crm, survivor_of, deals, leads, cohort).metrics(),
            **Fees(crm, survivor_of).metrics(),
            **Entry(crm).metrics(),
        }
        self._metrics |= by_feature(Answers(crm, survivor_of), self._metrics)
        self._metrics |= Planning(crm).metrics(self._metrics)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all metrics."""
        return tuple(self._metrics)

    def dimensions(self, metric: str) -> tuple[str, ...]:
        """Return the dimensions a metric can be cut by, time first."""
        found = self._metrics[metric]
        return (*found.times, *found.dimensions)

    def query(
        self,
        metric: str,
        by: Sequence[str] = (),
        where: Mapping[str, Sequence[Any]] | None = None,
        start: dt.date | None = None,
        end: dt.date | None = None,
    ) -> dict[Group, Any]:
        """Return the number of every group with facts: plain, or a ``RatioValue`` for a ratio.

        Groups are tuples of dimension values in the order of ``by``; None stands for what is not known. ``start`` and
        ``end`` are inclusive.
        """
        return self._metrics[metric].ask(Question(tuple(by), where, start, end))

    def divisor(self, ratio: str, by: Sequence[str]) -> dict[Group, Any]:
        """Return what a ratio divides by, of every group with facts; by dimensions that no list names as well."""
        found = self._metrics[ratio]
        assert isinstance(found, Ratio)
        return found.denominator.ask(Question(tuple(by)))
