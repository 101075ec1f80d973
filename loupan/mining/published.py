"""What became of the models in a published snapshot, and their results within a reader's scope."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loupan.metrics.scope import Scope
from loupan.mining.card import Card, Feature
from loupan.mining.result import Evaluation, Field, Picture
from loupan.snapshot import Snapshot

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

RUN_TABLE = "model_run"
OK, ABSTAINED, FAILED = "ok", "abstained", "failed"
# What a scope is bounded by, the column that names it in results, and where the names are.
_NAMED = {
    "project_id": ("project", "dim_project", "project_name"),
    "employee_id": ("employee", "dim_employee", "employee_number"),
}


def output_table(model: str, output: str) -> str:
    """Return the name of the published table of a model's output."""
    return f"model__{model}__{output}"


@dataclass(frozen=True)
class PublishedOutput:
    """A table of results in a snapshot; attributes as those of `loupan.mining.Output`, ``rows`` counts its rows."""

    name: str
    title: str
    rows: int
    fields: dict[str, Field]
    picture: Picture | None
    note: str


@dataclass(frozen=True)
class ModelRun:
    """What became of a model in a refresh.

    Attributes:
        name: of its file, without the ending.
        is_own: whether it is the company's own.
        status: `OK`, `ABSTAINED` or `FAILED`.
        message, values: why it abstained or failed, or its verdict; an English template and what stands in its places.
        seconds: how long it took.
        made_as_of: the moment of the data it was run on (ISO 8601, UTC); None in snapshots of earlier versions.
        trained_as_of: up to when the data it learnt from reach (ISO 8601, UTC); None for a model without memory.
        card: None where the file could not even be read.
    """

    name: str
    is_own: bool
    status: str
    message: str
    values: dict[str, Any]
    seconds: float
    trained_as_of: str | None
    card: Card | None
    evaluation: tuple[Evaluation, ...]
    outputs: tuple[PublishedOutput, ...]
    made_as_of: str | None = None

    @classmethod
    def failure(cls, name: str, is_own: bool, message: str = "", seconds: float = 0.0) -> ModelRun:
        """Return the run of a model of which nothing came."""
        return cls(name, is_own, FAILED, message, {}, seconds, None, None, (), ())

    def output(self, name: str) -> PublishedOutput | None:
        """Return one of its tables, None where there is none of that name."""
        return next((output for output in self.outputs if output.name == name), None)

    def said(self) -> str:
        """Return its message with everything in its place, in English."""
        return self.message.format(**self.values) if self.values else self.message

    def as_row(self) -> tuple[Any, ...]:
        """Return the row of the table ``model_run``."""
        told = {
            "values": self.values,
            "card": None if self.card is None else _plain(self.card),
            "evaluation": [_plain(line) for line in self.evaluation],
            "outputs": [_plain(output) for output in self.outputs],
            "made_as_of": self.made_as_of,
        }
        return (
            self.name, self.is_own, self.status, self.message, self.seconds, self.trained_as_of,
            json.dumps(told, ensure_ascii=False, default=lambda value: value.item()),
        )  # fmt: skip

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> ModelRun:
        """Read a row of the table ``model_run``."""
        name, is_own, status, message, seconds, trained_as_of, told_json = row
        told = json.loads(told_json)
        card = told["card"]
        if card is not None:
            card = Card(**{**card, "features": tuple(Feature(**feature) for feature in card["features"])})
        outputs = tuple(
            PublishedOutput(
                **{
                    **output,
                    "fields": {column: Field(**shown) for column, shown in output["fields"].items()},
                    "picture": Picture(**output["picture"]) if output["picture"] else None,
                }
            )
            for output in told["outputs"]
        )
        evaluation = tuple(Evaluation(**line) for line in told["evaluation"])
        return cls(
            name, is_own, status, message, told["values"], seconds, trained_as_of, card, evaluation, outputs,
            told.get("made_as_of"),
        )  # fmt: skip


def _plain(thing: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(thing)


def published_runs(snapshot: Snapshot) -> tuple[ModelRun, ...]:
    """Return what became of each model, by name; none in snapshots of versions without models.

    Raises:
        DamagedSnapshot: if the file is missing or no readable DuckDB file.
    """
    with snapshot.connect() as connection:
        if not connection.execute("from duckdb_tables() where table_name = ?", [RUN_TABLE]).fetchall():
            return ()
        rows = connection.execute(f"from {RUN_TABLE} order by is_own, name").fetchall()
    return tuple(ModelRun.of_row(row) for row in rows)


def read_output(snapshot: Snapshot, model: str, output: str, scope: Scope) -> pd.DataFrame | None:
    """Return the rows of a model's table that a reader may see; None where it cannot be limited to those.

    Args:
        snapshot: the one in force.
        model, output: names, of a run that `published_runs` told of.
        scope: which rows count for the reader.

    Raises:
        DamagedSnapshot: if the file is missing or no readable DuckDB file.
    """
    table = output_table(model, output)
    with snapshot.connect() as connection:
        relation = connection.table(f'"{table}"')
        if scope.is_everything:
            return relation.df()
        bounds = [
            bound for name, keys in scope.reach or () if (bound := _bound(connection, relation.columns, name, keys))
        ]
        if not bounds:
            return None
        conditions = " or ".join(
            f'list_contains(${i}, cast("{column}" as varchar))' for i, (column, _) in enumerate(bounds, 1)
        )
        return connection.execute(f'from "{table}" where {conditions}', [values for _, values in bounds]).df()


def _bound(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str], name: str, keys: Sequence[str]
) -> tuple[str, list[str]] | None:
    """Return the column of a table that a scope's keys bound, and its values that are within; None where it has none.

    A table without the key itself is bounded by the name that stands for it; a name that several have bounds nothing.
    """
    if name in columns:
        return name, list(keys)
    column, mart, named_by = _NAMED.get(name, ("", "", ""))
    if column not in columns:
        return None
    rows = connection.execute(
        f'select "{named_by}" from {mart} group by 1 having bool_and(list_contains($1, cast("{name}" as varchar)))',  # noqa: S608 - names of our own tables
        [list(keys)],
    ).fetchall()
    return column, [value for (value,) in rows if value is not None]
