"""What the schema calls its tables, columns and choices."""

import pytest

from data_entry.schema import labels, metadata


@pytest.mark.parametrize(
    ("table", "one", "several"),
    [
        ("customer", "Customer", "Customers"),
        ("customer_class", "Customer class", "Customer classes"),
        ("activity", "Activity", "Activities"),
        ("survey", "Survey", "Surveys"),
        ("thread", "Discussion", "Discussions"),
        ("feedback", "Feedback", "Feedback"),
    ],
)
def test_tables(table, one, several):
    assert (labels.table_label(table), labels.table_plural(table)) == (one, several)


@pytest.mark.parametrize(
    ("table", "column", "label"),
    [
        ("customer", "customer_class_id", "Customer class"),
        ("customer", "birth_on", "Birthday"),
        ("lead", "opened_at", "Opened at"),
        ("account", "is_active", "Active"),
        ("follow_up", "was_reached", "Reached"),
        ("unit", "area_sqm", "Area (m²)"),
        ("competitor", "class", "Competitor class"),
        ("unit", "id", "ID"),
    ],
)
def test_columns(table, column, label):
    assert labels.column_label(table, column) == label


@pytest.mark.parametrize(
    ("value", "label"),
    [("small_booking", "Small booking"), ("cancel", "Cancellation"), ("channel", "Agency channel")],
)
def test_choices(value, label):
    assert labels.choice_label(value) == label


def test_no_two_columns_of_a_table_are_called_the_same():
    for table in metadata.sorted_tables:
        words = [labels.column_label(table.name, column.name) for column in table.columns]
        assert sorted(set(words)) == sorted(words), table.name


def test_exceptions_are_of_use():
    choices = {
        value
        for table in metadata.sorted_tables
        for column in table.columns
        for value in getattr(column.type, "enums", ())
    }
    assert labels._TABLES.keys() | labels._PLURALS.keys() <= metadata.tables.keys()
    assert labels._CHOICES.keys() <= choices
