"""What goes wrong with backups."""

from data_entry.services.errors import ServiceError


class BackupError(ServiceError):
    """A backup cannot be made, read or restored; the message says what to do. Nothing was changed."""
