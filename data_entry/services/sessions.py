"""Signed-in browsers: a session begins with a login, and ends by logout, by revocation, unused, or with its time.

The browser keeps a random token of 256 bits; the CRM knows its hash alone, so a copy of the database opens nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.schema.organisation import Account, AccountSession
from data_entry.services.errors import Forbidden, NotFound
from data_entry.services.work import Work
from loupan.i18n import marked
from loupan.settings import get_settings

_TOKEN_BYTES = 32
# The use of a session is written down this often at most: every click would be a write.
SEEN_EVERY = dt.timedelta(minutes=1)
ENDED = marked("You are not signed in any more. Sign in again.")


def token_hash(token: str) -> str:
    """Return what the CRM keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def idle_time() -> dt.timedelta:
    """Return how long a session may lie unused."""
    return dt.timedelta(minutes=get_settings().session_idle_minutes)


@dataclass(frozen=True)
class Visit:
    """A valid session, as it is at a moment.

    Attributes:
        session_id: key of the session.
        account_id: who is signed in.
        must_change_password: whether nothing but a new password is allowed.
        last_seen_at: as written down; up to a minute behind.
    """

    session_id: int
    account_id: int
    must_change_password: bool
    last_seen_at: dt.datetime


def _open(now: dt.datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        AccountSession.ended_at.is_(None),
        AccountSession.deleted_at.is_(None),
        AccountSession.expires_at > now,
        AccountSession.last_seen_at > now - idle_time(),
    )


def find(session: Session, token: str | None, now: dt.datetime) -> Visit | None:
    """Return the valid session of a token, None where there is none or its account may not sign in."""
    if not token or len(token) > 200:
        return None
    row = session.execute(
        sa.select(
            AccountSession.id,
            AccountSession.account_id,
            # Who signed in at the provider needs no password here.
            sa.and_(Account.must_change_password, AccountSession.method == "password"),
            AccountSession.last_seen_at,
        )
        .join(Account, Account.id == AccountSession.account_id)
        .where(
            AccountSession.token_hash == token_hash(token),
            _open(now),
            Account.is_active,
            Account.deleted_at.is_(None),
        )
    ).one_or_none()
    return None if row is None else Visit(row[0], row[1], bool(row[2]), row[3])


@dataclass(frozen=True)
class ByToken:
    """Finds the account that a browser is signed in with, by the token it brought; see `work.Identify`."""

    token: str | None = field(repr=False)

    def __call__(self, session: Session, now: dt.datetime) -> int:
        """Return the key of the account; raise `Forbidden` where nobody is signed in."""
        visit = find(session, self.token, now)
        if visit is None or visit.must_change_password:
            raise Forbidden(ENDED)
        return visit.account_id


def current(work: Work, identify: object) -> int | None:
    """Return the key of the session that `identify` stands for, None where it is no browser's."""
    visit = find(work.session, identify.token, work.now) if isinstance(identify, ByToken) else None
    return visit.session_id if visit else None


def begin(work: Work, account_id: int, method: str, address: str | None, user_agent: str | None) -> str:
    """Begin a session and return its token, which is known to nobody else."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    work.session.add(
        AccountSession(
            account_id=account_id,
            token_hash=token_hash(token),
            method=method,
            started_at=work.now,
            last_seen_at=work.now,
            expires_at=work.now + dt.timedelta(hours=get_settings().session_hours),
            address=(address or "")[:64] or None,
            user_agent=(user_agent or "")[:300] or None,
        )
    )
    work.session.flush()
    return token


def touch(session: Session, session_id: int, now: dt.datetime) -> None:
    """Write down that a session is in use, unless that was done within the last minute."""
    session.execute(
        sa.update(AccountSession)
        .where(AccountSession.id == session_id, AccountSession.last_seen_at <= now - SEEN_EVERY)
        .values(last_seen_at=now)
    )


def end(work: Work, token: str) -> bool:
    """End the session of a token, as at logout; say whether there was one."""
    row = work.session.scalar(
        sa.select(AccountSession).where(
            AccountSession.token_hash == token_hash(token), AccountSession.ended_at.is_(None)
        )
    )
    if row is None:
        return False
    row.ended_at = work.now
    work.session.flush()
    work.log("logout", "account", row.account_id)
    return True


def end_all(work: Work, account_id: int, reason: str, but: int | None = None) -> int:
    """End the open sessions of an account and return how many they were.

    Args:
        work: the work.
        account_id: whose.
        reason: what the trail says of it, such as ``revoked``.
        but: key of a session that stays.
    """
    rows = work.session.scalars(
        sa.select(AccountSession).where(
            AccountSession.account_id == account_id,
            AccountSession.ended_at.is_(None),
            AccountSession.id != (but if but is not None else -1),
        )
    ).all()
    for row in rows:
        row.ended_at = work.now
    work.session.flush()
    if rows:
        work.log("revoked", "account", account_id, sessions=len(rows), reason=reason)
    return len(rows)


def _require_own_or(work: Work, action: str, account_id: int) -> None:
    """Let everybody deal with their own sessions, and administrators with all."""
    if work.actor.account_id is not None and account_id == work.actor.account_id:
        return
    if "all" not in work.actor.require(action, "account_session"):
        raise Forbidden(marked("You may not do this with this record."))


def listing(work: Work, account_id: int) -> list[AccountSession]:
    """Return the open sessions of an account, the one used last first.

    Raises:
        Forbidden: if they are somebody else's and the actor administers no sessions.
    """
    _require_own_or(work, "read", account_id)
    return list(
        work.session.scalars(
            sa.select(AccountSession)
            .where(AccountSession.account_id == account_id, _open(work.now))
            .order_by(AccountSession.last_seen_at.desc(), AccountSession.id.desc())
        )
    )


def revoke(work: Work, session_id: int) -> None:
    """End one session, one's own or, as an administrator, anybody's.

    Raises:
        NotFound: if there is none, or it is somebody else's and the actor administers no sessions.
    """
    row = work.session.get(AccountSession, session_id)
    try:
        if row is None:
            raise NotFound(marked("There is no such record, or you may not see it."))
        _require_own_or(work, "update", row.account_id)
    except Forbidden as error:
        raise NotFound(marked("There is no such record, or you may not see it.")) from error
    if row.ended_at is None:
        row.ended_at = work.now
        work.session.flush()
        work.log("revoked", "account", row.account_id, sessions=1, reason="one")


def revoke_all(work: Work, account_id: int, but: int | None = None) -> int:
    """End all sessions of an account, except the one of the key `but`; return how many they were."""
    _require_own_or(work, "update", account_id)
    return end_all(work, account_id, "all", but=but)


def count_open(session: Session, now: dt.datetime) -> int:
    """Return how many sessions are open at a moment."""
    return int(session.scalar(sa.select(sa.func.count()).select_from(AccountSession).where(_open(now))) or 0)


def counts(work: Work, account_ids: list[int]) -> dict[int, int]:
    """Return how many sessions are open, by account."""
    found = work.session.execute(
        sa.select(AccountSession.account_id, sa.func.count())
        .where(AccountSession.account_id.in_(account_ids), _open(work.now))
        .group_by(AccountSession.account_id)
    )
    return {row[0]: row[1] for row in found}
