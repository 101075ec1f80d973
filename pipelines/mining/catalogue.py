"""Which models there are: the files of this package and the company's own. None is imported here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from loupan.errors import LoupanError
from loupan.mining.result import NAME
from loupan.settings import Settings

_OURS = Path(__file__).with_name("models")


class UnusableModel(LoupanError):
    """A model's file cannot be used; the message says why."""


@dataclass(frozen=True)
class ModelFile:
    """One model, known by its file only: the file may be broken, and running it must not harm who looks it up."""

    name: str
    path: Path
    is_own: bool

    def reads(self) -> tuple[str, ...]:
        """Return the marts the file names in ``READS``, without running it.

        Raises:
            UnusableModel: if it cannot be read, is no Python, or has no literal ``READS``.
        """
        for value in self._constants("READS"):
            if isinstance(value, tuple | list) and all(isinstance(mart, str) for mart in value):
                return tuple(value)
        raise UnusableModel(
            f'{self.path} has no READS. Name the marts it reads, as plain text: READS = ("fct_lead", "dim_project")'
        )

    def runs_once_a_day(self) -> bool:
        """Say whether the results of a day's first refresh serve for the day, by ``ONCE_A_DAY = True``.

        Raises:
            UnusableModel: if the file cannot be read or is no Python.
        """
        return any(value is True for value in self._constants("ONCE_A_DAY"))

    def _constants(self, name: str) -> Iterator[Any]:
        """Give the plain values that the file assigns to a name."""
        if not NAME.fullmatch(self.path.stem) or "__" in self.path.stem:
            raise UnusableModel(
                f"{self.path} cannot be a model by its name: use small letters, digits and single underscores, at most "
                "41 characters"
            )
        try:
            tree = ast.parse(self.path.read_text(encoding="utf-8"), str(self.path))
        except (OSError, UnicodeDecodeError, SyntaxError, ValueError) as error:
            raise UnusableModel(f"{self.path} cannot be read: {error}") from error
        for statement in tree.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                with suppress(ValueError):
                    yield ast.literal_eval(statement.value)  # type: ignore[attr-defined]


def model_files(settings: Settings) -> tuple[ModelFile, ...]:
    """Return the models that are to run by name, ours first; files whose names begin with ``_`` are no models."""
    ours = [ModelFile(path.stem, path, False) for path in sorted(_OURS.glob("*.py")) if path.stem != "__init__"]
    found = {model.name: model for model in ours}
    for path in sorted(settings.models_dir.glob("*.py")):
        if path.stem.startswith("_"):
            continue
        # Also what cannot be used is told of, under a name that can. A name taken twice would let one model's results
        # stand as the other's.
        plain = path.stem if NAME.fullmatch(path.stem) else re.sub(r"[^a-z0-9]+", "_", f"unusable {path.stem}".lower())
        name = next(f"{'own_' * i}{plain}" for i in count() if f"{'own_' * i}{plain}" not in found)
        found[name] = ModelFile(name, path, True)
    return tuple(model for model in found.values() if settings.runs_model(model.name))
