"""Which rows of a table an actor reaches: a condition for the WHERE clause, made of the scopes of a permission.

The scope ``own`` reaches the rows of one employee, ``department`` those of several, ``project`` those of estates. How a
row belongs to an employee or an estate is said once per table in `ROWS`. What is not said is not reached.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.sql import operators

from data_entry.access.actor import Actor
from data_entry.schema import metadata

Condition = sa.ColumnElement[bool]
People = Collection[int]


@dataclass(frozen=True)
class Belongs:
    """How the rows of a table belong to employees and to estates.

    Attributes:
        employees: columns that name an employee the row belongs to.
        projects: columns that name the estate.
        through: (column, table): the row belongs to whom the row it points to belongs to. It belongs to the estates of
            the first of these that is set, and only if it names no estate itself: a bill for a unit is none of the
            business of another estate in which the owner has asked for something.
        employees_by: a further condition, made from the keys of employees.
        projects_by: a further condition, made from the keys of estates.
        authors: columns that name the employees who may make, change and delete the row; those whom it belongs to
            otherwise only read it and act on it. Empty where there is no such difference.
    """

    employees: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    through: tuple[tuple[str, str], ...] = ()
    employees_by: Callable[[People], Condition] | None = None
    projects_by: Callable[[People], Condition] | None = None
    authors: tuple[str, ...] = ()


def _t(name: str) -> sa.Table:
    return metadata.tables[name]


def _live(table: sa.FromClause) -> Condition:
    return table.c.deleted_at.is_(None)


# By lists of keys and not row by row, here and below: somebody with few customers does not wait for those of all others
# to be looked at.
def _looked_after(table: str, people: People) -> Condition:
    """Whether one of the employees is the present owner of the customer of a row, in the row's estate."""
    rows, owner = _t(table).alias(), _t("customer_owner").alias()
    keys = (
        sa.select(rows.c.id)
        .join(owner, owner.c.customer_id == rows.c.customer_id)
        .where(
            owner.c.employee_id.in_(people),
            owner.c.to_at.is_(None),
            _live(owner),
            sa.or_(owner.c.project_id == rows.c.project_id, owner.c.project_id.is_(None)),
        )
    )
    return _t(table).c.id.in_(keys.correlate(None))


def _with_child(table: str, child: str, column: str, people: People) -> Condition:
    """Whether a live row of the table `child` that points to a row names one of the employees in `column`."""
    other = _t(child).alias()
    keys = sa.select(other.c[f"{table}_id"]).where(other.c[column].in_(people), _live(other))
    return _t(table).c.id.in_(keys.correlate(None))


def _nobody_looks_after(customer: sa.ColumnElement[int], project: sa.ColumnElement[int]) -> Condition:
    owner = _t("customer_owner").alias()
    return ~sa.exists().where(
        owner.c.customer_id == customer,
        sa.or_(owner.c.project_id == project, owner.c.project_id.is_(None)),
        owner.c.to_at.is_(None),
        _live(owner),
    )


def _leads_of(people: People) -> Condition:
    lead = _t("lead")
    return sa.or_(
        _looked_after("lead", people),
        sa.and_(lead.c.employee_id.in_(people), _nobody_looks_after(lead.c.customer_id, lead.c.project_id)),
    )


def _customers_of(people: People) -> Condition:
    customer, lead = _t("customer"), _t("lead").alias()
    owner = _t("customer_owner").alias()
    looked_after = sa.select(owner.c.customer_id).where(
        owner.c.employee_id.in_(people), owner.c.to_at.is_(None), _live(owner)
    )
    entered = sa.select(lead.c.customer_id).where(
        lead.c.employee_id.in_(people), _live(lead), _nobody_looks_after(lead.c.customer_id, lead.c.project_id)
    )
    return sa.or_(customer.c.id.in_(looked_after.correlate(None)), customer.c.id.in_(entered.correlate(None)))


def _customers_in(projects: People) -> Condition:
    keys = []
    for name in ("lead", "deal", "demand", "customer_owner"):
        other = _t(name).alias()
        keys.append(sa.select(other.c.customer_id).where(other.c.project_id.in_(projects), _live(other)))
    owner, unit, building = _t("unit_owner").alias(), _t("unit").alias(), _t("building").alias()
    keys.append(
        sa.select(owner.c.customer_id)
        .join(unit, owner.c.unit_id == unit.c.id)
        .join(building, unit.c.building_id == building.c.id)
        .where(_live(owner), building.c.project_id.in_(projects))
    )
    return _t("customer").c.id.in_(sa.union(*keys))


def _looking_after_all_estates(projects: People) -> Condition:
    """The owners, for all estates, of the customers of estates."""
    owner, customer = _t("customer_owner"), _t("customer")
    keys = sa.select(customer.c.id).where(_customers_in(projects)).correlate(None)
    return sa.and_(owner.c.project_id.is_(None), owner.c.customer_id.in_(keys))


def _deals_of(people: People) -> Condition:
    return sa.or_(
        _looked_after("deal", people),
        _with_child("deal", "deal_event", "employee_id", people),
        _with_child("deal", "deal_share", "employee_id", people),
    )


def _demands_of(people: People) -> Condition:
    return sa.or_(
        _t("demand").c.responsible_employee_id.in_(people),
        _with_child("demand", "demand_event", "to_employee_id", people),
        _with_child("demand", "demand_event", "employee_id", people),
        # Who took a demand down must find it again, whoever looks after the customer in that estate.
        _entered_by("demand")(people),
        _looked_after("demand", people),
    )


def _entered_by(table: str) -> Callable[[People], Condition]:
    """The rows whose account of entry is one of the employees'."""

    def condition(people: People) -> Condition:
        account = _t("account").alias()
        keys = sa.select(account.c.id).where(account.c.employee_id.in_(people))
        return _t(table).c.created_by.in_(keys.correlate(None))

    return condition


def _described(kind: str) -> Callable[[People], Condition]:
    """The feature values of the customers, leads, … that belong to the employees (``own``) or estates."""

    def condition(keys: People) -> Condition:
        value, feature = _t("feature_value"), _t("feature").alias()
        conditions: list[Condition] = []
        for entity in ("customer", "lead", "plan", "activity", "unit", "report", "competitor_project"):
            belongs = of_employees(entity, keys) if kind == "employees" else of_projects(entity, keys)
            conditions.append(
                sa.and_(
                    sa.exists().where(feature.c.id == value.c.feature_id, feature.c.entity == entity),
                    value.c.entity_id.in_(sa.select(_t(entity).c.id).where(belongs).correlate(None)),
                )
            )
        return sa.or_(*conditions)

    return condition


def _of_customer(table: str) -> Callable[[People], Condition]:
    """The rows of the customers that belong to the employees."""
    return lambda people: _through(table, "customer_id", "customer", of_employees("customer", people))


def _on_units(table: str) -> Callable[[People], Condition]:
    """The rows on units of the estates; those on no unit by their customer.

    Not by the customer where there is a unit: who owns homes in two estates belongs to both, each home to one.
    """

    def condition(projects: People) -> Condition:
        rows = _t(table)
        on_unit = _through(table, "unit_id", "unit", of_projects("unit", projects))
        of_customer = _through(table, "customer_id", "customer", of_projects("customer", projects))
        return sa.or_(on_unit, sa.and_(rows.c.unit_id.is_(None), of_customer))

    return condition


def _attached(kind: str) -> Callable[[People], Condition]:
    """The attachments of the records that belong to the employees or estates."""

    def condition(keys: People) -> Condition:
        attachment = _t("attachment")
        conditions: list[Condition] = []
        for entity in ATTACHABLE:
            belongs = of_employees(entity, keys) if kind == "employees" else of_projects(entity, keys)
            conditions.append(
                sa.and_(
                    attachment.c.entity == entity,
                    attachment.c.entity_id.in_(sa.select(_t(entity).c.id).where(belongs).correlate(None)),
                )
            )
        return sa.or_(*conditions)

    return condition


def _reports_of(people: People) -> Condition:
    """The reports somebody wrote, or has to decide about through a position held."""
    report, step, held = _t("report"), _t("approval_step").alias(), _t("employee_position").alias()
    to_decide = sa.exists().where(
        report.c.status != "draft",
        step.c.report_class_id == report.c.report_class_id,
        _live(step),
        held.c.position_id == step.c.position_id,
        held.c.employee_id.in_(people),
        held.c.to_on.is_(None),
        _live(held),
    )
    role, account = _t("account_role").alias(), _t("account").alias()
    by_role = sa.exists().where(
        report.c.status != "draft",
        step.c.report_class_id == report.c.report_class_id,
        _live(step),
        role.c.role_id == step.c.role_id,
        _live(role),
        account.c.id == role.c.account_id,
        account.c.employee_id.in_(people),
    )
    return sa.or_(report.c.author_id.in_(people), to_decide, by_role)


def _tasks_of(people: People) -> Condition:
    """The tasks that somebody had before handing them on."""
    return _with_child("task", "task_event", "to_employee_id", people)


# Records that files can be attached to.
ATTACHABLE = ("expense", "report", "post", "demand", "task", "competitor_observation", "article")

ROWS: dict[str, Belongs] = {
    "employee": Belongs(employees=("id",)),
    "employee_position": Belongs(employees=("employee_id",)),
    "employee_project": Belongs(employees=("employee_id",), projects=("project_id",)),
    "account": Belongs(employees=("employee_id",)),
    "account_session": Belongs(through=(("account_id", "account"),)),
    "account_role": Belongs(through=(("account_id", "account"),)),
    "audit_log": Belongs(through=(("account_id", "account"),)),
    "project": Belongs(projects=("id",)),
    "building": Belongs(projects=("project_id",)),
    "unit": Belongs(through=(("building_id", "building"),)),
    "unit_price": Belongs(through=(("unit_id", "unit"),)),
    "unit_owner": Belongs(employees_by=_of_customer("unit_owner"), projects_by=_on_units("unit_owner")),
    "customer": Belongs(employees_by=_customers_of, projects_by=_customers_in),
    "feature_value": Belongs(employees_by=_described("employees"), projects_by=_described("projects")),
    "customer_owner": Belongs(
        employees=("employee_id",), projects=("project_id",), projects_by=_looking_after_all_estates
    ),
    "lead": Belongs(projects=("project_id",), employees_by=_leads_of),
    "target": Belongs(projects=("project_id",)),
    "annotation": Belongs(projects=("project_id",)),
    "lead_event": Belongs(employees=("employee_id",), through=(("lead_id", "lead"),)),
    "touchpoint": Belongs(projects=("project_id",), through=(("customer_id", "customer"),)),
    "deal": Belongs(projects=("project_id",), employees_by=_deals_of),
    "deal_event": Belongs(through=(("deal_id", "deal"),)),
    "deal_share": Belongs(employees=("employee_id",), through=(("deal_id", "deal"),)),
    "payment_due": Belongs(through=(("deal_id", "deal"),)),
    "payment": Belongs(through=(("deal_id", "deal"),)),
    "demand": Belongs(projects=("project_id",), employees_by=_demands_of),
    "demand_event": Belongs(through=(("demand_id", "demand"),)),
    "follow_up": Belongs(through=(("demand_id", "demand"),)),
    "promise": Belongs(
        employees=("employee_id",), through=(("deal_id", "deal"), ("unit_id", "unit"), ("customer_id", "customer"))
    ),
    "plan": Belongs(projects=("project_id",), employees_by=_entered_by("plan")),
    "activity": Belongs(through=(("plan_id", "plan"),), employees_by=_entered_by("activity")),
    "expense": Belongs(
        employees=("employee_id",), projects=("project_id",), through=(("activity_id", "activity"), ("plan_id", "plan"))
    ),
    "attachment": Belongs(employees_by=_attached("employees"), projects_by=_attached("projects")),
    "feedback": Belongs(projects=("project_id",), through=(("activity_id", "activity"), ("customer_id", "customer"))),
    "competitor_project": Belongs(projects=("own_project_id",), employees_by=_entered_by("competitor_project")),
    "competitor_observation": Belongs(
        employees=("employee_id",), through=(("competitor_project_id", "competitor_project"),)
    ),
    "survey": Belongs(projects=("project_id",), employees_by=_entered_by("survey")),
    "survey_question": Belongs(through=(("survey_id", "survey"),)),
    "survey_invitation": Belongs(
        employees=("employee_id",), projects=("project_id",), through=(("survey_id", "survey"),)
    ),
    "survey_response": Belongs(
        employees=("employee_id",), projects=("project_id",), through=(("customer_id", "customer"),)
    ),
    "survey_answer": Belongs(through=(("survey_response_id", "survey_response"),)),
    "care_occasion": Belongs(through=(("customer_id", "customer"),)),
    "fee_bill": Belongs(employees_by=_of_customer("fee_bill"), projects_by=_on_units("fee_bill")),
    "fee_payment": Belongs(through=(("fee_bill_id", "fee_bill"),)),
    "task": Belongs(
        employees=("assignee_id", "assigner_id"), through=(("customer_id", "customer"),), employees_by=_tasks_of
    ),
    "task_event": Belongs(through=(("task_id", "task"),)),
    "report": Belongs(employees_by=_reports_of, authors=("author_id",)),
    "approval_action": Belongs(
        employees=("employee_id",), through=(("report_id", "report"),), authors=("employee_id",)
    ),
    "thread": Belongs(employees_by=_entered_by("thread")),
    "post": Belongs(employees=("employee_id",)),
    "work_plan": Belongs(employees=("employee_id",)),
    "work_log": Belongs(employees=("employee_id",)),
    "saved_view": Belongs(through=(("account_id", "account"),)),
}


# Actions that write a row itself; the others read it, or move it along a process.
WRITING = frozenset({"create", "update", "delete"})


def of_employees(table: str, people: People, action: str = "read") -> Condition:
    """Return the condition on a table's rows that they belong to one of the employees."""
    belongs = ROWS.get(table)
    if belongs is None or not people:
        return sa.false()
    if belongs.authors and action in WRITING:
        return sa.or_(sa.false(), *(_t(table).c[column].in_(people) for column in belongs.authors))
    conditions: list[Condition] = [_t(table).c[column].in_(people) for column in belongs.employees]
    if belongs.employees_by:
        conditions.append(belongs.employees_by(people))
    conditions += [_through(table, column, parent, of_employees(parent, people)) for column, parent in belongs.through]
    return sa.or_(sa.false(), *conditions)


def of_projects(table: str, projects: People) -> Condition:
    """Return the condition on a table's rows that they belong to one of the estates."""
    belongs = ROWS.get(table)
    if belongs is None or not projects:
        return sa.false()
    columns = _t(table).c
    conditions: list[Condition] = [columns[column].in_(projects) for column in belongs.projects]
    if belongs.projects_by:
        conditions.append(belongs.projects_by(projects))
    unnamed: list[Condition] = []
    for column in belongs.projects:
        if not columns[column].nullable:
            return sa.or_(*conditions)
        unnamed.append(columns[column].is_(None))
    for column, parent in belongs.through:
        conditions.append(sa.and_(*unnamed, _through(table, column, parent, of_projects(parent, projects))))
        if not columns[column].nullable:
            break
        unnamed.append(columns[column].is_(None))
    return sa.or_(sa.false(), *conditions)


def _through(table: str, column: str, parent: str, condition: Condition) -> Condition:
    if isinstance(condition, sa.sql.elements.False_):
        return sa.false()
    # A subquery of its own: the parent's condition is written about the parent's table, whatever stands outside.
    keys = sa.select(_t(parent).c.id).where(condition).correlate(None)
    return _t(table).c[column].in_(keys)


def reach(actor: Actor, action: str, resource: str) -> Condition:
    """Return the condition on the rows of the table `resource` with which the actor may do `action`.

    Without a permission it is false: no rows.
    """
    scopes = actor.scopes(action, resource)
    if "all" in scopes:
        return sa.true()
    conditions: list[Condition] = []
    if "own" in scopes and actor.employee_id is not None:
        conditions.append(of_employees(resource, (actor.employee_id,), action))
    if "department" in scopes:
        conditions.append(of_employees(resource, sorted(actor.colleague_ids), action))
    if "project" in scopes:
        conditions.append(of_projects(resource, sorted(actor.project_ids)))
    return sa.or_(sa.false(), *conditions)


def reach_by_keys(actor: Actor, action: str, resource: str) -> Condition:
    """Return the condition of `reach` for a list: the rows that are reached are found first, each way by its index.

    Where there are several ways to reach a row, a database judges every row of the table by each of them; of a large
    table few rows are somebody's own.
    """
    condition = reach(actor, action, resource)
    if not isinstance(condition, sa.BooleanClauseList) or condition.operator is not operators.or_:
        return condition
    key = _t(resource).c.id
    keys = []
    for clause in condition.clauses:
        is_of_keys = isinstance(clause, sa.BinaryExpression) and clause.left is key
        if is_of_keys and isinstance(clause.right, sa.ScalarSelect):
            # A union within a union has brackets, which SQLite does not know.
            keys.append(sa.select(clause.right.element.subquery()))
        else:
            keys.append(sa.select(key).where(clause).correlate(None))
    return key.in_(sa.union(*keys))
