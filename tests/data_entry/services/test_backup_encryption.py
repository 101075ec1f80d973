"""Encrypted backups: restored with the key, opened by any program for age, refused with one message otherwise."""

from __future__ import annotations

import io
import logging
import os
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pyrage
import pytest
import sqlalchemy as sa

from data_entry.database import create_engine_for
from data_entry.schema import metadata
from data_entry.services import backup
from data_entry.services.backup import BackupError
from data_entry.services.backup.encryption import make_key
from loupan.settings import Settings
from tests.data_entry.services.test_backup import content, fill_with_oddities
from tests.support.command import Command
from tests.support.crm import create_crm

NAME = "丁·unmistakable·name"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[sa.Engine, Settings, Path]:
    folder = tmp_path_factory.mktemp("encrypted")
    make_key(folder / "key.txt")
    settings = Settings(data_dir=folder / "data", backup_key_file=folder / "key.txt")
    engine = create_engine_for(settings.crm_database_url)
    create_crm(engine)
    fill_with_oddities(engine, 6)
    with engine.begin() as connection:
        connection.execute(sa.insert(metadata.tables["customer"]).values(name=NAME))
    settings.attachments_dir.mkdir()
    body = os.urandom(200_000)  # four chunks
    (settings.attachments_dir / sha256(body).hexdigest()).write_bytes(body)
    return engine, settings, backup.create(engine, settings)


def test_it_is_restored_with_the_key(saved: tuple[sa.Engine, Settings, Path], tmp_path: Path) -> None:
    engine, settings, path = saved
    assert path.name.endswith(".zip.age")
    assert path.stat().st_mode & 0o777 == 0o600
    there = Settings(data_dir=tmp_path, backup_key_file=settings.backup_key_file)
    target = create_engine_for(there.crm_database_url)
    backup.restore(target, there, path)
    assert content(target) == content(engine)
    assert backup.drill(engine, settings, path).passed
    target.dispose()


def test_it_tells_nothing_without_the_key(saved: tuple[sa.Engine, Settings, Path]) -> None:
    _, settings, path = saved
    data = path.read_bytes()
    assert b"PK" not in data[:4]
    for word in (b"manifest.json", b"customer", NAME.encode()):
        assert word not in data
    # The list does not open it, and knows what was found when it was made.
    (found,) = backup.listing(settings)
    assert found.is_encrypted
    assert found.rows == backup.verify(path, settings=settings).rows


def test_any_program_for_age_opens_it(saved: tuple[sa.Engine, Settings, Path]) -> None:
    _, settings, path = saved
    assert settings.backup_key_file is not None
    secret = settings.backup_key_file.read_text(encoding="ascii").split()[-1]
    plain = pyrage.decrypt(path.read_bytes(), [pyrage.x25519.Identity.from_str(secret)])
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        assert NAME.encode() in archive.read("tables/customer.jsonl")


def test_plain_ones_are_restored_where_a_key_is_set(saved: tuple[sa.Engine, Settings, Path], tmp_path: Path) -> None:
    engine, settings, _ = saved
    path = backup.create(engine, Settings(data_dir=settings.data_dir), folder=tmp_path / "plain")
    assert path.suffix == ".zip"
    there = Settings(data_dir=tmp_path / "there", backup_key_file=settings.backup_key_file)
    target = create_engine_for(there.crm_database_url)
    backup.restore(target, there, path)
    assert content(target) == content(engine)
    target.dispose()


def _another_key(path: Path, settings: Settings, folder: Path) -> tuple[Path, Path | None]:
    make_key(folder / "other.txt")
    return path, folder / "other.txt"


def _no_key(path: Path, settings: Settings, folder: Path) -> tuple[Path, Path | None]:
    return path, None


def _public_key_alone(path: Path, settings: Settings, folder: Path) -> tuple[Path, Path | None]:
    assert settings.backup_key_file is not None
    (folder / "public.txt").write_text(settings.backup_key_file.read_text().split()[3], encoding="ascii")
    return path, folder / "public.txt"


def _changed(change: Callable[[bytes], bytes]) -> Callable[[Path, Settings, Path], tuple[Path, Path | None]]:
    def damage(path: Path, settings: Settings, folder: Path) -> tuple[Path, Path | None]:
        copy = folder / path.name
        copy.write_bytes(change(path.read_bytes()))
        return copy, settings.backup_key_file

    return damage


def _key_of(text: str) -> Callable[[Path, Settings, Path], tuple[Path, Path | None]]:
    def spoil(path: Path, settings: Settings, folder: Path) -> tuple[Path, Path | None]:
        (folder / "odd.txt").write_text(text, encoding="utf-8")
        return path, folder / "odd.txt"

    return spoil


REFUSED: dict[str, tuple[Callable[[Path, Settings, Path], tuple[Path, Path | None]], str]] = {
    "another key": (_another_key, "encrypted with another key"),
    "no key": (_no_key, "is encrypted. Set LOUPAN_BACKUP_KEY_FILE"),
    "public key alone": (_public_key_alone, "the secret key opens it"),
    "key file gone": (lambda p, s, f: (p, f / "nowhere.txt"), "cannot be read"),
    "key file of something else": (_key_of("hello\n密钥\n"), "cannot be used"),
    "key with a slip": (_key_of("AGE-SECRET-KEY-1QQQQQ\n"), "cannot be used"),
    "no key in the file": (_key_of("# nothing\n"), "holds no age key"),
    "a byte changed": (_changed(lambda d: d[:90_000] + bytes([d[90_000] ^ 1]) + d[90_001:]), "altered"),
    "a byte of its head changed": (_changed(lambda d: d[:60] + bytes([d[60] ^ 1]) + d[61:]), "altered"),
    "cut short": (_changed(lambda d: d[:-100]), "cut short"),
    "cut to whole chunks": (_changed(lambda d: d[: d.index(b"\n---") + 49 + 16 + 2 * (65536 + 16)]), "cut short"),
    "only its head": (_changed(lambda d: d[:22]), "cut short"),
    "more at the end": (_changed(lambda d: d + b"x" * 70000), "altered"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_one_message_says_what_is_wrong(
    what: str, saved: tuple[sa.Engine, Settings, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, settings, path = saved
    spoil, message = REFUSED[what]
    damaged, key = spoil(path, settings, tmp_path)
    there = Settings(data_dir=tmp_path / "there", backup_key_file=key)
    target = create_engine_for(there.crm_database_url)
    with caplog.at_level(logging.DEBUG), pytest.raises(BackupError, match=message) as refused:
        backup.restore(target, there, damaged)
    assert not Path(str(target.url.database)).exists()
    assert "SECRET-KEY" not in caplog.text + str(refused.value)
    target.dispose()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    make_key(tmp_path / "key.txt")
    before = (tmp_path / "key.txt").read_text(encoding="ascii")
    with pytest.raises(BackupError, match="never overwritten"):
        make_key(tmp_path / "key.txt")
    assert (tmp_path / "key.txt").read_text(encoding="ascii") == before
    assert (tmp_path / "key.txt").stat().st_mode & 0o777 == 0o600


def test_a_server_that_has_only_the_public_key_makes_backups_it_need_not_open(tmp_path: Path) -> None:
    public = make_key(tmp_path / "secret.txt")
    (tmp_path / "public.txt").write_text(public, encoding="ascii")
    settings = Settings(data_dir=tmp_path / "data", backup_key_file=tmp_path / "public.txt")
    engine = create_engine_for(settings.crm_database_url)
    create_crm(engine)
    path = backup.create(engine, settings)
    elsewhere = Settings(data_dir=tmp_path / "elsewhere", backup_key_file=tmp_path / "secret.txt")
    assert backup.verify(path, settings=elsewhere).rows == 0
    engine.dispose()


def test_a_key_that_cannot_be_used_makes_no_backup(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", backup_key_file=tmp_path / "nowhere.txt")
    engine = create_engine_for(settings.crm_database_url)
    create_crm(engine)
    with pytest.raises(BackupError, match="LOUPAN_BACKUP_KEY_FILE"):
        backup.create(engine, settings)
    assert not list(settings.backups_dir.glob("*.zip*"))
    engine.dispose()


def test_the_commands(tmp_path: Path) -> None:
    data, key = tmp_path / "data", tmp_path / "key.txt"
    environment = {"LOUPAN_DATA_DIR": str(data), "PATH": "/usr/bin:/bin"}

    def run(*arguments: str, code: int = 0) -> str:
        command = Command(arguments, environment)
        out, err = command.communicate()
        assert command.returncode == code, out + err
        return out + err

    run("crm", "init")
    said = run("backup", "keygen", str(key))
    environment["LOUPAN_BACKUP_KEY_FILE"] = str(key)
    said += run("backup", "create")
    assert "encrypted" in run("backup", "list")
    said += run("backup", "verify")
    said += run("backup", "drill")
    assert "can be relied upon" in said
    assert '"passed"' in run("backup", "drills", "--format", "json")
    (path,) = (data / "backups").glob("*.age")
    path.write_bytes(path.read_bytes()[:-1])
    said += run("backup", "drill", code=1)
    assert "The drill with" in said
    assert "failed" in run("backup", "drills")
    assert "SECRET-KEY" not in said
    for file in data.rglob("*"):
        assert not file.is_file() or b"SECRET-KEY" not in file.read_bytes()
