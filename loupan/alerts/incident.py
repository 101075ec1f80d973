"""What is wrong over time: each thing opens once and closes once; who was told what of it."""

from __future__ import annotations

import datetime as dt
import errno
import json
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from loupan.alerts.config import Rules
from loupan.alerts.finding import Evaluation, Fact, Finding, Kind, Severity
from loupan.errors import LoupanError
from loupan.files import replace_text
from loupan.settings import Settings

FILE = "alerts_state.json"
_LOG = logging.getLogger(__name__)
# So many that are over are remembered.
_REMEMBERED = 200
# The file's length is a multiple of it.
_ROOM = 64 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT)
_DAY = dt.timedelta(days=1)
_LONGEST_OWED = dt.timedelta(days=90)
_LONGEST_SETTLING = dt.timedelta(hours=6)


@dataclass
class Telling:
    """What one recipient knows of one incident.

    Attributes:
        severity: that which was told; None before anything was.
        told_at: when something was told last.
        reminders: how many were.
        is_owed: whether it was due at a moment that was not quiet: then it is told though it be over by then.
        is_done: whether nothing more will be told.
    """

    severity: Severity | None = None
    told_at: dt.datetime | None = None
    reminders: int = 0
    is_owed: bool = False
    is_done: bool = False


@dataclass
class Incident:
    """Something that is or was wrong.

    Attributes:
        kind, subject, edition, severity, since, facts: of the newest finding.
        opened_at: when it was first found.
        seen_at: when it was last found.
        closed_at: when it was over; None while it is open.
        is_superseded: whether another edition took its place, of which there is nothing to tell.
        ending: facts of the moment when it was over.
        tellings: by the recipient's name.
    """

    kind: Kind
    subject: str
    edition: str
    severity: Severity
    since: dt.datetime
    opened_at: dt.datetime
    seen_at: dt.datetime
    facts: dict[str, Fact] = field(default_factory=dict)
    closed_at: dt.datetime | None = None
    is_superseded: bool = False
    ending: dict[str, Fact] = field(default_factory=dict)
    tellings: dict[str, Telling] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """As that of its finding."""
        return f"{self.kind}:{self.subject}"

    @property
    def is_open(self) -> bool:
        """Whether it is not over."""
        return self.closed_at is None


@dataclass
class Mailbox:
    """How deliveries to one recipient go.

    Attributes:
        attempts: moments of the last hour at which something was sent that arrived, or may have.
        failures: how many attempts in a row failed.
        failing_since: when the first of these was.
        next_at: no attempt before.
        error: why the last one failed.
        is_gathering: whether something waits because of the recipient's most messages per hour.
    """

    attempts: list[dt.datetime] = field(default_factory=list)
    failures: int = 0
    failing_since: dt.datetime | None = None
    next_at: dt.datetime | None = None
    error: str | None = None
    is_gathering: bool = False


@dataclass
class State:
    """Everything that is remembered between two evaluations."""

    checked_at: dt.datetime | None = None
    incidents: list[Incident] = field(default_factory=list)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)

    @property
    def open(self) -> list[Incident]:
        """What is open, the gravest first, then the oldest."""
        found = [incident for incident in self.incidents if incident.is_open]
        return sorted(found, key=lambda incident: (-incident.severity.rank, incident.opened_at, incident.key))


_STATE = TypeAdapter(State)


def state_path(settings: Settings) -> Path:
    """Return where the state lies."""
    return settings.data_dir / FILE


def read_state(settings: Settings) -> State:
    """Return what is remembered; nothing where the file is damaged, which the next evaluation mends.

    Raises:
        LoupanError: if the file cannot be read.
    """
    path = state_path(settings)
    try:
        return _STATE.validate_json(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return State()
    except OSError as error:
        raise LoupanError(f"{path} cannot be read: {error.strerror}. Allow it, or delete it.") from error


def put_damaged_aside(settings: Settings) -> None:
    """Put a damaged file aside, so that everything begins anew: what is wrong is told once more rather than never.

    Only for who holds the lock of evaluation: to others a file that is being written over may look damaged.

    Raises:
        LoupanError: if it cannot be put aside.
    """
    path = state_path(settings)
    try:
        _STATE.validate_json(path.read_bytes())
    except ValueError:
        aside = path.with_suffix(".damaged")
        try:
            os.replace(path, aside)
        except OSError as error:
            raise LoupanError(f"{path} is damaged and cannot be put aside: {error.strerror}. Delete it.") from error
        _LOG.warning("%s is damaged; it is kept as %s, and what is wrong now is told again", path, aside)
    except OSError:
        # Not there, or told of by who reads it.
        return


def write_state(settings: Settings, state: State) -> None:
    """Remember.

    The file is longer than what it holds: on a full disk it is written over where it lies, since that a disk is full is
    what people want to be told of. Who is killed at that moment leaves a damaged file behind.

    Raises:
        LoupanError: if nothing can be written.
    """
    path = state_path(settings)
    text = json.dumps(_STATE.dump_python(state, mode="json"), ensure_ascii=False, indent=1)
    text += " " * (-len(text.encode()) % _ROOM)
    try:
        try:
            replace_text(path, text)
        except OSError as error:
            path.with_suffix(".tmp").unlink(missing_ok=True)
            if error.errno not in _FULL or not _write_over(path, text.encode()):
                raise
    except OSError as error:
        raise LoupanError(
            f"{path} cannot be written: {error.strerror}. Nothing is sent before that is mended, for it might be sent "
            "again and again. Free space, or allow it."
        ) from error


def _write_over(path: Path, content: bytes) -> bool:
    """Write a file where it lies, if it is there and long enough; what is written needs no further room."""
    if not path.is_file() or path.stat().st_size < len(content):
        return False
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
        os.fsync(file.fileno())
    return True


def update(state: State, evaluation: Evaluation, rules: Rules, now: dt.datetime) -> None:
    """Open, go on with and close incidents by what is found.

    What comes back within a day takes twice as long to count as over each time: of something that comes and goes every
    few minutes a few messages are sent, and then it counts as one.
    """
    found = {finding.key: finding for finding in evaluation.findings}
    for incident in state.open:
        finding = found.get(incident.key)
        if finding is not None and finding.edition == incident.edition:
            _go_on(incident, found.pop(incident.key), now)
        elif finding is not None:
            _close(incident, evaluation, now)
            incident.is_superseded = True
        elif incident.kind not in evaluation.unjudged and now - incident.seen_at >= _settling(state, incident, rules):
            _close(incident, evaluation, now)
    state.incidents += [_opened(finding, now) for finding in found.values()]
    state.checked_at = now
    _forget(state, now)


def _opened(finding: Finding, now: dt.datetime) -> Incident:
    return Incident(
        kind=finding.kind,
        subject=finding.subject,
        edition=finding.edition,
        severity=finding.severity,
        since=finding.since,
        opened_at=now,
        seen_at=now,
        facts=finding.facts,
    )


def _go_on(incident: Incident, finding: Finding, now: dt.datetime) -> None:
    incident.severity, incident.facts, incident.seen_at = finding.severity, finding.facts, now
    incident.since = min(incident.since, finding.since)


def _close(incident: Incident, evaluation: Evaluation, now: dt.datetime) -> None:
    incident.closed_at, incident.ending = now, evaluation.facts


def _settling(state: State, incident: Incident, rules: Rules) -> dt.timedelta:
    earlier = sum(
        other.key == incident.key and other.closed_at is not None and incident.opened_at - other.closed_at < _DAY
        for other in state.incidents
        if not other.is_superseded
    )
    return min(dt.timedelta(minutes=rules.settle_minutes) * 2**earlier, _LONGEST_SETTLING)


def _forget(state: State, now: dt.datetime) -> None:
    """Forget the oldest of those that are over and told of, and what nobody could be told for so long."""
    over = [incident for incident in state.incidents if incident.closed_at is not None]
    told = [i for i in over if all(telling.is_done for telling in i.tellings.values())]
    forgotten = sorted(told, key=lambda incident: incident.closed_at or now)[:-_REMEMBERED]
    forgotten += [incident for incident in over if incident.closed_at and now - incident.closed_at > _LONGEST_OWED]
    # By what they are: two may be alike.
    gone = {id(incident) for incident in forgotten}
    state.incidents = [incident for incident in state.incidents if id(incident) not in gone]
