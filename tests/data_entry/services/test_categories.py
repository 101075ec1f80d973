"""Categories of expenses, beside those of demands: split, renamed, moved, taken out of use."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.schema.demand import DemandCategory
from data_entry.schema.marketing import Expense, ExpenseCategory
from data_entry.services import categories, records
from data_entry.services.categories import DEMANDS, EXPENSES
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused


@pytest.fixture
def tree(office):
    """Advertising, with print and radio below it, and events."""
    advertising, events = office.add(ExpenseCategory(name="Advertising"), ExpenseCategory(name="Events"))
    paper, radio = office.add(
        ExpenseCategory(name="Print", parent_id=advertising), ExpenseCategory(name="Radio", parent_id=advertising)
    )
    return {"advertising": advertising, "events": events, "print": paper, "radio": radio}


def shape(office, of=EXPENSES):
    with office.reading("admin") as work:
        return [(b.depth, b.name, b.direct, b.whole) for b in categories.branches(work, of)]


def do(office, step, *args, who="admin", of=EXPENSES):
    with office.writing(who) as work:
        return step(work, of, *args)


@pytest.mark.function("1.i.6")
def test_a_tree_is_split_renamed_and_moved_and_what_was_spent_stays_where_it_is(office, tree):
    office.add(Expense(expense_category_id=tree["print"], amount=100, incurred_on=sa.func.current_date()))
    do(office, categories.split, tree["print"], ["Leaflets", "Posters"])
    assert shape(office) == [
        (0, "Advertising", 0, 1), (1, "Print", 1, 1), (2, "Leaflets", 0, 0), (2, "Posters", 0, 0),
        (1, "Radio", 0, 0), (0, "Events", 0, 0),
    ]  # fmt: skip
    do(office, categories.rename, tree["radio"], " Broadcast ")
    do(office, categories.move, tree["print"], tree["events"])
    assert shape(office) == [
        (0, "Advertising", 0, 0), (1, "Broadcast", 0, 0),
        (0, "Events", 0, 1), (1, "Print", 1, 1), (2, "Leaflets", 0, 0), (2, "Posters", 0, 0),
    ]  # fmt: skip
    do(office, categories.move, tree["print"], None)
    assert [line for line in shape(office) if line[0] == 0] == [
        (0, "Advertising", 0, 0), (0, "Events", 0, 0), (0, "Print", 1, 1)
    ]  # fmt: skip


def test_no_category_stands_below_itself_or_has_its_neighbours_name(office, tree):
    (leaflets,) = do(office, categories.split, tree["print"], ["Leaflets"])
    for below in (tree["advertising"], tree["print"], leaflets.id):
        with pytest.raises(Refused, match="below itself"):
            do(office, categories.move, tree["advertising"], below)
    do(office, categories.split, tree["events"], ["Print"])
    for step, args in (
        (categories.rename, (tree["radio"], "Print")),
        (categories.rename, (tree["radio"], " ")),
        (categories.split, (tree["advertising"], ["Print"])),
        (categories.move, (tree["print"], tree["events"])),
    ):
        with pytest.raises(Invalid):
            do(office, step, *args)
    with pytest.raises(NotFound):
        do(office, categories.move, tree["print"], 10**12)
    do(office, categories.rename, tree["radio"], "Radio")


def test_what_is_out_of_use_takes_no_new_expenses_and_nothing_below_it(office, tree):
    def enter(category_id):
        with office.writing("mara") as work:
            return records.create(
                work, "expense", {"amount": "5", "incurred_on": "2026-03-01", "expense_category_id": category_id}
            )

    key = enter(tree["print"])
    do(office, categories.use, tree["advertising"], False)
    for category_id in (tree["advertising"], tree["radio"]):
        with pytest.raises(Invalid) as refused:
            enter(category_id)
        assert [p.column for p in refused.value.problems] == ["expense_category_id"]
    with office.writing("mara") as work:  # what was entered before can still be mended
        records.update(work, "expense", key, {"amount": "6"}, None)
    with pytest.raises(Refused, match="not in use"):
        do(office, categories.split, tree["advertising"], ["Web"])
    with pytest.raises(Refused, match="not in use"):
        do(office, categories.move, tree["events"], tree["advertising"])
    do(office, categories.use, tree["advertising"], True)
    enter(tree["radio"])


def test_places_to_move_to_are_those_that_the_move_accepts(office, tree):
    with office.reading("admin") as work:
        found = categories.branches(work, EXPENSES)
    assert categories.places(found, tree["events"]) == {
        tree["advertising"]: "Advertising",
        tree["print"]: "Advertising / Print",
        tree["radio"]: "Advertising / Radio",
    }
    assert categories.places(found, tree["advertising"]) == {tree["events"]: "Events"}


def test_demands_stay_among_their_kind(office):
    complaint, suggestion = office.add(
        DemandCategory(kind="complaint", name="Complaint"), DemandCategory(kind="suggestion", name="Suggestion")
    )
    (noise,) = do(office, categories.split, complaint, ["Noise"], of=DEMANDS)
    assert noise.kind == "complaint"
    with pytest.raises(Refused, match="kinds"):
        do(office, categories.move, noise.id, suggestion, of=DEMANDS)
    with office.reading("admin") as work:
        found = categories.branches(work, DEMANDS)
    assert categories.places(found, noise.id) == {complaint: "Complaint"}


def test_only_those_who_may_change_the_tree_do(office, tree):
    do(office, categories.rename, tree["events"], "Fairs", who="mara")
    for login in ("amy", "sue", "boss"):
        for step, args in (
            (categories.split, (None, ["X"])),
            (categories.rename, (tree["events"], "X")),
            (categories.move, (tree["events"], tree["print"])),
            (categories.use, (tree["events"], False)),
        ):
            with pytest.raises(Forbidden):
                do(office, step, *args, who=login)
    with Session(office.engine) as session:
        assert session.get(ExpenseCategory, tree["events"]).name == "Fairs"
