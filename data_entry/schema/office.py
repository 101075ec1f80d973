"""Tasks, reports and their approval, the knowledge base, discussion, work plans."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from data_entry.schema import columns as col
from data_entry.schema.base import Record


class Task(Record):
    """Work given by one employee to another."""

    ingested = False
    kind: Mapped[str | None] = col.text("Kind of work, e.g. care, group purchase.", 60, vocabulary=True)
    title: Mapped[str] = col.text("What is to be done.", 300, required=True, personal=True)
    assigner_id: Mapped[int | None] = col.ref("employee", "Employee who gave it.", required=False)
    assignee_id: Mapped[int | None] = col.ref("employee", "Employee who is to do it.", required=False)
    demand_id: Mapped[int | None] = col.ref("demand", "Demand it serves.", required=False)
    care_occasion_id: Mapped[int | None] = col.ref("care_occasion", "Greeting it serves.", required=False)
    customer_id: Mapped[int | None] = col.ref("customer", "Customer it concerns.", required=False)
    due_at: Mapped[dt.datetime | None] = col.moment("When it is due.", index=True)
    done_at: Mapped[dt.datetime | None] = col.moment("When it was done.")
    checked_at: Mapped[dt.datetime | None] = col.moment(
        "When the assigner accepted what was done.", label="Accepted at"
    )
    description: Mapped[str | None] = col.text("What is to be done, in full.", None, personal=True)


class TaskEvent(Record):
    """A step in the life of a task (append-only)."""

    ingested = False
    task_id: Mapped[int] = col.ref("task", "Task.")
    kind: Mapped[str] = col.choice(
        "What happened.", "assign", "delegate", "start", "done", "check", "reopen", "comment"
    )
    occurred_at: Mapped[dt.datetime] = col.moment("When.", required=True)
    employee_id: Mapped[int | None] = col.ref("employee", "Employee who acted.", required=False, label="Handled by")
    to_employee_id: Mapped[int | None] = col.ref(
        "employee", "Employee it was given to.", required=False, label="Passed to"
    )
    note: Mapped[str | None] = col.text("Note.", None, personal=True)


class ReportClass(Record):
    """A class of reports, with an approval flow of its own."""

    ingested = False
    name: Mapped[str] = col.text("Name.", required=True)
    is_active: Mapped[bool] = col.flag("Whether new reports may take it.", default=True)


class ApprovalStep(Record):
    """A step of the approval flow of a class of reports."""

    ingested = False
    report_class_id: Mapped[int] = col.ref("report_class", "Class of reports.", index=False)
    sequence: Mapped[int] = col.count("Place in the flow, from 1.", required=True)
    position_id: Mapped[int | None] = col.ref("position", "Position that approves.", required=False)
    role_id: Mapped[int | None] = col.ref("role", "Role that approves, where no position is set.", required=False)
    __table_args__ = (sa.UniqueConstraint("report_class_id", "sequence"),)


class Report(Record):
    """A document submitted for approval."""

    ingested = False
    report_class_id: Mapped[int] = col.ref("report_class", "Class of report.")
    author_id: Mapped[int] = col.ref("employee", "Author.")
    title: Mapped[str] = col.text("Title.", 300, required=True, personal=True)
    body: Mapped[str | None] = col.text("Body.", None, personal=True)
    status: Mapped[str] = col.choice(
        "State of its approval.", "draft", "submitted", "returned", "approved", default="draft"
    )
    submitted_at: Mapped[dt.datetime | None] = col.moment(
        "When it was last submitted; decisions since then count along the flow."
    )


class ApprovalAction(Record):
    """What an approver did with a report."""

    ingested = False
    report_id: Mapped[int] = col.ref("report", "Report.")
    approval_step_id: Mapped[int] = col.ref("approval_step", "Step of the flow.")
    employee_id: Mapped[int] = col.ref("employee", "Approver.", label="Approver")
    action: Mapped[str] = col.choice("What was decided.", "approve", "return", "comment", label="Decision")
    comment: Mapped[str | None] = col.text("Comment.", None, personal=True)
    acted_at: Mapped[dt.datetime] = col.moment("When.", required=True, label="Decided at")


class Article(Record):
    """An article of the knowledge base."""

    ingested = False
    category: Mapped[str] = col.text("Category of the knowledge base.", 100, required=True, vocabulary=True)
    title: Mapped[str] = col.text("Title.", 300, required=True)


class ArticleVersion(Record):
    """One version of an article."""

    ingested = False
    article_id: Mapped[int] = col.ref("article", "Article.", index=False)
    version: Mapped[int] = col.count("Version, from 1.", required=True)
    body: Mapped[str] = col.text("Text in Markdown.", None, required=True)
    generated_from: Mapped[str | None] = col.text("What a generated version rests on, as JSON.", None)
    __table_args__ = (sa.UniqueConstraint("article_id", "version"),)


class Thread(Record):
    """A discussion."""

    ingested = False
    title: Mapped[str] = col.text("Title.", 300, required=True, personal=True)
    department_id: Mapped[int | None] = col.ref("department", "Department it is for; empty for all.", required=False)


class Post(Record):
    """A contribution to a discussion."""

    ingested = False
    thread_id: Mapped[int] = col.ref("thread", "Discussion.", label="Discussion")
    employee_id: Mapped[int] = col.ref("employee", "Author.", label="Author")
    posted_at: Mapped[dt.datetime] = col.moment("When.", required=True)
    body: Mapped[str] = col.text("Text.", None, required=True, personal=True)


class WorkPlan(Record):
    """What an employee plans for a period."""

    ingested = False
    employee_id: Mapped[int] = col.ref("employee", "Employee.")
    period_on: Mapped[dt.date] = col.day("First day of the period.", required=True, label="Period from")
    period: Mapped[str] = col.choice(
        "Length of the period.", "day", "week", "month", "quarter", default="week", label="Cycle"
    )
    text: Mapped[str] = col.text("Plan.", None, required=True, personal=True, label="Content")
    review: Mapped[str | None] = col.text("What the supervisor says of it.", None, personal=True)
    reviewed_by_id: Mapped[int | None] = col.ref("employee", "Supervisor.", required=False)
    reviewed_at: Mapped[dt.datetime | None] = col.moment("When it was reviewed.")


class WorkLog(Record):
    """What an employee did on a day."""

    ingested = False
    employee_id: Mapped[int] = col.ref("employee", "Employee.")
    day_on: Mapped[dt.date] = col.day("Day.", required=True, label="Date")
    text: Mapped[str] = col.text("Log.", None, required=True, personal=True, label="Content")
    review: Mapped[str | None] = col.text("What the supervisor says of it.", None, personal=True)
    reviewed_by_id: Mapped[int | None] = col.ref("employee", "Supervisor.", required=False)
    reviewed_at: Mapped[dt.datetime | None] = col.moment("When it was reviewed.")


class SavedView(Record):
    """What somebody wants to see again on a page of statistics, as the codes of the page's address."""

    ingested = False
    account_id: Mapped[int] = col.ref("account", "Account that saved it.")
    name: Mapped[str] = col.text("Name.", 100, required=True)
    path: Mapped[str] = col.text("Address of the page.", 100, required=True, label="Page")
    query: Mapped[str] = col.text(
        "Filters and choices, as the codes of the page's address.", None, required=True, label="Choices"
    )
    is_shared: Mapped[bool] = col.flag("Whether all who may open the page see it.", default=False)
