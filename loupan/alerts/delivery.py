"""Who is to be told what now, and how that went: quiet hours, reminders, most messages per hour, trying again.

What a recipient is owed follows from the incidents and what was told of each, so nothing is lost by a crash: what was
not written down as told is told. It is written down at once after each delivery.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from loupan.alerts.config import AlertsConfig, Recipient, Rules
from loupan.alerts.finding import Kind, Severity
from loupan.alerts.incident import Incident, Mailbox, State, Telling
from loupan.alerts.parcel import Item, Parcel, What
from loupan.alerts.texts import compose
from loupan.notify import Message, NotAnswered, NotifyError
from loupan.settings import Settings

Send = Callable[[str, Message], None]
_HOUR = dt.timedelta(hours=1)
_FIRST_WAIT, _LONGEST_WAIT = dt.timedelta(minutes=1), _HOUR
# What is sent at once; a server that does not answer holds up the others only beyond that.
_AT_ONCE = 8


@dataclass(frozen=True)
class Delivery:
    """How one message went; ``error`` is None where it was taken."""

    recipient: str
    items: int
    error: str | None


def plan(state: State, config: AlertsConfig, settings: Settings, now: dt.datetime) -> list[Parcel]:
    """Return the messages to be sent now, and note what is owed."""
    local = now.astimezone(ZoneInfo(settings.time_zone))
    parcels = []
    for recipient in config.recipient:
        mailbox = state.mailboxes.setdefault(recipient.name, Mailbox())
        is_quiet = recipient.is_quiet(local)
        items = []
        for incident in state.incidents:
            if not _concerns(incident, recipient):
                continue
            telling = incident.tellings.setdefault(recipient.name, Telling())
            is_held = is_quiet and not (incident.severity == Severity.URGENT and recipient.urgent_in_quiet_hours)
            what = _due(incident, telling, config.rules, now)
            if what is None or is_held:
                continue
            telling.is_owed = True
            items.append(Item(incident, what))
        if items and _may_send(mailbox, recipient, now):
            items.sort(key=lambda item: (-item.incident.severity.rank, item.incident.opened_at, item.incident.key))
            parcels.append(Parcel(recipient, tuple(items), mailbox.is_gathering))
    _drop_strangers(state, config)
    return parcels


def deliver(
    state: State,
    parcels: list[Parcel],
    settings: Settings,
    now: dt.datetime,
    send: Send,
    save: Callable[[], None],
) -> list[Delivery]:
    """Send the messages, and note after each how it went.

    Args:
        state: is changed.
        parcels: what `plan` returned.
        settings: names the company's time zone.
        now: the present moment.
        send: hands one message to one address.
        save: writes the state down.
    """
    for parcel in parcels:
        # Before it is sent: an attempt that nobody lives to tell of counts as well.
        state.mailboxes[parcel.recipient.name].attempts.append(now)
    save()
    done = []
    messages = [(parcel, compose(parcel, settings, now)) for parcel in parcels]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = {pool.submit(_send, parcel, message, send): parcel for parcel, message in messages}
        for future in as_completed(running):
            parcel, error = running[future], future.result()
            mailbox = state.mailboxes[parcel.recipient.name]
            if error is None:
                _note_taken(mailbox, parcel, now)
            else:
                _note_failed(mailbox, error, now)
            save()
            done.append(Delivery(parcel.recipient.name, len(parcel.items), str(error) if error else None))
    return sorted(done, key=lambda delivery: delivery.recipient)


def _concerns(incident: Incident, recipient: Recipient) -> bool:
    if incident.kind not in recipient.kinds:
        return False
    # Nobody wants to hear that no message reaches them.
    if incident.kind == Kind.UNDELIVERED and incident.subject == recipient.name:
        return False
    # What once was told goes on being told though it matters less by now.
    known = incident.tellings.get(recipient.name)
    is_known = known is not None and (known.severity is not None or known.is_owed)
    return is_known or incident.severity.rank >= recipient.least_severity.rank


def _due(incident: Incident, telling: Telling, rules: Rules, now: dt.datetime) -> What | None:
    """Return what a recipient does not know yet."""
    if telling.told_at is not None and telling.told_at > now:
        # A clock that was set back must not postpone reminders for as long.
        telling.told_at = now
    if not incident.is_open:
        return _due_at_end(incident, telling)
    if telling.severity is None:
        return What.OPENED
    if incident.severity.rank > telling.severity.rank:
        return What.WORSE
    return What.STILL if now >= next_reminder(telling, rules) else None


def _due_at_end(incident: Incident, telling: Telling) -> What | None:
    if not telling.is_done and telling.severity is None and telling.is_owed:
        return What.WAS
    if not telling.is_done and telling.severity is not None and not incident.is_superseded:
        return What.OVER
    # It came and went while it was quiet, or before the recipient was named; or another took its place.
    telling.is_done = True
    return None


def next_reminder(telling: Telling, rules: Rules) -> dt.datetime:
    """Return when a recipient is told again of what is still wrong."""
    if telling.told_at is None or not rules.reminder_hours:
        return dt.datetime.max.replace(tzinfo=dt.UTC)
    hours = rules.reminder_hours[min(telling.reminders, len(rules.reminder_hours) - 1)]
    return telling.told_at + dt.timedelta(hours=hours)


def _may_send(mailbox: Mailbox, recipient: Recipient, now: dt.datetime) -> bool:
    mailbox.attempts = [moment for moment in mailbox.attempts if dt.timedelta() <= now - moment < _HOUR]
    if len(mailbox.attempts) >= recipient.most_per_hour:
        mailbox.is_gathering = True
        return False
    return mailbox.next_at is None or not now < mailbox.next_at <= now + _LONGEST_WAIT


def _send(parcel: Parcel, message: Message, send: Send) -> NotifyError | None:
    try:
        send(parcel.recipient.address.get_secret_value(), message)
    except NotifyError as error:
        return error
    except Exception as error:
        # An error of a library for one kind of address; what it says may hold the address.
        return NotAnswered(f"{type(error).__name__} while the message was sent")
    return None


def _note_taken(mailbox: Mailbox, parcel: Parcel, now: dt.datetime) -> None:
    for item in parcel.items:
        telling = item.incident.tellings[parcel.recipient.name]
        # What goes up and down between two severities has been told with the higher.
        known = telling.severity or item.incident.severity
        telling.severity = max(known, item.incident.severity, key=lambda severity: severity.rank)
        telling.told_at, telling.is_owed = now, False
        telling.reminders += item.what == What.STILL
        telling.is_done = item.what in (What.OVER, What.WAS)
    mailbox.failures, mailbox.failing_since, mailbox.next_at, mailbox.error = 0, None, None, None
    mailbox.is_gathering = False


def _note_failed(mailbox: Mailbox, error: NotifyError, now: dt.datetime) -> None:
    mailbox.next_at = now + min(_FIRST_WAIT * 2 ** min(mailbox.failures, 10), _LONGEST_WAIT)
    mailbox.failures += 1
    mailbox.failing_since, mailbox.error = mailbox.failing_since or now, str(error)
    if not isinstance(error, NotAnswered):
        # It did not arrive, so the recipient's bound is not for it.
        mailbox.attempts.remove(now)


def _drop_strangers(state: State, config: AlertsConfig) -> None:
    """Forget recipients that the file names no more: nothing waits for them."""
    names = {recipient.name for recipient in config.recipient}
    state.mailboxes = {name: mailbox for name, mailbox in state.mailboxes.items() if name in names}
    for incident in state.incidents:
        incident.tellings = {name: telling for name, telling in incident.tellings.items() if name in names}
