"""Deals from small booking to contract, who shares them, and the money that follows."""

import datetime as dt
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from data_entry.schema import columns as col
from data_entry.schema.base import Record


class Deal(Record):
    """The sale of one unit to one customer, from the first booking on."""

    lead_id: Mapped[int | None] = col.ref("lead", "Lead it came from.", required=False)
    customer_id: Mapped[int] = col.ref("customer", "Customer who buys.", label="Buyer")
    project_id: Mapped[int] = col.ref("project", "Project.")
    unit_id: Mapped[int | None] = col.ref("unit", "Unit; empty while not chosen.", required=False)
    swapped_from_id: Mapped[int | None] = col.ref("deal", "Deal given up for this one.", required=False)
    __table_args__ = (sa.CheckConstraint("swapped_from_id <> id", name="not_swapped_from_itself"),)


class Reason(Record):
    """A reason of a loss or a cancellation; reasons form a tree."""

    parent_id: Mapped[int | None] = col.ref("reason", "Reason above this one; empty at the top.", required=False)
    kind: Mapped[str] = col.choice("What it explains.", "loss", "cancel")
    name: Mapped[str] = col.text("Name.", required=True)
    competitor_project_id: Mapped[int | None] = col.ref(
        "competitor_project", "Competing estate the customer went to.", required=False, label="Competing estate"
    )


class DealEvent(Record):
    """Something that happened to a deal (append-only)."""

    deal_id: Mapped[int] = col.ref("deal", "Deal.", index=False)
    kind: Mapped[str] = col.choice("What happened.", "small_booking", "booking", "contract", "cancel", "swap", "amend")
    occurred_at: Mapped[dt.datetime] = col.moment("When.", required=True)
    amount: Mapped[Decimal | None] = col.money(
        "Deposit of a booking; full price of a contract; amount taken back by a cancel (positive); "
        "signed difference of an amend; 0 for a swap.",
        required=False,
    )
    employee_id: Mapped[int | None] = col.ref("employee", "Employee who acted.", required=False, label="Handled by")
    reason_id: Mapped[int | None] = col.ref("reason", "Reason of a cancel.", required=False)
    __table_args__ = (
        sa.Index("ix_deal_event_deal_occurred", "deal_id", "occurred_at"),
        sa.Index("ix_deal_event_occurred_at", "occurred_at"),
    )


class DealShare(Record):
    """An employee's share of a deal; the shares of a deal sum to 1."""

    deal_id: Mapped[int] = col.ref("deal", "Deal.", index=False)
    employee_id: Mapped[int] = col.ref("employee", "Employee.")
    share: Mapped[Decimal] = col.number("Share, above 0 and at most 1.", 7, 6, required=True)
    __table_args__ = (
        sa.UniqueConstraint("deal_id", "employee_id"),
        sa.CheckConstraint("share > 0 AND share <= 1", name="share_is_a_share"),
    )


class PaymentDue(Record):
    """An instalment of the payment plan."""

    deal_id: Mapped[int] = col.ref("deal", "Deal.")
    due_on: Mapped[dt.date] = col.day("Day it is due.", required=True)
    amount: Mapped[Decimal] = col.money("Amount due.")


class Payment(Record):
    """Money received for a deal."""

    deal_id: Mapped[int] = col.ref("deal", "Deal.")
    received_on: Mapped[dt.date] = col.day("Day it was received.", required=True, index=True)
    amount: Mapped[Decimal] = col.money("Amount received; negative for a refund.")
    kind: Mapped[str | None] = col.text(
        "Kind of payment, e.g. deposit, down payment, mortgage, refund.", 40, vocabulary=True
    )
    is_void: Mapped[bool] = col.flag("Whether the entry was voided.", default=False)
