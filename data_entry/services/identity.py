"""Who is the same customer, and who looks after them: merged customers, owners, telephone numbers."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.schema.customer import Customer, CustomerOwner
from data_entry.schema.organisation import Employee
from data_entry.services import phones

_MOST_STEPS = 100


def normal_phone(text: str | None) -> str:
    """Return a telephone number in the one way of writing, empty for what is none; see `phones.normalised`."""
    return phones.normalised(text or "") or ""


def survivor_id(session: Session, customer_id: int) -> int:
    """Return the customer that counts for a customer: `merged_into_id` followed to the end."""
    seen = [customer_id]
    while len(seen) < _MOST_STEPS:
        following = session.scalar(sa.select(Customer.merged_into_id).where(Customer.id == seen[-1]))
        if following is None or following in seen:
            break
        seen.append(following)
    return seen[-1]


def group_ids(session: Session, customer_id: int) -> list[int]:
    """Return the keys of a customer's survivor and of all that were merged into it, the survivor first."""
    top = survivor_id(session, customer_id)
    below = sa.select(Customer.id).where(Customer.id == top).cte("merged", recursive=True)
    below = below.union(sa.select(Customer.id).where(Customer.merged_into_id == below.c.id))
    keys: set[int] = set(session.scalars(sa.select(below.c.id)))
    return [top, *sorted(keys - {top})]


def survivors() -> sa.CTE:
    """Return the merged customers as a table of a statement: `id`, and `survivor_id`, the customer that counts.

    Chains of any length are followed to the end; customers merged in a ring have no survivor and are not in it.
    """
    merged, following = Customer.__table__, Customer.__table__.alias()
    # UNION, not UNION ALL: a ring that was made by mistake ends as well.
    chain = (sa.select(merged.c.id, merged.c.merged_into_id).where(merged.c.merged_into_id.is_not(None))).cte(
        "merged_chain", recursive=True
    )
    chain = chain.union(
        sa.select(chain.c.id, following.c.merged_into_id).where(
            following.c.id == chain.c.merged_into_id, following.c.merged_into_id.is_not(None)
        )
    )
    # Said of the few that are merged: the many that are not need not be read.
    goes_on = sa.exists().where(merged.c.id == chain.c.merged_into_id, merged.c.merged_into_id.is_not(None))
    return sa.select(chain.c.id, chain.c.merged_into_id.label("survivor_id")).where(~goes_on).cte("survivor")


def present_owners(session: Session, customer_ids: list[int], project_id: int | None = None) -> list[CustomerOwner]:
    """Return who looks after customers now, the earliest first.

    Args:
        session: open on the CRM.
        customer_ids: keys of customers that are one and the same.
        project_id: only who looks after them in this estate; None for everybody.
    """
    query = sa.select(CustomerOwner).where(
        CustomerOwner.customer_id.in_(customer_ids),
        CustomerOwner.to_at.is_(None),
        CustomerOwner.deleted_at.is_(None),
    )
    if project_id is not None:
        query = query.where(sa.or_(CustomerOwner.project_id == project_id, CustomerOwner.project_id.is_(None)))
    return list(session.scalars(query.order_by(CustomerOwner.from_at, CustomerOwner.id)))


def owner_names(session: Session, customer_ids: list[int], project_id: int | None = None) -> list[str]:
    """Return the names of the employees who look after customers now; see `present_owners`."""
    return owner_names_of(session, dict.fromkeys(customer_ids, 0), project_id).get(0, [])


def owner_names_of(
    session: Session, survivor_of: Mapping[int, int], project_id: int | None = None
) -> dict[int, list[str]]:
    """Return the names of the employees who look after customers now, by survivor.

    Args:
        session: open on the CRM.
        survivor_of: the survivor of every customer wanted, itself included.
        project_id: see `present_owners`.
    """
    keys: dict[int, list[int]] = {}
    for owner in present_owners(session, list(survivor_of), project_id):
        own = keys.setdefault(survivor_of[owner.customer_id], [])
        if owner.employee_id not in own:
            own.append(owner.employee_id)
    people = {key for own in keys.values() for key in own}
    names = dict(session.execute(sa.select(Employee.id, Employee.name).where(Employee.id.in_(people))).all())
    return {top: [names[key] for key in own if key in names] for top, own in keys.items()}
