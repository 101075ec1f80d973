"""Send the reports that are due, each once."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock

from dashboards.gateway import open_gateway
from dashboards.report.compose import Order, ReportError, compose
from dashboards.report.mail import message
from dashboards.report.period import reported
from dashboards.report.recipients import Recipient, Recipients
from dashboards.report.record import Sent, read_sent, remember
from dashboards.report.typeset import pdf
from loupan.errors import LoupanError
from loupan.metrics import EVERYTHING
from loupan.notify import Message, send
from loupan.settings import Settings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of one recipient's report.

    Attributes:
        recipient: name in the file.
        told: in words.
        is_failure: whether somebody has to do something.
    """

    recipient: str
    told: str
    is_failure: bool = False


def deliver(
    engine: sa.Engine,
    settings: Settings,
    recipients: Recipients,
    now: datetime,
    *,
    to: Sequence[str] = (),
    force: bool = False,
    take: Callable[[str, Message], None] = send,
) -> list[Outcome]:
    """Make and send the report of each recipient that has not had it; one that fails keeps no other from its own.

    What was sent is written down right after: a crash in between makes one report come twice, and none be lost.

    Args:
        engine: the CRM.
        settings: of the installation.
        recipients: the file.
        now: the present moment.
        to: names of recipients; all by default.
        force: send what was sent already.
        take: sends a message to an address.

    Raises:
        ReportError: if a name is not in the file, or the record of what was sent cannot be read.
        NoSnapshot: if nothing is published.
        SnapshotError: if what is published is damaged.
    """
    known = {recipient.name: recipient for recipient in recipients.recipient}
    if unknown := [name for name in to if name not in known]:
        raise ReportError(f"There is no recipient {unknown[0]!r}; there are {', '.join(known) or 'none'}.")
    if not known:
        raise ReportError("The file of the recipients names none. `loupan report example` prints one that does.")
    with FileLock(settings.data_dir / "reports.lock"):
        # Before anything is sent: a record that cannot be read must stop it.
        read_sent(settings)
        open_gateway(EVERYTHING)
        return [
            _one(engine, settings, recipients, recipient, now, force, take)
            for name, recipient in known.items()
            if not to or name in to
        ]


def _one(
    engine: sa.Engine,
    settings: Settings,
    recipients: Recipients,
    recipient: Recipient,
    now: datetime,
    force: bool,
    take: Callable[[str, Message], None],
) -> Outcome:
    name = recipient.name
    gateway = open_gateway(EVERYTHING)
    days = reported(recipient.period, gateway.as_of, gateway.time_zone, now)
    earlier = [sent for sent in read_sent(settings) if sent.recipient == name]
    if not force and any(sent.period == days.code for sent in earlier):
        if days.is_late:
            as_of = f"{gateway.as_of.astimezone(UTC):%Y-%m-%d %H:%M}Z"
            told = (
                f"has the report {days.code} already, and the data (as of {as_of}) reach no later period. "
                "See `loupan status`, and refresh."
            )
            return Outcome(name, told, is_failure=True)
        return Outcome(name, f"has the report {days.code} already; --force sends it once more.")
    others = [sent for sent in earlier if sent.period != days.code]
    order = Order(
        recipient.login,
        recipient.language,
        recipient.period,
        recipients.company,
        since=others[-1].version if others else "",
    )
    try:
        report = compose(engine, settings, order, now)
        with tempfile.TemporaryDirectory(prefix="loupan-report-") as folder:
            # Apprise writes other signs so that some mail programs find no name.
            document = Path(folder) / f"loupan-report-{report.code}-{recipient.language}.pdf"
            document.write_bytes(pdf(report, now))
            take(recipient.to.get_secret_value(), message(report, document))
    except LoupanError as error:
        return Outcome(name, f"got no report: {error}", is_failure=True)
    except Exception as error:
        # Whatever is wrong with one report, the other recipients get theirs.
        _LOG.exception("The report for %s could not be made", name)
        return Outcome(name, f"got no report: {type(error).__name__}; the log says more.", is_failure=True)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    remember(settings, Sent(recipient=name, period=report.code, version=report.version, sent_at=moment))
    return Outcome(name, f"was sent the report {report.code}.")
