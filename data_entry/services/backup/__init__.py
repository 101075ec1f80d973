"""Copies of the CRM: made while people write, checked, and restored row for row, on either engine.

A backup is one zip file: the rows of every table as JSON lines with exact values, the attached files, and a manifest
with the number of rows and the SHA-256 of each part. It says nothing about the engine it came from: what was saved from
SQLite can be restored into PostgreSQL, and the other way round.
"""

from data_entry.services.backup.archive import Manifest, open_backup, verify
from data_entry.services.backup.create import create
from data_entry.services.backup.drill import drill
from data_entry.services.backup.errors import BackupError
from data_entry.services.backup.restore import restore
from data_entry.services.backup.shelf import Backup, check, listing

__all__ = [
    "Backup",
    "BackupError",
    "Manifest",
    "check",
    "create",
    "drill",
    "listing",
    "open_backup",
    "restore",
    "verify",
]
