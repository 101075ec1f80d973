"""Files that are damaged between two refreshes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from loupan.errors import LoupanError
from tests.faults.trial import Fault, Trial

Damage = Callable[[Path, random.Random], None]
_PAGE = 4096


def _flip(path: Path, chance: random.Random) -> None:
    """Change bytes in a few places."""
    with path.open("r+b") as file:
        for _ in range(chance.randint(1, 40) if path.stat().st_size else 0):
            place = chance.randrange(path.stat().st_size)
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ chance.randint(1, 255)]))


def _flip_page(path: Path, chance: random.Random) -> None:
    """Fill a stretch with rubbish, as a bad block does."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(chance.randrange(max(1, size - _PAGE)))
        file.write(chance.randbytes(min(size, _PAGE)))


def _truncate(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(chance.randrange(1, max(2, path.stat().st_size)))


def _replace(path: Path, chance: random.Random) -> None:
    path.write_bytes(b"no database at all\n" * chance.randint(1, 999))


def _empty(path: Path, _: random.Random) -> None:
    path.write_bytes(b"")


def _remove(path: Path, _: random.Random) -> None:
    path.unlink()


def _make_folder(path: Path, _: random.Random) -> None:
    path.unlink()
    path.mkdir()


_KINDS: dict[str, Damage] = {
    "bytes changed": _flip,
    "block overwritten": _flip_page,
    "truncated": _truncate,
    "replaced by text": _replace,
    "emptied": _empty,
    "removed": _remove,
}


def _warehouse(trial: Trial) -> None:
    name, damage = _pick(trial, _KINDS)
    damage(trial.company.data_dir / "warehouse.duckdb", trial.chance)
    if trial.chance.random() < 0.2:
        (trial.company.data_dir / "warehouse.duckdb.wal").write_bytes(trial.chance.randbytes(5000))
        name += " and rubbish as its log"
    trial.where = name


def _pick(trial: Trial, kinds: dict[str, Damage]) -> tuple[str, Damage]:
    name = trial.chance.choice(sorted(kinds))
    return name, kinds[name]


def _snapshot(trial: Trial) -> None:
    trial.is_damaged = True
    folder = trial.company.data_dir / "snapshots"
    file = trial.chance.choice(["CURRENT", "marts.duckdb", "report.json", "semantic_manifest.json"])
    path = folder / file if file == "CURRENT" else folder / trial.prepared.version / file
    kind, damage = _pick(trial, _KINDS)
    damage(path, trial.chance)
    trial.where = f"{file} {kind}"
    try:
        version, answers = trial.company.look()
    except LoupanError as error:
        trial.expect(str(folder) in str(error), f"the message does not say where: {error}")
    else:
        # A few changed bytes may lie where nothing is read; what is read must be right.
        trial.expect((version, answers) == (trial.prepared.version, trial.prepared.before), "wrong numbers are read")


def _no_such_version(path: Path, _: random.Random) -> None:
    path.write_text("20200101T000000000000Z\n", encoding="utf-8")


def _pointer(trial: Trial) -> None:
    """``CURRENT`` alone: with one command, readers read again before any refresh."""
    trial.is_damaged = True
    kinds: dict[str, Damage] = {
        "names no snapshot": _no_such_version,
        "truncated": _truncate,
        "replaced by text": _replace,
        "emptied": _empty,
        "removed": _remove,
    }
    trial.where, damage = _pick(trial, kinds)
    damage(trial.company.data_dir / "snapshots" / "CURRENT", trial.chance)
    try:
        trial.company.look()
        trial.expect(False, "no error though CURRENT is damaged")
    except LoupanError as error:
        trial.expect("rollback" in str(error), f"the message does not say what to do: {error}")
    code, said = trial.company.run("snapshots", "rollback")
    trial.expect(code == 0, f"rollback failed: {said}")
    trial.is_damaged = False


def _dagster(trial: Trial) -> None:
    home = trial.company.data_dir / "dagster"
    files = sorted(path for path in home.rglob("*") if path.is_file() and path.name != ".telemetry")
    kind, damage = _pick(trial, _KINDS)
    for path in trial.chance.sample(files, trial.chance.randint(1, len(files))):
        damage(path, trial.chance)
    trial.where = kind


def _state(trial: Trial) -> None:
    data_dir = trial.company.data_dir
    files = [
        data_dir / name
        for name in ("last_refresh.json", "refresh_history.json", "refresh_progress.json", "lineage.json")
    ]
    files += [path for path in (data_dir / "dbt" / "duckdb").iterdir() if path.is_file()]
    kind, damage = _pick(trial, _KINDS | {"replaced by a folder": _make_folder})
    path = trial.chance.choice([path for path in files if path.exists()])
    damage(path, trial.chance)
    trial.where = f"{path.name} {kind}"


FAULTS = (
    Fault("warehouse-damaged", "warehouse file damaged", _warehouse, 12),
    Fault("snapshot-damaged", "snapshot damaged", _snapshot, 12),
    Fault("pointer-damaged", "CURRENT damaged, then `loupan snapshots rollback`", _pointer, 5),
    Fault("dagster-damaged", "Dagster's records damaged", _dagster, 10),
    Fault("state-damaged", "state, lineage or dbt's files damaged", _state, 12),
)
