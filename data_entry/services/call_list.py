"""Where leads stand this minute, of those that somebody may read: for a list that was made some hours ago."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.customer import Customer
from data_entry.schema.lead import Lead
from data_entry.services.customers import Row, rows_of
from data_entry.services.leads import OPEN, Journey
from data_entry.services.work import Work

_CHUNK = 500


def open_ways(work: Work, customer_ids: Sequence[int]) -> dict[tuple[int, int], tuple[Row, Journey]]:
    """Return the open ways of customers, as far as the actor may read both the customer and the lead.

    Args:
        work: the open work.
        customer_ids: keys of customers that count (not merged into others).

    Returns:
        By the keys of customer and estate; the row tells whether the name may be shown.
    """
    work.require("read", "customer")
    work.require("read", "lead")
    found: dict[tuple[int, int], tuple[Row, Journey]] = {}
    keys = list(dict.fromkeys(customer_ids))
    for start in range(0, len(keys), _CHUNK):
        some = keys[start : start + _CHUNK]
        customer, lead = Customer.__table__, Lead.__table__
        readable: list[int] = list(
            work.session.scalars(
                sa.select(customer.c.id).where(
                    customer.c.id.in_(some),
                    customer.c.deleted_at.is_(None),
                    customer.c.merged_into_id.is_(None),
                    customer.c.erased_at.is_(None),
                    reach(work.actor, "read", "customer"),
                )
            )
        )
        rows = rows_of(work, readable)
        ways = [(row, way) for row in rows for way in row.ways if way.state == OPEN]
        leads = [way.lead.id for _, way in ways]
        own: set[int] = set(
            work.session.scalars(sa.select(lead.c.id).where(lead.c.id.in_(leads), reach(work.actor, "read", "lead")))
        )
        found |= {(row.customer.id, way.lead.project_id): (row, way) for row, way in ways if way.lead.id in own}
    return found
