"""``loupan account``: the accounts that sign in, for whoever keeps the server."""

from __future__ import annotations

import sys
from typing import Annotated

import sqlalchemy as sa
import typer

from data_entry import demo_accounts
from data_entry.access import SYSTEM, ensure_roles
from data_entry.database import ready_engine
from data_entry.schema.organisation import Employee, Role
from data_entry.services import accounts, sessions
from data_entry.services.errors import NotFound
from data_entry.services.work import Work, reading, writing
from loupan.console import Format, OutputFormat, write_rows
from loupan.i18n import marked
from loupan.settings import get_settings

app = typer.Typer(help="Make and mend the accounts that sign in to the web app.", no_args_is_help=True)

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The account's login.")]


def _new_password() -> str:
    """Ask for a password twice at a terminal, else read it from the first line of stdin."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt="The same again"))
    return sys.stdin.readline().rstrip("\r\n")


@app.command()
def create(
    login: Login,
    role: Annotated[list[str], typer.Option(help="A role of the account; may be given several times.")],
    employee: Annotated[str, typer.Option(help="Staff number of the employee who signs in with it.")] = "",
    *,
    one_time: Annotated[
        bool, typer.Option("--one-time", help="Make a random password, to be changed at the first login.")
    ] = False,
) -> None:
    """Make an account; its password is asked for, or read from stdin."""
    engine = ready_engine(get_settings().crm_database_url)
    password = None if one_time else _new_password()
    with writing(engine, SYSTEM) as work:
        ensure_roles(work.session)
        account, password = accounts.create(
            work,
            login,
            role_ids=[_role(work, name) for name in role],
            employee_id=_employee(work, employee) if employee else None,
            password=password,
            must_change=one_time,
        )
    typer.echo(f"Made the account {account.login}.")
    if one_time:
        typer.echo(f"Password for the first login: {password}")


def _role(work: Work, name: str) -> int:
    found = work.session.scalar(sa.select(Role.id).where(Role.name == name, Role.deleted_at.is_(None)))
    if found is None:
        known = work.session.scalars(sa.select(Role.name).where(Role.deleted_at.is_(None)).order_by(Role.id))
        raise NotFound(marked("There is no role {name}; there are {known}."), name=name, known=", ".join(known))
    return found


def _employee(work: Work, number: str) -> int:
    found = work.session.scalar(sa.select(Employee.id).where(Employee.number == number, Employee.deleted_at.is_(None)))
    if found is None:
        raise NotFound(marked("There is no employee with the number {number}."), number=number)
    return found


@app.command()
def passwd(
    login: Login,
    *,
    one_time: Annotated[
        bool, typer.Option("--one-time", help="Make a random password, to be changed at the next login.")
    ] = False,
) -> None:
    """Give an account a new password, asked for or read from stdin; its sessions end."""
    engine = ready_engine(get_settings().crm_database_url)
    password = None if one_time else _new_password()
    with writing(engine, SYSTEM) as work:
        account = accounts.by_login(work, login)
        if password is None:
            typer.echo(f"Password for the next login: {accounts.reset_password(work, account.id)}")
        else:
            accounts.set_password(work, account.id, password)
            typer.echo(f"{account.login} has a new password; all its sessions have ended.")


@app.command()
def unlock(login: Login) -> None:
    """Let an account sign in again that was locked after failures."""
    with writing(ready_engine(get_settings().crm_database_url), SYSTEM) as work:
        accounts.unlock(work, accounts.by_login(work, login).id)
    typer.echo(f"{login} may sign in again.")


@app.command()
def deactivate(login: Login) -> None:
    """Keep an account from signing in; its sessions end."""
    with writing(ready_engine(get_settings().crm_database_url), SYSTEM) as work:
        accounts.deactivate(work, accounts.by_login(work, login).id)
    typer.echo(f"{login} may not sign in any more; all its sessions have ended.")


@app.command()
def activate(login: Login) -> None:
    """Let an account sign in again that was deactivated."""
    with writing(ready_engine(get_settings().crm_database_url), SYSTEM) as work:
        accounts.activate(work, accounts.by_login(work, login).id)
    typer.echo(f"{login} may sign in again.")


@app.command("list")
def list_(output_format: Format = OutputFormat.TABLE) -> None:
    """List the accounts."""
    with reading(ready_engine(get_settings().crm_database_url), SYSTEM) as work:
        rows, _ = accounts.listing(work, limit=1_000_000)
    columns = ("login", "employee", "roles", "state", "last_login_at", "sessions")
    write_rows(
        columns,
        [
            {
                "login": row.login,
                "employee": row.employee or "",
                "roles": ", ".join(row.roles),
                "state": "inactive" if not row.is_active else "locked" if row.locked_until else "active",
                "last_login_at": f"{row.last_login_at:%Y-%m-%d %H:%M}Z" if row.last_login_at else "",
                "sessions": row.open_sessions,
            }
            for row in rows
        ],
        output_format,
    )


@app.command("sessions")
def sessions_(
    login: Login,
    *,
    end: Annotated[bool, typer.Option("--end", help="End them all.")] = False,
    output_format: Format = OutputFormat.TABLE,
) -> None:
    """List the open sessions of an account, or end them."""
    engine = ready_engine(get_settings().crm_database_url)
    if end:
        with writing(engine, SYSTEM) as work:
            number = sessions.revoke_all(work, accounts.by_login(work, login).id)
        typer.echo(f"Ended {number} sessions of {login}.")
        return
    with reading(engine, SYSTEM) as work:
        rows = sessions.listing(work, accounts.by_login(work, login).id)
    write_rows(
        ("started_at", "last_seen_at", "expires_at", "method", "address", "browser"),
        [
            {
                "started_at": f"{row.started_at:%Y-%m-%d %H:%M}Z",
                "last_seen_at": f"{row.last_seen_at:%Y-%m-%d %H:%M}Z",
                "expires_at": f"{row.expires_at:%Y-%m-%d %H:%M}Z",
                "method": row.method,
                "address": row.address or "",
                "browser": row.user_agent or "",
            }
            for row in rows
        ],
        output_format,
    )


@app.command()
def demo() -> None:
    """Make an account per ready-made role in a sample company, and say how to sign in."""
    path = demo_accounts.make(ready_engine(get_settings().crm_database_url), get_settings().data_dir)
    typer.echo(path.read_text(encoding="utf-8").rstrip())
    typer.echo(f"(kept in {path})")
