import datetime as dt
import io
import os
import stat
import threading

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from data_entry import demo_accounts
from data_entry.access import SYSTEM, ensure_roles
from data_entry.access.roles import READY_MADE
from data_entry.schema.organisation import Account, AccountSession, AuditLog, Employee, Role
from data_entry.services import accounts, passwords, roles, sessions
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused, ServiceError
from data_entry.services.work import reading, writing
from loupan import cli
from loupan.i18n import translator

PASSWORD, OTHER = "a long word indeed", "quite another word"


class Clock:
    def __init__(self):
        self.now = dt.datetime(2026, 3, 2, 1, 0)

    def __call__(self):
        return self.now

    def forward(self, **span):
        self.now += dt.timedelta(**span)


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch):
    from argon2 import PasswordHasher

    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords._nobodys.cache_clear()
    yield
    passwords._nobodys.cache_clear()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def boss(crm, clock):
    return accounts.create_administrator(crm, "boss", PASSWORD, clock)


@pytest.fixture
def make(crm, clock, boss):
    def make(login, role="sales", **more):
        with writing(crm, SYSTEM, clock) as work:
            key = work.session.scalar(sa.select(Role.id).where(Role.name == role))
            return accounts.create(work, login, role_ids=[key], **{"password": PASSWORD, "must_change": False, **more})[
                0
            ].id

    return make


def trail(crm):
    with Session(crm) as session:
        return [
            tuple(row)
            for row in session.execute(
                sa.select(AuditLog.action, AuditLog.account_id, AuditLog.entity_id)
                .where(AuditLog.entity == "account", AuditLog.action.not_in(("create", "update")))
                .order_by(AuditLog.id)
            )
        ]


def fails(crm, clock, login="boss", password="wrong"):
    with pytest.raises(Refused) as refused:
        accounts.sign_in(crm, login, password, clock=clock)
    return str(refused.value)


def test_a_login_begins_a_session_that_finds_the_account(crm, clock, boss):
    done = accounts.sign_in(crm, " BOSS ", PASSWORD, address="10.0.0.9", user_agent="x" * 999, clock=clock)
    assert (done.account_id, done.must_change_password) == (boss, False)
    with reading(crm, sessions.ByToken(done.token), clock) as work:
        assert work.actor.login == "boss"
    with Session(crm) as session:
        row = session.scalar(sa.select(AccountSession))
        assert row.token_hash == sessions.token_hash(done.token)
        assert done.token not in repr(sessions.ByToken(done.token))
        assert (row.address, len(row.user_agent)) == ("10.0.0.9", 300)
        assert session.get(Account, boss).password_hash.startswith("$argon2id$")
    accounts.sign_out(crm, done.token, clock)
    with pytest.raises(Forbidden), reading(crm, sessions.ByToken(done.token), clock):
        pass
    assert trail(crm) == [("login", boss, boss), ("logout", boss, boss)]


@pytest.mark.parametrize("token", [None, "", "guess", "x" * 10_000, "'; --", "令牌"])
def test_other_tokens_find_nobody(crm, clock, boss, token):
    with pytest.raises(Forbidden), reading(crm, sessions.ByToken(token), clock):
        pass


def test_whatever_is_wrong_is_said_in_the_same_words(crm, clock, make):
    inactive = make("gone")
    with writing(crm, SYSTEM, clock) as work:
        accounts.deactivate(work, inactive)
    words = {
        fails(crm, clock, login, password)
        for login, password in (
            ("boss", "wrong"), ("nobody", "wrong"), ("", ""), ("gone", PASSWORD), ("x" * 999, "x" * 999), ("\0", "\0"),
        )
    }  # fmt: skip
    assert len(words) == 1


def test_failures_lock_for_longer_and_longer(crm, clock, boss):
    for minutes in (15, 30, 60):
        for _ in range(5):
            fails(crm, clock)
        clock.forward(minutes=minutes, seconds=-1)
        fails(crm, clock, password=PASSWORD)
        clock.forward(seconds=1)
    for _ in range(4):
        fails(crm, clock)
    accounts.sign_in(crm, "boss", PASSWORD, clock=clock)
    # A good login forgets them all.
    for _ in range(4):
        fails(crm, clock)
    accounts.sign_in(crm, "boss", PASSWORD, clock=clock)
    with Session(crm) as session:
        assert session.get(Account, boss).failed_count == 0
    assert sum(action == "login_failed" for action, *_ in trail(crm)) == 26


def test_an_administrator_unlocks(crm, clock, boss, make):
    li = make("li")
    for _ in range(5):
        fails(crm, clock, "li")
    fails(crm, clock, "li", PASSWORD)
    with writing(crm, boss, clock) as work:
        accounts.unlock(work, li)
    accounts.sign_in(crm, "li", PASSWORD, clock=clock)


def test_guesses_at_the_same_time_do_not_slip_past_the_lock(crm, clock, boss):
    threads = [threading.Thread(target=fails, args=(crm, clock)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Session(crm) as session:
        account = session.get(Account, boss)
        assert account.failed_count == 5
        assert account.locked_until == clock() + dt.timedelta(minutes=15)


def test_a_hash_of_old_parameters_is_made_anew(crm, clock, boss, monkeypatch):
    from argon2 import PasswordHasher

    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    accounts.sign_in(crm, "boss", PASSWORD, clock=clock)
    with Session(crm) as session:
        assert "m=16,t=2" in session.get(Account, boss).password_hash
    accounts.sign_in(crm, "boss", PASSWORD, clock=clock)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "at least 12"), ("x" * 201, "at most 200"), ("Password2026!", "first"), ("aaaaaaaaaaaa", "first"),
        ("123456789012", "first"), ("QWERTYUIOP!!", "first"), ("boss", "at least"),
        ("Wang.Xiaoming9", "login or the name"),
        (PASSWORD, "the old one"), (" " * 12, "first"),
    ],
)  # fmt: skip
def test_poor_passwords_are_refused_with_the_reason(password, words):
    with pytest.raises(Invalid, match=words) as refused:
        passwords.check_password(password, ["boss", "wang.xiaoming"], passwords.hash_password(PASSWORD))
    assert refused.value.text(translator("zh")) != refused.value.text(translator("en"))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=250))
def test_any_text_is_a_good_password_or_refused(password):
    try:
        passwords.check_password(password, ["boss"], None)
    except Invalid:
        return
    assert 10 <= len(password) <= 200


def test_one_time_passwords_are_good_and_differ():
    made = {passwords.one_time_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        passwords.check_password(password, ["admin"], None)


def test_a_change_of_password_ends_all_sessions(crm, clock, boss):
    tokens = [accounts.sign_in(crm, "boss", PASSWORD, clock=clock).token for _ in range(3)]
    with pytest.raises(Invalid, match="not right"):
        accounts.change_password(crm, tokens[0], "wrong", OTHER, clock=clock)
    with pytest.raises(Invalid, match="the old one"):
        accounts.change_password(crm, tokens[0], PASSWORD, PASSWORD, clock=clock)
    new = accounts.change_password(crm, tokens[0], PASSWORD, OTHER, clock=clock)
    with Session(crm) as session:
        assert [sessions.find(session, token, clock()) for token in tokens] == [None] * 3
        assert sessions.find(session, new, clock()) is not None
    fails(crm, clock, password=PASSWORD)
    with pytest.raises(Forbidden):
        accounts.change_password(crm, tokens[1], OTHER, PASSWORD, clock=clock)


def test_the_old_password_cannot_be_guessed_without_end(crm, clock, boss):
    token = accounts.sign_in(crm, "boss", PASSWORD, clock=clock).token
    for _ in range(5):
        with pytest.raises(ServiceError):
            accounts.change_password(crm, token, "wrong", OTHER, clock=clock)
    with pytest.raises(Refused):
        accounts.change_password(crm, token, PASSWORD, OTHER, clock=clock)


def test_a_reset_password_is_good_for_a_new_one_only(crm, clock, boss, make):
    li = make("li")
    old = accounts.sign_in(crm, "li", PASSWORD, clock=clock)
    with writing(crm, boss, clock) as work:
        once = accounts.reset_password(work, li)
    done = accounts.sign_in(crm, "li", once, clock=clock)
    assert done.must_change_password
    for token in (old.token, done.token):
        with pytest.raises(Forbidden), reading(crm, sessions.ByToken(token), clock):
            pass
    new = accounts.change_password(crm, done.token, once, OTHER, clock=clock)
    with reading(crm, sessions.ByToken(new), clock) as work:
        assert work.actor.account_id == li
    with Session(crm) as session:
        for row in session.scalars(sa.select(AuditLog)):
            text = f"{row.before}{row.after}"
            assert once not in text
            assert OTHER not in text
            assert "argon2" not in text


def test_sessions_are_seen_and_ended_by_their_owner_and_by_administrators(crm, clock, boss, make):
    li, wu = make("li"), make("wu")
    one, two = (accounts.sign_in(crm, "li", PASSWORD, clock=clock).token for _ in range(2))
    other = accounts.sign_in(crm, "wu", PASSWORD, clock=clock).token
    with writing(crm, sessions.ByToken(one), clock) as work:
        mine = sessions.listing(work, li)
        assert len(mine) == 2
        current = sessions.current(work, sessions.ByToken(one))
        with pytest.raises(Forbidden):
            sessions.listing(work, wu)
        with pytest.raises(Forbidden):
            sessions.revoke_all(work, wu)
        theirs = work.session.scalar(sa.select(AccountSession.id).where(AccountSession.account_id == wu))
        for key in (theirs, 10**9):
            with pytest.raises(NotFound):
                sessions.revoke(work, key)
        assert sessions.revoke_all(work, li, but=current) == 1
    with Session(crm) as session:
        assert sessions.find(session, one, clock()) is not None
        assert sessions.find(session, two, clock()) is None
    with writing(crm, boss, clock) as work:
        assert len(sessions.listing(work, wu)) == 1
        sessions.revoke(work, theirs)
    with pytest.raises(Forbidden), reading(crm, sessions.ByToken(other), clock):
        pass
    assert ("revoked", boss, wu) in trail(crm)


def test_deactivating_ends_sessions_at_once(crm, clock, boss, make):
    li = make("li")
    token = accounts.sign_in(crm, "li", PASSWORD, clock=clock).token
    with writing(crm, boss, clock) as work:
        accounts.deactivate(work, li)
    with pytest.raises(Forbidden), reading(crm, sessions.ByToken(token), clock):
        pass
    fails(crm, clock, "li", PASSWORD)
    with writing(crm, boss, clock) as work:
        accounts.activate(work, li)
    # What was ended stays ended.
    with pytest.raises(Forbidden), reading(crm, sessions.ByToken(token), clock):
        pass


def test_the_last_administrator_stays(crm, clock, boss, make):
    def role(work, name):
        return work.session.scalar(sa.select(Role.id).where(Role.name == name))

    with pytest.raises(Refused, match="no active administrator"), writing(crm, boss, clock) as work:
        accounts.deactivate(work, boss)
    with pytest.raises(Refused, match="no active administrator"), writing(crm, boss, clock) as work:
        accounts.set_roles(work, boss, [role(work, "sales")])
    with pytest.raises(Refused, match="no active administrator"), writing(crm, boss, clock) as work:
        roles.set_grants(work, role(work, "admin"), {("customer", "read", "all")})
    with pytest.raises(Refused, match="hold this role"), writing(crm, boss, clock) as work:
        roles.delete(work, role(work, "admin"))
    second = make("second", "admin")
    with writing(crm, second, clock) as work:
        accounts.deactivate(work, boss)
    with pytest.raises(Refused, match="no active administrator"), writing(crm, second, clock) as work:
        accounts.deactivate(work, second)


def test_two_administrators_cannot_remove_each_other_at_once(crm, clock, boss, make):
    second = make("second", "admin")
    start, outcomes = threading.Barrier(2), []

    def remove(actor, other):
        start.wait()
        try:
            with writing(crm, actor, clock) as work:
                accounts.deactivate(work, other)
            outcomes.append("done")
        except ServiceError:
            outcomes.append("refused")

    threads = [threading.Thread(target=remove, args=pair) for pair in ((boss, second), (second, boss))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Session(crm) as session:
        assert roles.administrators(session)


@pytest.mark.parametrize("role", [name for name in READY_MADE if name != "admin"])
def test_nobody_else_administers(crm, clock, boss, make, role):
    actor, other = make("actor", role), make("other")
    attempts = [
        lambda work: accounts.create(work, "new", role_ids=[], password=PASSWORD),
        lambda work: accounts.reset_password(work, other),
        lambda work: accounts.set_password(work, other, OTHER),
        lambda work: accounts.unlock(work, other),
        lambda work: accounts.deactivate(work, other),
        lambda work: accounts.set_roles(work, actor, [1]),
        lambda work: accounts.link_employee(work, actor, None),
        accounts.listing,
        roles.listing,
        lambda work: roles.grants_of(work, 1),
        lambda work: roles.create(work, "mine", None, like=1),
        lambda work: roles.set_grants(work, 1, set()),
    ]
    for attempt in attempts:
        with pytest.raises((Forbidden, NotFound)), writing(crm, actor, clock) as work:
            attempt(work)


def test_who_may_change_accounts_cannot_rise_by_it(crm, clock, boss, make):
    with writing(crm, boss, clock) as work:
        helper = roles.create(work, "helper", None)
        grants = {("account", action, "all") for action in ("read", "create", "update")}
        grants |= {("account_role", "update", "all"), ("role", "update", "all"), ("role_permission", "update", "all")}
        grants |= {("role", "read", "all"), ("role", "create", "all")}
        roles.set_grants(work, helper.id, grants)
        admin = work.session.scalar(sa.select(Role.id).where(Role.name == "admin"))
    actor = make("actor", "helper")
    attempts = [
        lambda work: accounts.reset_password(work, boss),
        lambda work: accounts.deactivate(work, boss),
        lambda work: accounts.set_roles(work, actor, [admin]),
        lambda work: accounts.set_roles(work, boss, []),
        lambda work: accounts.create(work, "new", role_ids=[admin]),
        lambda work: roles.set_grants(work, helper.id, grants | {("*", "*", "all")}),
        lambda work: roles.create(work, "mine", None, like=admin),
    ]
    for attempt in attempts:
        with pytest.raises(Forbidden), writing(crm, actor, clock) as work:
            attempt(work)
    with writing(crm, actor, clock) as work:
        accounts.create(work, "peer", role_ids=[helper.id])


@pytest.mark.parametrize("login", ["", " ", "a b", "x" * 101, "a\nb", "BOSS", "a\0b"])
def test_a_poor_login_is_refused(crm, clock, boss, login):
    with pytest.raises(Invalid), writing(crm, boss, clock) as work:
        accounts.create(work, login, role_ids=[])


def test_an_employee_has_one_account(crm, clock, boss, make):
    with writing(crm, SYSTEM, clock) as work:
        employee = work.add(Employee(number="E1", name="李雷")).id
    make("li", employee_id=employee)
    with pytest.raises(Invalid, match="li already"):
        make("lei", employee_id=employee)
    with pytest.raises(NotFound):
        make("lei", employee_id=10**9)
    with writing(crm, SYSTEM, clock) as work:
        other = work.add(Employee(number="E2", name="wang xiaoming")).id
    with pytest.raises(Invalid, match="login or the name"):
        make("wx", employee_id=other, password="Wang Xiaoming")


def test_the_first_administrator_is_the_first(crm, clock, boss):
    with pytest.raises(Refused, match="already"):
        accounts.create_administrator(crm, "another", PASSWORD, clock)


def test_a_provider_s_word_signs_in_who_has_an_account(crm, clock, boss, make):
    li = make("li@example.com")
    for names in ([], ["nobody"], [""], ["x" * 999]):
        with pytest.raises(Refused):
            accounts.sign_in_by_provider(crm, "iss sub", names, clock=clock)
    done = accounts.sign_in_by_provider(crm, "iss sub", ["LI@example.com"], clock=clock)
    assert done.account_id == li
    # From now on by the subject alone; another subject of the same name is somebody else.
    assert accounts.sign_in_by_provider(crm, "iss sub", [], clock=clock).account_id == li
    with pytest.raises(Refused):
        accounts.sign_in_by_provider(crm, "iss other", ["li@example.com"], clock=clock)
    with writing(crm, boss, clock) as work:
        accounts.deactivate(work, li)
    with pytest.raises(Refused):
        accounts.sign_in_by_provider(crm, "iss sub", ["li@example.com"], clock=clock)
    with Session(crm) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Account)) == 2


def test_the_language_is_one_s_own(crm, clock, boss):
    for given_, kept in (("zh_CN", "zh_CN"), ("xx", None), ("en", "en")):
        with writing(crm, boss, clock) as work:
            accounts.set_locale(work, given_)
        with reading(crm, boss, clock) as work:
            assert accounts.own(work).locale == kept


def test_the_list_is_searched_and_paged(crm, clock, boss, make):
    for number in range(5):
        make(f"li{number}")
    with reading(crm, boss, clock) as work:
        rows, total = accounts.listing(work, "LI", 2, 2)
        assert ([row.login for row in rows], total) == (["li2", "li3"], 5)
        assert rows[0].roles == ("sales",)
        assert accounts.listing(work, "%")[1] == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(login=st.text(max_size=120), password=st.text(max_size=300))
def test_any_login_is_refused_or_right(sqlite_crm, login, password):
    with pytest.raises(Refused):
        accounts.sign_in(sqlite_crm, login, password)


@pytest.fixture
def sqlite_crm(sqlite_url):
    from data_entry.database import create_engine_for, create_schema

    engine = create_engine_for(sqlite_url)
    create_schema(engine)
    yield engine
    engine.dispose()


def test_demonstration_accounts_are_made_once_and_kept_private(crm, clock, tmp_path):
    path = demo_accounts.make(crm, tmp_path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    made = demo_accounts.passwords(tmp_path)
    assert list(made) == list(READY_MADE)
    assert demo_accounts.make(crm, tmp_path).read_text() == path.read_text()
    assert demo_accounts.passwords(tmp_path) == made
    for login, password in made.items():
        assert not accounts.sign_in(crm, login, password, clock=clock).must_change_password
    with pytest.raises(Refused, match="accounts of its own"):
        demo_accounts.make(crm, tmp_path / "elsewhere")


def test_the_command_takes_passwords_from_stdin(crm_place, crm, monkeypatch, capsys):
    monkeypatch.setenv("LOUPAN_CRM_URL", crm_place)
    from loupan.settings import get_settings

    get_settings.cache_clear()

    def run(*arguments, text=""):
        monkeypatch.setattr("sys.argv", ["loupan", *arguments])
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        output = capsys.readouterr()
        return int(stopped.value.code or 0), output.out + output.err

    assert run("account", "create", "boss", "--role", "admin", text=f"{PASSWORD}\n")[0] == 0
    code, output = run("account", "create", "li", "--role", "nothing", text=f"{PASSWORD}\n")
    assert code == 1
    assert "sales_manager" in output
    assert run("account", "create", "li", "--role", "sales", "--employee", "E9", text=PASSWORD)[0] == 1
    assert run("account", "create", "li", "--role", "sales", text="short\n")[0] == 1
    code, output = run("account", "create", "li", "--role", "sales", "--one-time")
    assert code == 0
    assert accounts.sign_in(crm, "li", output.split()[-1]).must_change_password
    assert run("account", "passwd", "li", text=f"{OTHER}\n")[0] == 0
    accounts.sign_in(crm, "li", OTHER)
    assert "li" in run("account", "list", "--format", "csv")[1]
    assert "password" in run("account", "sessions", "li")[1]
    assert "Ended 1" in run("account", "sessions", "li", "--end")[1]
    assert run("account", "deactivate", "li")[0] == 0
    code, output = run("account", "deactivate", "boss")
    assert code == 1
    assert "no active administrator" in output
    assert run("account", "unlock", "nobody")[0] == 1


def test_roles_are_made_and_changed(crm, clock, boss):
    with writing(crm, SYSTEM, clock) as work:
        assert ensure_roles(work.session) == []
        sales = work.session.scalar(sa.select(Role.id).where(Role.name == "sales"))
    with writing(crm, boss, clock) as work:
        role = roles.create(work, "  junior ", "customers", like=sales)
        assert roles.grants_of(work, role.id) == roles.grants_of(work, sales)
        roles.change(work, role.id, "trainee", "home")
        roles.set_grants(work, role.id, {("customer", "read", "own")})
        roles.set_grants(work, role.id, {("customer", "read", "all"), ("lead", "read", "own")})
        roles.set_grants(work, role.id, {("customer", "read", "own")})
        assert roles.grants_of(work, role.id) == {("customer", "read", "own")}
        for name in ("", " ", "sales", "x" * 101):
            with pytest.raises(Invalid):
                roles.create(work, name, None)
        poor = (("", "read", "own"), ("customer", "", "own"), ("customer", "read", "world"), ("x" * 101, "r", "all"))
        for grant in poor:
            with pytest.raises(Invalid):
                roles.set_grants(work, role.id, {grant})
        roles.delete(work, role.id)
        assert "trainee" not in [known.name for known in roles.listing(work)]
