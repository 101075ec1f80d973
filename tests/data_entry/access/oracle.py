"""Whom the rows of a CRM belong to, said once more in plain Python: the measure for `data_entry.access.reach`.

Here a row is asked for its people and its estates; `reach` asks for the rows of people and estates. The two share
nothing but what they mean.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.data_entry.access.random_crm import TODAY, RandomCrm, Row

Keys = set[int]
WRITING = ("create", "update", "delete")


class Oracle:
    """Answers about the rows of a random CRM."""

    def __init__(self, crm: RandomCrm) -> None:
        self.crm = crm

    # Who and where an employee is.
    def colleagues(self, employee: int) -> Keys:
        """Return those who today hold a position in the employee's departments or below them, and the employee."""
        held = [
            (row["employee_id"], self.crm.rows["position"][row["position_id"]])
            for row in self.crm.live("employee_position")
            if row["from_on"] <= TODAY and (row["to_on"] is None or row["to_on"] >= TODAY)
        ]
        held = [(who, position) for who, position in held if position["deleted_at"] is None]
        departments = {position["department_id"] for who, position in held if who == employee}
        grown = True
        while grown:
            below = {row["id"] for row in self.crm.live("department") if row["parent_id"] in departments}
            grown = not below <= departments
            departments |= below
        return {who for who, position in held if position["department_id"] in departments} | {employee}

    def projects(self, employee: int) -> Keys:
        """Return the estates the employee works for today."""
        return {
            row["project_id"]
            for row in self.crm.live("employee_project")
            if row["employee_id"] == employee
            and row["from_on"] <= TODAY
            and (row["to_on"] is None or row["to_on"] >= TODAY)
        }

    def reaches(self, scope: str, employee: int, table: str, row: Row, action: str) -> bool:
        """Say whether a permission in a scope reaches a row."""
        if scope == "all":
            return True
        if scope == "project":
            return bool(self.estates_of(table, row) & self.projects(employee))
        people = self.authors_of(table, row) if action in WRITING else self.people_of(table, row)
        return bool(people & ({employee} if scope == "own" else self.colleagues(employee)))

    # Whom a row belongs to.
    def _at(self, table: str, key: int | None) -> Row | None:
        return self.crm.rows[table].get(key) if key is not None else None

    def _people_at(self, table: str, key: int | None) -> Keys:
        row = self._at(table, key)
        return self.people_of(table, row) if row else set()

    def _estates_at(self, table: str, key: int | None) -> Keys:
        row = self._at(table, key)
        return self.estates_of(table, row) if row else set()

    def authors_of(self, table: str, row: Row) -> Keys:
        """Return the employees who may write a row that is theirs."""
        if table == "report":
            return {row["author_id"]}
        if table == "approval_action":
            return {row["employee_id"]}
        return self.people_of(table, row)

    def _looking_after(self, customer: int, project: int | None) -> Keys:
        return {
            row["employee_id"]
            for row in self.crm.live("customer_owner")
            if row["customer_id"] == customer
            and row["to_at"] is None
            and (project is None or row["project_id"] in (None, project))
        }

    def _entered_by(self, row: Row) -> Keys:
        account = self._at("account", row["created_by"])
        return {account["employee_id"]} - {None} if account else set()  # type: ignore[arg-type]

    def people_of(self, table: str, row: Row) -> Keys:
        """Return the employees a row belongs to."""
        named: dict[str, tuple[str, ...]] = {
            "employee": ("id",), "employee_position": ("employee_id",), "employee_project": ("employee_id",),
            "account": ("employee_id",), "customer_owner": ("employee_id",), "lead_event": ("employee_id",),
            "deal_share": ("employee_id",), "promise": ("employee_id",), "expense": ("employee_id",),
            "competitor_observation": ("employee_id",), "survey_invitation": ("employee_id",),
            "survey_response": ("employee_id",), "task": ("assignee_id", "assigner_id"),
            "approval_action": ("employee_id",), "post": ("employee_id",), "work_plan": ("employee_id",),
            "work_log": ("employee_id",),
        }  # fmt: skip
        parents: dict[str, tuple[str, ...]] = {
            "account_session": ("account",), "account_role": ("account",), "audit_log": ("account",),
            "unit_owner": ("customer",), "lead_event": ("lead",), "touchpoint": ("customer",), "deal_event": ("deal",),
            "deal_share": ("deal",), "payment_due": ("deal",), "payment": ("deal",), "demand_event": ("demand",),
            "follow_up": ("demand",), "promise": ("customer", "deal"), "activity": ("plan",),
            "expense": ("plan", "activity"), "feedback": ("customer", "activity"),
            "competitor_observation": ("competitor_project",), "survey_question": ("survey",),
            "survey_invitation": ("survey",), "survey_response": ("customer",), "survey_answer": ("survey_response",),
            "care_occasion": ("customer",), "fee_bill": ("customer",), "fee_payment": ("fee_bill",),
            "task": ("customer",), "task_event": ("task",), "approval_action": ("report",), "saved_view": ("account",),
        }  # fmt: skip
        people = {row[name] for name in named.get(table, ()) if row[name] is not None}
        for parent in parents.get(table, ()):
            people |= self._people_at(parent, row[f"{parent}_id"])
        if table in ("plan", "activity", "competitor_project", "survey", "thread", "demand"):
            people |= self._entered_by(row)
        special: dict[str, Callable[[Row], Keys]] = {
            "customer": self._people_of_customer, "lead": self._people_of_lead, "deal": self._people_of_deal,
            "demand": self._people_of_demand, "report": self._people_of_report, "task": self._people_of_task,
        }  # fmt: skip
        if table in special:
            people |= special[table](row)
        if table in ("feature_value", "attachment"):
            entity = self._entity(table, row)
            people |= self._people_at(entity, row["entity_id"]) if entity else set()
        return people

    def _entity(self, table: str, row: Row) -> str | None:
        if table == "feature_value":
            return str(self.crm.rows["feature"][row["feature_id"]]["entity"])
        possible = ("expense", "report", "post", "demand", "task", "competitor_observation", "article")
        return row["entity"] if row["entity"] in possible else None

    def _people_of_customer(self, row: Row) -> Keys:
        people = self._looking_after(row["id"], None)
        for lead in self.crm.live("lead"):
            if lead["customer_id"] == row["id"] and not self._looking_after(row["id"], lead["project_id"]):
                people |= {lead["employee_id"]} - {None}
        return people

    def _people_of_lead(self, row: Row) -> Keys:
        present = self._looking_after(row["customer_id"], row["project_id"])
        return present or {row["employee_id"]} - {None}

    def _people_of_deal(self, row: Row) -> Keys:
        people = self._looking_after(row["customer_id"], row["project_id"])
        for table in ("deal_event", "deal_share"):
            people |= {other["employee_id"] for other in self.crm.live(table) if other["deal_id"] == row["id"]} - {None}
        return people

    def _people_of_demand(self, row: Row) -> Keys:
        people = self._looking_after(row["customer_id"], row["project_id"]) | {row["responsible_employee_id"]}
        for event in self.crm.live("demand_event"):
            if event["demand_id"] == row["id"]:
                people |= {event["employee_id"], event["to_employee_id"]}
        return people - {None}

    def _people_of_task(self, row: Row) -> Keys:
        return {event["to_employee_id"] for event in self.crm.live("task_event") if event["task_id"] == row["id"]} - {
            None
        }

    def _people_of_report(self, row: Row) -> Keys:
        people = {row["author_id"]}
        if row["status"] == "draft":
            return people
        for step in self.crm.live("approval_step"):
            if step["report_class_id"] != row["report_class_id"]:
                continue
            people |= {
                held["employee_id"]
                for held in self.crm.live("employee_position")
                if held["position_id"] == step["position_id"] and held["to_on"] is None
            }
            for given in self.crm.live("account_role"):
                if given["role_id"] == step["role_id"]:
                    people |= {self.crm.rows["account"][given["account_id"]]["employee_id"]}
        return people - {None}

    # Which estates a row belongs to.
    def estates_of(self, table: str, row: Row) -> Keys:
        """Return the estates a row belongs to."""
        if table == "project":
            return {row["id"]}
        if table == "customer":
            return self._estates_of_customer(row)
        if table in ("feature_value", "attachment"):
            entity = self._entity(table, row)
            return self._estates_at(entity, row["entity_id"]) if entity else set()
        if table == "customer_owner" and row["project_id"] is None:
            return self._estates_at("customer", row["customer_id"])
        # In this order: the first that is set decides.
        pointers: dict[str, tuple[str, ...]] = {
            "employee_project": ("project",), "building": ("project",), "unit": ("building",), "unit_price": ("unit",),
            "unit_owner": ("unit",), "customer_owner": ("project",), "lead": ("project",), "lead_event": ("lead",),
            "touchpoint": ("project",), "deal": ("project",), "deal_event": ("deal",), "deal_share": ("deal",),
            "payment_due": ("deal",), "payment": ("deal",), "demand": ("project",), "demand_event": ("demand",),
            "follow_up": ("demand",), "promise": ("deal", "unit", "customer"), "plan": ("project",),
            "activity": ("plan",), "expense": ("project", "activity", "plan"),
            "feedback": ("project", "activity", "customer"), "competitor_project": ("own_project",),
            "competitor_observation": ("competitor_project",), "survey": ("project",), "survey_question": ("survey",),
            "survey_invitation": ("project", "survey"), "survey_response": ("project", "customer"),
            "survey_answer": ("survey_response",), "care_occasion": ("customer",), "fee_bill": ("unit", "customer"),
            "fee_payment": ("fee_bill",), "task": ("customer",), "task_event": ("task",), "target": ("project",),
            "annotation": ("project",),
        }  # fmt: skip
        for pointer in pointers.get(table, ()):
            key = row[f"{pointer}_id"]
            if key is not None:
                return self._estates_at("project" if pointer == "own_project" else pointer, key)
        return set()

    def _estates_of_customer(self, row: Row) -> Keys:
        estates = {
            other["project_id"]
            for table in ("lead", "deal", "demand", "customer_owner")
            for other in self.crm.live(table)
            if other["customer_id"] == row["id"]
        }
        for owner in self.crm.live("unit_owner"):
            if owner["customer_id"] == row["id"]:
                estates |= self._estates_at("unit", owner["unit_id"])
        return estates - {None}
