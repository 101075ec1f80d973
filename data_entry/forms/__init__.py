"""Forms and lists made from the schema: what a page needs to show, enter and change rows of the CRM."""

from data_entry.forms.dialogs import open_record
from data_entry.forms.errors import error_text, problem_text, showing_errors
from data_entry.forms.inputs import Values, fields
from data_entry.forms.lists import record_list
from data_entry.forms.picking import pick
from data_entry.forms.words import label, shown, shown_feature, table_name, table_names

__all__ = [
    "Values", "error_text", "fields", "label", "open_record", "pick", "problem_text", "record_list", "showing_errors",
    "shown", "shown_feature", "table_name", "table_names",
]  # fmt: skip
