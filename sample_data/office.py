"""Tasks, reports and their approval, articles, discussions, work plans and work logs."""

from __future__ import annotations

from typing import Any

import numpy as np

from sample_data import vocabulary as v
from sample_data.clock import Clock, spring_festival
from sample_data.company import Company
from sample_data.organisation import MANAGER, OFFICE, PLANNER, SERVICE, Stint
from sample_data.rows import NO_MOMENT, ONE_DAY, Array
from sample_data.service import add_task_events
from sample_data.world import World

LOG_DAYS, PLAN_MONTHS, REPORT_WEEKS, TASKS_PER_EMPLOYEE = 60, 12, 52, 6


def make_office(company: Company) -> None:
    """Make the office work of one city company; the shared articles come with the first."""
    rng = company.random("office")
    _add_tasks(company, rng)
    _add_reports(company, rng)
    _add_threads(company, rng)
    _add_plans_and_logs(company, rng)
    if company.size.index == 0:
        _add_articles(company.world, rng)


def _add_tasks(company: Company, rng: np.random.Generator) -> None:
    world, staff, demands, handler = company.world, company.staff, company.demands, company.handler
    clock, words = world.clock, world.words
    # Demands given to somebody in the last months, and jobs from above.
    recent = np.flatnonzero((handler >= 0) & (demands.received_at > clock.now - 90 * ONE_DAY) & (demands.severity >= 2))
    made_at = np.minimum(demands.received_at[recent] + 1800, clock.now - 1)
    _add(
        world, rng, made_at, due_at=demands.due_at[recent],
        assigner_id=staff.ids[[staff.of(SERVICE)[0].employee] * len(recent)], assignee_id=staff.ids[handler[recent]],
        kind="demand", title=words(v.DEMAND_TASK), demand_id=demands.ids[recent],
    )  # fmt: skip
    count = TASKS_PER_EMPLOYEE * len(staff.ids)
    given = clock.at_some_hour(rng, clock.today - rng.integers(1, 240, count))
    everyone = [s for s in staff.stints if s.role != OFFICE]
    kind = rng.integers(0, len(v.TASK_TITLES), count)
    chief = staff.of(OFFICE)[0].employee
    _add(
        world, rng, given, due_at=given + (rng.integers(2, 20, count) * ONE_DAY).astype("timedelta64[s]"),
        assigner_id=staff.ids[[chief] * count],
        assignee_id=staff.pick_ids(rng, everyone, given.astype("datetime64[D]")),
        kind=np.array([k for k, _ in v.TASK_TITLES], dtype=object)[kind],
        title=words.all([title for _, title in v.TASK_TITLES])[kind],
    )  # fmt: skip


def _add(world: World, rng: np.random.Generator, made_at: Array, **columns: Any) -> None:
    count = len(made_at)
    length = (columns["due_at"] - made_at).astype(np.int64)
    done_at = made_at + (length * rng.gamma(3, 0.28, count)).astype("timedelta64[s]") + 600
    done_at = np.where((rng.random(count) < 0.9) & world.clock.past(done_at), done_at, NO_MOMENT)
    tasks = world.batch.add("task", made_at, updated_at=done_at, done_at=done_at, **columns)
    people = {name: columns[name] for name in ("assigner_id", "assignee_id")}
    add_task_events(world, made_at, id=tasks, done_at=done_at, **people)


def _add_reports(company: Company, rng: np.random.Generator) -> None:
    world, master, staff, group = company.world, company.master, company.staff, company.group
    clock, words = world.clock, world.words
    authors = (staff.of(MANAGER), _below_the_head(staff.of(PLANNER)), _below_the_head(staff.of(SERVICE)))
    for number, (title, approvers) in enumerate(v.REPORT_CLASSES):
        weeks = np.arange(1, REPORT_WEEKS, 1 if number == 0 else 4)
        written = clock.at_some_hour(rng, clock.today - weeks * 7 + rng.integers(0, 3, len(weeks)))
        written = written[written >= clock.start]
        count = len(written)
        state = np.where(written < clock.now - 10 * ONE_DAY, rng.choice([1, 2], count, p=[0.06, 0.94]), 0)
        status = np.array(["submitted", "returned", "approved"], dtype=object)[state]
        decided = clock.later(rng, written, rng.exponential(1.5, count))
        decided = np.where((state > 0) & clock.past(decided), decided, NO_MOMENT)
        status = np.where(np.isnat(decided), "submitted", status)
        reports = world.batch.add(
            "report",
            written,
            updated_at=decided,
            report_class_id=master.report_class_ids[[number] * count],
            author_id=staff.pick_ids(rng, authors[number], written.astype("datetime64[D]")),
            title=[words.join(words(title), day) for day in written.astype("datetime64[D]").astype(str)],
            body=words(v.REPORT_BODY),
            status=status,
            submitted_at=written,
        )
        steps = master.approval_step_ids[number]
        comments = words.all(v.APPROVAL_COMMENTS)
        for place, (step, approver) in enumerate(zip(steps.tolist(), approvers, strict=True)):
            # A returned report got no further than the first step; others passed all.
            acted = ~np.isnat(decided) & ((status == "approved") | (place == 0))
            when = decided[acted] - (len(steps) - 1 - place) * 600
            returned = status[acted] == "returned"
            world.batch.add(
                "approval_action",
                when,
                report_id=reports[acted],
                approval_step_id=[step] * int(acted.sum()),
                employee_id=group.approver_ids(approver, when),
                action=np.where(returned, "return", "approve").astype(object),
                comment=np.where(returned, comments[1], comments[0]),
                acted_at=when,
            )


def _below_the_head(stints: list[Stint]) -> list[Stint]:
    # Nobody approves a report of their own, so those who approve write none.
    return [s for s in stints if s.position_id != stints[0].position_id]


def _add_threads(company: Company, rng: np.random.Generator) -> None:
    world, staff = company.world, company.staff
    clock, words = world.clock, world.words
    for number, (title, replies) in enumerate(v.THREADS):
        begun = clock.now - (20 + 35 * number) * ONE_DAY + 9 * 3600
        thread = world.batch.add("thread", begun, title=[words(title)], department_id=staff.department_ids[[0]])
        at = begun + np.arange(1, len(replies) + 1) * 7_200
        world.batch.add(
            "post", at, thread_id=thread.tolist() * len(replies),
            employee_id=staff.pick_ids(rng, staff.of(MANAGER), at.astype("datetime64[D]")), posted_at=at,
            body=words.all(replies),
        )  # fmt: skip


def _working_days(clock: Clock, count: int) -> Array:
    days = clock.days[-count:]
    festival = np.datetime64(spring_festival(int(str(clock.today)[:4])), "D")
    holiday = (days >= festival - 1) & (days <= festival + 6)
    return days[((days.astype(int) + 3) % 7 < 5) & ~holiday]


def _add_plans_and_logs(company: Company, rng: np.random.Generator) -> None:
    world, staff = company.world, company.staff
    clock, words = world.clock, world.words
    months = np.unique(clock.days[-PLAN_MONTHS * 30 :].astype("datetime64[M]")).astype("datetime64[D]")
    for table, days, texts, share, column, more in (
        ("work_plan", months, v.WORK_PLANS, 0.8, "period_on", {"period": "month"}),
        ("work_log", _working_days(clock, LOG_DAYS), v.WORK_LOGS, 0.7, "day_on", {}),
    ):  # fmt: skip
        employee, day = np.repeat(np.arange(len(staff.ids)), len(days)), np.tile(days, len(staff.ids))
        left = staff.left_on[employee]
        kept = (staff.hired_on[employee] <= day) & (np.isnat(left) | (left >= day)) & (rng.random(len(day)) < share)
        employee, day = employee[kept], day[kept]
        lines = words.all(texts)
        world.batch.add(
            table,
            np.minimum(day.astype("datetime64[s]") + 17 * 3600 + rng.integers(0, 7200, len(day)), clock.now - 1),
            employee_id=staff.ids[employee],
            text=lines[rng.integers(0, len(lines), len(day))],
            **{column: day},
            **more,
        )


def _add_articles(world: World, rng: np.random.Generator) -> None:
    clock, words = world.clock, world.words
    entered = clock.start.astype("datetime64[s]") + 40 * ONE_DAY
    for category, title, body in v.ARTICLES:
        article = int(world.batch.add("article", entered, category=[words(category)], title=[words(title)])[0])
        versions = int(rng.integers(1, 4))
        changed = clock.at_some_hour(rng, clock.start + 40 + 200 * np.arange(versions))
        world.batch.add(
            "article_version", changed, article_id=[article] * versions, version=np.arange(1, versions + 1),
            body=[
                words(v.ARTICLE_BODY).format(title=words(title), body=words(body), version=version)
                for version in range(1, versions + 1)
            ],
        )  # fmt: skip
