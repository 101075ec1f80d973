"""Evaluate, send, and say what is open; the present moment is always an argument."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from filelock import FileLock, Timeout

from loupan.alerts.conditions import evaluate
from loupan.alerts.config import AlertsConfig, AlertsError, read_config
from loupan.alerts.delivery import Delivery, Send, deliver, plan
from loupan.alerts.finding import Evaluation, Finding, Kind, Severity
from loupan.alerts.incident import Incident, State, put_damaged_aside, read_state, update, write_state
from loupan.alerts.masking import masked
from loupan.alerts.texts import told
from loupan.i18n import marked, translator
from loupan.notify import Message, NotifyError, send
from loupan.settings import Settings

# A server that is down for a moment is no news, nor is a single failure.
_UNDELIVERED_AFTER, _UNDELIVERED_ATTEMPTS = dt.timedelta(hours=1), 3


@dataclass(frozen=True)
class Alert:
    """One thing that is or was wrong, in words.

    Attributes:
        kind, subject, severity: what it is.
        since: when it began.
        opened_at, closed_at: when it was found, and found to be over.
        headline: what is wrong.
        lines: since when, numbers, what stays true.
        remedy: what to do next.
        waiting: recipients that are still to be told of it.
    """

    kind: Kind
    subject: str
    severity: Severity
    since: dt.datetime
    opened_at: dt.datetime
    closed_at: dt.datetime | None
    headline: str
    lines: tuple[str, ...]
    remedy: str
    waiting: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What an evaluation came to.

    Attributes:
        open: what is wrong now, the gravest first.
        deliveries: the messages sent, or not.
        problems: what could not be judged, and why.
        is_busy: whether another process was evaluating, so that nothing was done.
    """

    open: tuple[Alert, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    problems: tuple[str, ...] = ()
    is_busy: bool = False


def check(
    settings: Settings,
    now: dt.datetime,
    *,
    send: Send = send,
    evaluation: Evaluation | None = None,
    wait_seconds: float = 0,
) -> Report:
    """Evaluate everything and send what is due.

    Args:
        settings: where everything lies.
        now: the present moment, aware.
        send: hands one message to one address.
        evaluation: what is wrong, where that is known already.
        wait_seconds: how long to wait for another process that evaluates.

    Raises:
        AlertsError: if ``alerts.toml`` cannot be used; what is wrong is remembered all the same.
        LoupanError: if the state can be neither read nor written; then nothing is sent.
    """
    with _evaluating(settings, wait_seconds) as is_mine:
        if not is_mine:
            return Report(is_busy=True)
        config, unusable = _config(settings)
        put_damaged_aside(settings)
        state = read_state(settings)
        found = evaluation or evaluate(settings, config, now)
        update(state, replace(found, findings=(*found.findings, *_undelivered(state, config, now))), config.rules, now)
        if unusable is not None:
            # Pages show what is wrong, though nobody can be told.
            write_state(settings, state)
            raise unusable
        parcels = plan(state, config, settings, now)
        deliveries = deliver(state, parcels, settings, now, send, lambda: write_state(settings, state))
        return Report(_alerts(state.open, settings, "en"), tuple(deliveries), found.problems)


def open_alerts(settings: Settings, language: str = "en") -> tuple[Alert, ...]:
    """Return what was wrong at the last evaluation, the gravest first.

    Raises:
        LoupanError: if the state cannot be read.
    """
    return _alerts(read_state(settings).open, settings, language)


def recent_alerts(settings: Settings, number: int, language: str = "en") -> tuple[Alert, ...]:
    """Return the last that are over, the newest first.

    Raises:
        LoupanError: if the state cannot be read.
    """
    over = [incident for incident in read_state(settings).incidents if not incident.is_open]
    over.sort(key=lambda incident: incident.closed_at or incident.opened_at, reverse=True)
    return _alerts(over[:number], settings, language)


def last_checked(settings: Settings) -> dt.datetime | None:
    """Return when was last evaluated; None if never."""
    return read_state(settings).checked_at


def try_recipients(settings: Settings, name: str | None) -> Iterator[Delivery]:
    """Send a test message to every recipient, or to one.

    Quiet hours do not hold it: who tries it looks at the clock.

    Raises:
        AlertsError: if ``alerts.toml`` cannot be used, or names no such recipient.
    """
    config = read_config(settings)
    chosen = [recipient for recipient in config.recipient if name in (None, recipient.name)]
    if not chosen:
        known = ", ".join(repr(recipient.name) for recipient in config.recipient) or "nobody"
        raise AlertsError(
            f"There is no recipient {name!r} in alerts.toml, which names {known}."
            if name
            else "alerts.toml names no recipient, or is not there. `loupan alerts example` prints one to begin with."
        )
    for recipient in chosen:
        t = translator(recipient.language)
        title = t(marked("Loupan: a test message"))
        text = t(marked("This is a test for “{name}”. Alerts of Loupan will arrive like this."), name=recipient.name)
        try:
            send(recipient.address.get_secret_value(), Message(title, text))
        except NotifyError as error:
            yield Delivery(recipient.name, 1, str(error))
        else:
            yield Delivery(recipient.name, 1, None)


def _config(settings: Settings) -> tuple[AlertsConfig, AlertsError | None]:
    try:
        return read_config(settings), None
    except AlertsError as error:
        return AlertsConfig(), error


def _undelivered(state: State, config: AlertsConfig, now: dt.datetime) -> Iterator[Finding]:
    for recipient in config.recipient:
        mailbox = state.mailboxes.get(recipient.name)
        since = mailbox.failing_since if mailbox else None
        if mailbox is None or since is None or mailbox.failures < _UNDELIVERED_ATTEMPTS:
            continue
        if now - since >= _UNDELIVERED_AFTER:
            yield Finding(
                Kind.UNDELIVERED,
                config.severity_of(Kind.UNDELIVERED),
                since,
                subject=recipient.name,
                facts={"error": masked(mailbox.error or "")},
            )


def _alerts(incidents: list[Incident], settings: Settings, language: str) -> tuple[Alert, ...]:
    alerts = []
    for incident in incidents:
        words = told(incident, settings, language)
        waiting = sorted(name for name, telling in incident.tellings.items() if telling.is_owed)
        alerts.append(
            Alert(
                kind=incident.kind,
                subject=incident.subject,
                severity=incident.severity,
                since=incident.since,
                opened_at=incident.opened_at,
                closed_at=incident.closed_at,
                headline=words.headline,
                lines=words.lines,
                remedy=words.remedy,
                waiting=tuple(waiting),
            )
        )
    return tuple(alerts)


@contextmanager
def _evaluating(settings: Settings, wait_seconds: float) -> Iterator[bool]:
    """Hold the lock of who evaluates; gives False where another process has it."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.data_dir / "alerts.lock")
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
