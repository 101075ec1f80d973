"""Bring the export of another CRM into this one (``loupan import``).

``run`` has the steps, ``mapping`` reads the SQL files, ``source_files`` fences in what they can read, ``contract`` says
what fits a table, ``conversion`` and ``staging`` find what does not, ``crm_rows`` writes.
"""

from data_entry.services.import_data.report import (
    ImportFailed,
    ImportReport,
    Problem,
    TableOutcome,
    check_report_name,
    write_report,
)
from data_entry.services.import_data.run import import_directory

__all__ = [
    "ImportFailed",
    "ImportReport",
    "Problem",
    "TableOutcome",
    "check_report_name",
    "import_directory",
    "write_report",
]
