"""One fault injected once, and whether all that is promised then holds."""

from __future__ import annotations

import random
import shutil
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from loupan.errors import LoupanError
from tests.faults.company import (
    ERROR,
    PUBLISHED,
    Company,
    Marts,
    Prepared,
    crm_digests,
    differing_marts,
    lost_rows,
    place_anew,
)


@dataclass
class Trial:
    """A company that a fault strikes; the fault writes down what did not hold.

    Attributes:
        company: at its place, with the prepared state.
        prepared: what it began with.
        chance: of this run.
        problems: promises that did not hold.
        where: in which step, or in which way, the fault struck.
        after, marts, crm: what must hold at the end; a fault that changes the CRM for good changes them.
        is_between: whether a refresh published a state of the CRM between that before and that at the end.
        is_damaged: whether the fault spoils what readers read, so that a clear error is all they can be given.
    """

    company: Company
    prepared: Prepared
    chance: random.Random
    problems: list[str] = field(default_factory=list)
    where: str = ""
    after: str = ""
    marts: Marts = field(default_factory=dict)
    crm: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    is_damaged: bool = False
    is_between: bool = False

    def __post_init__(self) -> None:
        self.after, self.marts, self.crm = self.prepared.after, self.prepared.marts, self.prepared.crm

    def expect(self, holds: bool, what: str) -> None:
        """Write down what does not hold."""
        if not holds:
            self.problems.append(what)

    def refused_kindly(self, code: int | None, said: str, *words: str) -> None:
        """Expect a refresh to have ended with a clear message that holds some words."""
        self.expect(code == ERROR, f"ended with {code} instead of {ERROR}: {said[-2000:]}")
        self.expect("Traceback" not in said, f"a traceback instead of a message: {said[-2000:]}")
        for word in words:
            self.expect(word.lower() in said.lower(), f"the message lacks {word!r}: {said[-2000:]}")

    def published(self, code: int | None, said: str) -> None:
        """Expect a refresh to have been published."""
        self.expect(code == PUBLISHED, f"not published, {code}: {said[-2000:]}")

    def readers_read(self) -> None:
        """Expect readers to read a whole snapshot: the one before the fault, or the one that a refresh then made."""
        try:
            version, answers = self.company.look()
        except LoupanError as error:
            self.expect(self.is_damaged, f"readers cannot read: {error}")
            return
        expected = self.prepared.before if version == self.prepared.version else self.after
        known = answers == expected or (self.is_between and version != self.prepared.version)
        self.expect(known, f"readers read other numbers in {version}")

    def expect_present_crm(self) -> None:
        """Let what a clean refresh makes of the CRM as it is now be what must hold at the end."""
        company, self.is_between = self.company, True
        kept = company.data_dir.with_name("kept")
        company.data_dir.rename(kept)
        company.data_dir.mkdir()
        for path in kept.iterdir():
            if path.name.startswith("crm."):
                shutil.copy(path, company.data_dir)
        shutil.copytree(kept / "dbt", company.data_dir / "dbt")
        self.crm = crm_digests(company.url)
        try:
            self.published(*company.refresh())
            (_, self.after), self.marts = company.look(), company.marts()
        finally:
            shutil.rmtree(company.data_dir)
            kept.rename(company.data_dir)


@dataclass(frozen=True)
class Fault:
    """One line of the table.

    Attributes:
        name: on the command line.
        title: in the table.
        inject: strikes; puts right what only people can put right (a disk, a column), and refreshes in between.
        runs: how often, if nothing else is said.
        crm: engine of the CRM.
        models: whether the models run, too.
    """

    name: str
    title: str
    inject: Callable[[Trial], None]
    runs: int = 10
    crm: str = "sqlite"
    models: bool = False


@dataclass
class Outcome:
    """What became of one run."""

    problems: list[str]
    lost: list[str]
    healed: bool
    where: str


def run(fault: Fault, company: Company, prepared: Prepared, seed: int) -> Outcome:
    """Let a fault strike once, refresh, and compare with a clean refresh."""
    place_anew(company, prepared)
    trial = Trial(company, prepared, random.Random(f"{fault.name} {seed}"))
    try:
        fault.inject(trial)
    except Exception:
        trial.problems.append(traceback.format_exc())
    trial.readers_read()
    code, said = company.refresh()
    differing = [f"not published: {said[-2000:]}"] if code != PUBLISHED else _differing(trial)
    lost = lost_rows(trial.crm, crm_digests(company.url))
    if not (company.data_dir / "snapshots" / prepared.version).is_dir():
        lost.append(f"snapshot {prepared.version}")
    problems = [*trial.problems, *differing, *(f"lost: {name}" for name in lost), *left(company)]
    return Outcome(problems, lost, not differing, trial.where)


def _differing(trial: Trial) -> list[str]:
    try:
        _, answers = trial.company.look()
        differing = differing_marts(trial.company.marts(), trial.marts)
    except LoupanError as error:
        return [f"cannot be read after the next refresh: {error}"]
    found = [f"marts differ from a clean refresh: {', '.join(differing)}"] if differing else []
    return found if answers == trial.after else [*found, "answers differ from those after a clean refresh"]


def left(company: Company) -> list[str]:
    """Return files and processes that are still there after the refresh that healed all."""
    unfinished = ("*.tmp", ".building-*", ".deleting-*", ".models-*", "*-spill")
    files = [path for pattern in unfinished for path in company.data_dir.rglob(pattern)]
    files += list(company.temporary.iterdir())
    return [f"left: {path}" for path in files] + [f"still runs: {line}" for line in processes_of(company)]


def processes_of(company: Company, patience: float = 5) -> list[str]:
    """Return the command lines of processes of a company, after so many seconds for them to end."""
    end = time.monotonic() + patience
    while (found := _processes(company.temporary)) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _processes(temporary: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(temporary) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found
