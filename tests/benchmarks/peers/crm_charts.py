"""Charts as one SELECT each straight on the tables of the CRM, where that can be written.

Merged customers, the ledger of contracts and the paths of touchpoints take hundreds of lines of SQL each, which is what
the dbt models are; no chart holds them.
"""

from __future__ import annotations

from tests.benchmarks.peers.questions import Question

# The month of a moment in the company's time zone, which has kept to one offset since 1992.
_MONTHS = {
    "sqlite": "strftime('%Y-%m', {0}, '+8 hours')",
    "postgresql": "to_char({0} + interval '8 hours', 'YYYY-MM')",
}
_DAYS = {"sqlite": "strftime('%Y-%m', {0})", "postgresql": "to_char({0}, 'YYYY-MM')"}

CHARTS: dict[str, tuple[Question, str]] = {
    "visits": (
        Question("visits", ("month", "employee"), "", ("",)),
        """
        select {month:lead_event.occurred_at} as month, employee.number as employee, count(*)
        from lead_event
        join lead on lead.id = lead_event.lead_id and lead.deleted_at is null and lead.opened_at <= :as_of
        join customer on customer.id = lead.customer_id and customer.deleted_at is null
        left join employee on employee.id = lead_event.employee_id and employee.deleted_at is null
        where lead_event.deleted_at is null and lead_event.occurred_at <= :as_of
            and lead_event.kind = 'visit' and lead_event.is_effective
        group by 1, 2
        """,
    ),
    "collected_amount": (
        Question("collected_amount", ("month", "project"), "", ("",)),
        """
        select {day:payment.received_on} as month, project.name as project, sum(payment.amount)
        from payment
        join deal on deal.id = payment.deal_id and deal.deleted_at is null
        join customer on customer.id = deal.customer_id and customer.deleted_at is null
        left join project on project.id = deal.project_id and project.deleted_at is null
        where payment.deleted_at is null and not payment.is_void and payment.received_on <= :today
        group by 1, 2
        """,
    ),
    "valid_complaints": (
        Question("valid_complaints", ("month", "project"), "", ("",)),
        """
        select {month:demand.received_at} as month, project.name as project, count(*)
        from demand
        join demand_category on demand_category.id = demand.demand_category_id and demand_category.deleted_at is null
        join customer on customer.id = demand.customer_id and customer.deleted_at is null
        left join project on project.id = demand.project_id and project.deleted_at is null
        where demand.deleted_at is null and demand.received_at <= :as_of and demand.duplicate_of_id is null
            and demand_category.kind = 'complaint' and coalesce(demand.is_founded, true)
            and (demand.withdrawn_at is null or demand.withdrawn_at > :as_of)
        group by 1, 2
        """,
    ),
    "reply_timeliness_rate": (
        Question("reply_timeliness_rate", ("employee",), "", ("", "")),
        """
        with reply as (
            select demand_id, min(occurred_at) as replied_at from demand_event
            where kind = 'reply' and deleted_at is null and occurred_at <= :as_of
            group by demand_id
        ),
        due as (
            select demand.id, demand.due_at, reply.replied_at
            from demand
            join demand_category on demand_category.id = demand.demand_category_id
                and demand_category.deleted_at is null
            join customer on customer.id = demand.customer_id and customer.deleted_at is null
            left join reply on reply.demand_id = demand.id
            where demand.deleted_at is null and demand.received_at <= :as_of and demand.duplicate_of_id is null
                and demand.due_at <= :as_of and (demand.withdrawn_at is null or demand.withdrawn_at > :as_of)
        ),
        handed as (
            select event.demand_id, event.to_employee_id,
                row_number() over (partition by event.demand_id order by event.occurred_at desc, event.id desc) as place
            from demand_event as event
            join due on due.id = event.demand_id
            where event.kind in ('assign', 'forward') and event.deleted_at is null and event.occurred_at <= :as_of
                and event.occurred_at <= case when due.replied_at < due.due_at then due.replied_at else due.due_at end
        )
        select employee.number as employee,
            sum(case when due.replied_at <= due.due_at then 1 else 0 end), count(*)
        from due
        left join handed on handed.demand_id = due.id and handed.place = 1
        left join employee on employee.id = handed.to_employee_id and employee.deleted_at is null
        group by 1
        """,
    ),
}


def sql(name: str, engine: str) -> str:
    """Return a chart's SELECT for SQLite or PostgreSQL, with the parameters ``as_of`` (UTC) and ``today``."""
    text = CHARTS[name][1]
    for mark, forms in (("month", _MONTHS), ("day", _DAYS)):
        while (begin := text.find(f"{{{mark}:")) >= 0:
            end = text.index("}", begin)
            text = text[:begin] + forms[engine].format(text[begin + len(mark) + 2 : end]) + text[end + 1 :]
    return text
