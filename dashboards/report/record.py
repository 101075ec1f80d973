"""Which reports were sent: each recipient gets each period's once."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dashboards.report.compose import ReportError
from loupan.files import replace_text
from loupan.settings import Settings

FILE = "reports_sent.json"
_REMEMBERED = 2000


class Sent(BaseModel):
    """A report that was sent.

    Attributes:
        recipient: name in the file of the recipients.
        period: code of the days it is about.
        version: of the snapshot it was made from.
        sent_at: ISO 8601, UTC.
    """

    model_config = ConfigDict(frozen=True)

    recipient: str
    period: str
    version: str
    sent_at: str


_RECORD = TypeAdapter(list[Sent])


def path_of(settings: Settings) -> Path:
    """Return where the record is."""
    return settings.data_dir / FILE


def read_sent(settings: Settings) -> list[Sent]:
    """Return what was sent, oldest first.

    Raises:
        ReportError: if the record cannot be read: without it everything would be sent once more.
    """
    path = path_of(settings)
    try:
        return _RECORD.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValidationError) as error:
        raise ReportError(
            f"{path}, the record of the reports that were sent, cannot be read. Put it back from a backup; or delete "
            "it, and each recipient gets the report of the last period once more."
        ) from error


def remember(settings: Settings, sent: Sent) -> None:
    """Write down that a report was sent."""
    others = [one for one in read_sent(settings) if (one.recipient, one.period) != (sent.recipient, sent.period)]
    replace_text(path_of(settings), _RECORD.dump_json([*others, sent][-_REMEMBERED:], indent=1).decode())
