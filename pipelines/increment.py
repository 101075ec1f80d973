"""Which part of the models an incremental build makes, and with which SQL.

Nearly all rows of the models follow from the rows of one customer, and of customers linked to it. So the SQL of a model
is run once more, over *twins* of the relations it reads that hold only the rows of the customers whose rows may differ;
what the model held of them is replaced. See docs/incremental.md, also for what a model says of itself under
``meta.increment``.
"""

# ruff: noqa: S608 - names and values in the SQL are quoted by pipelines.sql

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import duckdb

from loupan.errors import LoupanError
from loupan.marts_file import NO_ROW
from pipelines import delta, sql
from pipelines.contract import Contract, Table

# Holds, while a build runs: the twins, the keys of the rows that are replaced, and the sums that changed.
SCHEMA = "increment"
# Holds the twins as they were when the models were last built.
BEFORE = "before"
# The prefixes of the tables that say which rows are replaced.
KEPT_TABLES = (KEY, REACHED, CHANGED) = ("key_", "reached_", "changed_")
# The prefix of the tables of the rows that come in their place.
ROWS = "rows_"
# Holds the names of the models of which it turned out only in the build that they had to be made anew.
MADE_ANEW = "made_anew"

CUSTOMER = "customer"
# The as-of; its twin is the same.
REFRESH_VIEW = "stg_refresh"
# The one reference that the contract does not declare, because it may lead to a row of any table.
FEATURE_VALUE, ENTITY = "feature_value", "entity_id"
# Of more than this share of the customers, replacing rows costs more than making all anew.
MOST_CUSTOMERS = 0.3

# What a model is in one build.
ANEW, KEPT, PART, SUM, FOLLOWING, TWIN = "anew", "kept", "part", "sum", "following", "twin"


class IncrementError(LoupanError):
    """A model says something about its increments that cannot be."""


@dataclass(frozen=True)
class Step:
    """What is done with one relation that is not made anew.

    Attributes:
        script: SQL in which ``{after}``, ``{before}`` and ``{whole}`` stand for the model's own SQL, the last one as it
            is without any increment; nothing is done without one.
        after: relations that the model reads, and their twins.
        before: the same, and their twins as they were.
        made: relation of the rows that the build may have changed, for tests; empty where all are to be tested.
        replaced: condition for these rows, before and after, in which ``{keys}`` stands for the schema `SCHEMA`, or
            wherever its tables `KEPT_TABLES` are kept afterwards.
        rows: query of these rows as they are now, likewise of these tables, or of those that begin with `ROWS`.
        anew_if: query that says, when it is the model's turn, whether it has to be made anew nevertheless.
        then_anew: what is done in that case afterwards.
    """

    script: str = ""
    after: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    made: str = ""
    replaced: str = ""
    rows: str = ""
    anew_if: str = ""
    then_anew: str = ""


@dataclass(frozen=True)
class Increment:
    """What an incremental build does: the steps by the name of their relation, and how many customers it is about."""

    steps: Mapping[str, Step]
    customers: int
    # Unique ids of models that stay as they are, and of the tests that have nothing else to look at.
    kept: frozenset[str] = frozenset()
    # Whether the as-of is of the same day, in the company's time zone, as that of the build before.
    is_within_day: bool = False

    def replacing(self, name: str, made_anew: Collection[str]) -> Step | None:
        """Return the step that replaces rows of a relation; None if it may differ in all rows.

        Args:
            name: of the relation.
            made_anew: what `made_anew` tells of the build.
        """
        step = self.steps.get(name)
        return step if step and step.replaced and name not in made_anew else None

    def as_variable(self) -> dict[str, dict[str, Any]]:
        """Return the value of dbt's variable ``increment``."""
        return {name: asdict(step) for name, step in self.steps.items() if step.script}


@dataclass(frozen=True)
class Node:
    """A source table or a model, with what it says of its increments."""

    unique_id: str
    name: str  # of the relation
    schema: str
    relation: str  # quoted
    is_view: bool
    says: Mapping[str, Any]
    parents: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def is_source(self) -> bool:
        """Whether it is a source table."""
        return self.unique_id.startswith("source.")

    @property
    def key_table(self) -> str:
        """The table of which ``by`` holds keys."""
        return str(self.says.get("of", CUSTOMER))

    @property
    def is_by_customer(self) -> bool:
        """Whether its rows belong to customers."""
        return "by" in self.says

    @property
    def is_sum(self) -> bool:
        """Whether its rows are sums over rows of customers."""
        return "sum" in self.says

    @property
    def key(self) -> list[str]:
        """Columns that tell the rows of a sum apart."""
        return [column for column in self.columns if column not in self.says["sum"]]

    @property
    def shared(self) -> str:
        """Condition of the rows that follow from the rows of all customers; empty if there are none."""
        return str(self.says.get("shared", ""))

    @property
    def follows(self) -> str:
        """Name of the sum from whose rows its own follow one by one; empty if they do not."""
        return str(self.says.get("follows", ""))


def read_nodes(manifest: Mapping[str, Any]) -> dict[str, Node]:
    """Return sources and models by unique id, parents first."""
    found: dict[str, Node] = {}

    def add(unique_id: str) -> None:
        if unique_id in found:
            return
        described = manifest["sources"].get(unique_id) or manifest["nodes"][unique_id]
        parents = tuple(described.get("depends_on", {}).get("nodes", ()))
        for parent in parents:
            add(parent)
        config = described["config"]
        found[unique_id] = Node(
            unique_id=unique_id,
            name=described.get("alias") or described["name"],
            schema=described["schema"],
            relation=described["relation_name"],
            is_view=config.get("materialized") == "view",
            says=(config.get("meta") or {}).get("increment") or {},
            parents=parents,
            columns=tuple(described["columns"]),
        )

    for unique_id in manifest["sources"]:
        add(unique_id)
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] == "model":
            add(unique_id)
    return found


def _read_tests(manifest: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the unique ids of what the data tests look at, by that of the test."""
    return {
        unique_id: frozenset(node["depends_on"]["nodes"])
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "test"
    }


def plan(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    manifest: Mapping[str, Any],
    *,
    recipe: str,
    time_zone: str,
) -> Increment | None:
    """Decide what the next build makes, and prepare the twins in the warehouse.

    Args:
        connection: open on the warehouse, in no transaction.
        contract: the tables of the CRM.
        manifest: dbt's manifest of the project.
        recipe: as :class:`pipelines.delta.Built` has it.
        time_zone: of the company.

    Returns:
        The increment, None if everything has to be made anew. The warehouse then notes that nothing is known of its
        models until :func:`pipelines.delta.note_built`.
    """
    increment = _Planner(connection, contract, read_nodes(manifest), _read_tests(manifest), time_zone).plan(recipe)
    if increment is None:
        # In this order: a process may be killed in between.
        delta.forget_built(connection)
        drop_twins(connection)
    return increment


def made_anew(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the names of the models of which it turned out in the build so far that they had to be made anew."""
    return {name for (name,) in connection.execute(f"from {SCHEMA}.{MADE_ANEW}").fetchall()}


def drop_twins(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what an incremental build left; without them the warehouse holds no trace of it."""
    for schema in (SCHEMA, BEFORE):
        connection.execute(f"drop schema if exists {schema} cascade")


class _Planner:
    """Works on one open warehouse. What it leaves when it is killed counts as a build that did not end."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: Contract,
        nodes: dict[str, Node],
        tests: Mapping[str, frozenset[str]],
        time_zone: str,
    ) -> None:
        self._connection, self._contract, self._time_zone = connection, contract, time_zone
        self._nodes, self._tests = nodes, tests
        self._owned = contract.with_descendants({CUSTOMER}) | {FEATURE_VALUE}

    # What is made how.

    def plan(self, recipe: str) -> Increment | None:
        built = delta.read_built(self._connection)
        (self._now,) = self._connection.execute("select as_of from raw.refresh").fetchall()[0]
        if built is None or built.recipe != recipe or built.as_of > self._now or not self._are_there():
            return None
        self._before = built.as_of
        self._whole = delta.whole_tables(self._connection)
        self._changed = delta.changed_tables(self._connection, self._contract)
        # Of these it is known which rows changed.
        self._noted = self._changed - self._whole
        # A build that did not end may have added its changes to sums already.
        self._is_repeated = self._has(
            f"from duckdb_schemas() where database_name = current_database() and schema_name = {sql.literal(SCHEMA)}"
        )
        drop_twins(self._connection)
        for schema in (SCHEMA, BEFORE):
            self._connection.execute(f"create schema {schema}")
        self._kinds = self._kind_of_each()
        self._tables = self._tables_read(self._nodes_of(PART, SUM), through=True)
        if not self._tables:
            return None
        # What sums read is wanted as it was, too.
        self._remembered = self._ancestors((node.unique_id for node in self._nodes_of(SUM)), through=False)
        customers = self._find_customers()
        if customers is None:
            return None
        self._make_twins()
        return Increment(
            steps={self._nodes[key].name: step for key, step in self._steps().items()},
            customers=customers,
            kept=frozenset(self._kept()),
            is_within_day=not self._comes_into_another("day"),
        )

    def _kept(self) -> set[str]:
        """Return the models that stay as they are, and the tests of these alone: those passed, or nothing was noted."""
        kept = {node.unique_id for node in self._nodes_of(KEPT)}
        # The rows of a view may differ though it stays.
        tables = {key for key in kept if not self._nodes[key].is_view}
        return kept | {test for test, looked_at in self._tests.items() if looked_at <= tables}

    def _are_there(self) -> bool:
        """Say whether the warehouse has every model."""
        present = self._connection.execute(
            "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
        ).fetchall()
        return {(node.schema, node.name) for node in self._nodes.values() if not node.is_source} <= set(present)

    def _kind_of_each(self) -> dict[str, str]:
        """Decide for each model whether it is made anew, kept, made in part, or a view that needs a twin."""
        kinds: dict[str, str] = {}
        for node in self._nodes.values():
            if node.is_source:
                continue
            if node.is_view or not self._is_touched(node):
                kinds[node.unique_id] = KEPT
            elif (node.is_by_customer and not self._is_late(node)) or (
                (node.is_sum or node.follows) and not self._is_repeated
            ):
                kind = SUM if node.is_sum else FOLLOWING if node.follows else PART
                kinds[node.unique_id] = ANEW if self._moves_everybody(node, kinds) else kind
            else:
                kinds[node.unique_id] = ANEW
        for key in self._ancestors(key for key, kind in kinds.items() if kind in (PART, SUM)):
            if kinds.get(key) == KEPT and self._nodes[key].is_view and self._reads_owned(self._nodes[key]):
                kinds[key] = TWIN
        return kinds

    def _is_touched(self, node: Node) -> bool:
        """Say whether any row of the model may differ: its tables changed, or it depends on the as-of."""
        tables = self._tables_read([node], through=True)
        return bool(tables & self._changed) or "refresh" in tables

    def _comes_into_another(self, unit: str) -> bool:
        """Say whether the as-of has come into another day or month of the company."""
        moments = (f"date_trunc({sql.literal(unit)}, {self._day(m)})" for m in (self._before, self._now))
        return bool(self._one("select {} <> {}".format(*moments)))

    def _is_late(self, node: Node) -> bool:
        """Say whether so much time has passed that most rows of the model move with it."""
        return "late_if" in node.says and bool(self._one(self._fill(node.says["late_if"])))

    def _moves_everybody(self, node: Node, kinds: Mapping[str, str]) -> bool:
        """Say whether something changed of which it cannot be told whose rows it changes."""
        if "anew_each" in node.says and self._comes_into_another(node.says["anew_each"]):
            return True
        shared = self._told_by_staging("joined_by_key")
        known = self._owned | {"refresh"} | self._told_by_staging("whole")
        # A sum wants to know what it read as it was, and of shared tables there is no twin.
        is_joined = not (node.is_sum or node.follows)
        waiting = [
            (self._nodes[parent], known | shared if is_joined else known)
            for parent in node.parents
            if self._nodes[parent].name not in node.says.get("shared_reads", ())
        ]
        while waiting:
            parent, known = waiting.pop()
            if parent.is_source:
                if parent.name in self._changed - known or parent.name in self._whole:
                    return True
            elif (parent.is_by_customer and not self._is_late(parent)) or parent.is_sum:
                if kinds[parent.unique_id] == ANEW:
                    return True
            else:
                if not (parent.is_view or parent.is_by_customer) and self._reads_owned(parent):
                    raise IncrementError(
                        f"{node.name} is built in part, but reads {parent.name}, whose rows belong to no customer."
                    )
                if parent.is_by_customer:
                    known = known | shared
                waiting.extend((self._nodes[grandparent], known) for grandparent in parent.parents)
        return False

    def _told_by_staging(self, *words: str) -> set[str]:
        """Return the source tables whose staging model says one of the words of itself."""
        return {
            self._nodes[parent].name
            for node in self._nodes.values()
            if any(node.says.get(word) for word in words)
            for parent in node.parents
            if parent.startswith("source.")
        }

    def _ancestors(self, keys: Iterable[str], *, through: bool = True) -> set[str]:
        """Return all that the nodes read, directly or – ``through`` tables, or views alone – by way of others."""
        found: set[str] = set()
        waiting = [parent for key in keys for parent in self._nodes[key].parents]
        while waiting:
            key = waiting.pop()
            if key not in found:
                found.add(key)
                if through or self._nodes[key].is_view:
                    waiting.extend(self._nodes[key].parents)
        return found

    def _tables_read(self, nodes: Iterable[Node], *, through: bool = False) -> set[str]:
        """Return the names of the source tables that nodes read by way of views, or also ``through`` tables."""
        keys = self._ancestors((node.unique_id for node in nodes), through=through)
        return {self._nodes[key].name for key in keys if self._nodes[key].is_source}

    def _reads_owned(self, node: Node) -> bool:
        varying = self._owned | self._told_by_staging("whole") | {"refresh"}
        return bool(self._tables_read([node], through=True) & varying)

    def _nodes_of(self, *kinds: str) -> list[Node]:
        return [self._nodes[key] for key, kind in self._kinds.items() if kind in kinds]

    # Whose rows may differ.

    def _find_customers(self) -> int | None:
        """Fill ``key_customer`` with the customers concerned; None if they are too many."""
        self._net_changes()
        seeds = [*self._seeds(), *self._moved()]
        self._connection.execute(
            f"create table {SCHEMA}.key_customer as select distinct id from ({' union all '.join(seeds)}) "
            "where id is not null"
        )
        self._connection.execute(
            f"create or replace temp table link as select a, b from ({' union all '.join(self._links())}) where a <> b"
        )
        known = f"(from {SCHEMA}.key_customer)"
        while self._one(
            f"insert into {SCHEMA}.key_customer select b from link where a in {known} and b not in {known} "
            f"union select a from link where b in {known} and a not in {known}"
        ):
            pass
        found = int(self._one(f"select count(*) from {SCHEMA}.key_customer"))
        return found if found <= MOST_CUSTOMERS * self._one("select count(*) from raw.customer") else None

    def _net_changes(self) -> None:
        """Make ``net_<table>``: what several loads did to a row, taken together."""
        for name in sorted(self._noted):
            columns = self._columns(name)
            self._connection.execute(
                f"create table {_net(name)} as select {columns}, n > 0 as is_old from ("
                f"select {columns}, sum(case when is_old then 1 else -1 end) as n "
                f"from {sql.name(delta.SCHEMA, name)} group by all) where n <> 0"
            )

    def _columns(self, table_name: str) -> str:
        return ", ".join(sql.name(column.name) for column in self._contract.by_name[table_name].columns)

    def _versions(self, table_name: str) -> str:
        """Return the rows as they are, and as those that changed were."""
        now = f"select {self._columns(table_name)} from {sql.name('raw', table_name)}"
        if table_name in self._noted:
            now += f" union all select {self._columns(table_name)} from {_net(table_name)} where is_old"
        return f"({now})"

    def _owners(self, table: Table) -> list[tuple[str, str]]:
        """Return the columns that lead to the customer, and the tables they lead to; the best one first."""
        if table.name == FEATURE_VALUE:
            return [(ENTITY, CUSTOMER)]
        found = [(column, parent) for column, parent in table.references if parent in self._owned]
        return sorted(found, key=lambda reference: (reference[1] != CUSTOMER, reference[1] == table.name))

    def _owner(self, table: Table, rows: str, owner: tuple[str, str] | None = None) -> str:
        """Return a query of the customers (id) that ``rows`` of a table belong to, with the rows' key (row_id)."""
        key = sql.name(table.key)
        if table.name == CUSTOMER and owner is None:
            return f"select {key} as row_id, {key} as id from {rows}"
        column, parent = owner or self._owners(table)[0]
        if parent == CUSTOMER:
            return f"select {key} as row_id, {sql.name(column)} as id from {rows}"
        above = self._contract.by_name[parent]
        return (
            f"select r.{key} as row_id, o.id from {rows} r "
            f"join ({self._owner(above, self._versions(parent))}) o on r.{sql.name(column)} = o.row_id"
        )

    def _seeds(self) -> Iterable[str]:
        """Yield queries of the customers whose rows changed, or have a moment between the one as-of and the other."""
        by_key = self._told_by_staging("joined_by_key") & self._noted
        for name in sorted(self._tables & self._owned):
            table = self._contract.by_name[name]
            if name in self._noted:
                yield f"select id from ({self._owner(table, _net(name))})"
            conditions = [
                condition for column in table.columns if (condition := self._passed(column.name, column.data_type))
            ]
            conditions += [
                f"{sql.name(column)} in (select {sql.name(self._contract.by_name[parent].key)} from {_net(parent)})"
                for column, parent in table.references
                if parent in by_key
            ]
            if conditions:
                # One by one: of rows in the order of a moment, most are then passed over unread.
                found = (f"from {sql.name('raw', name)} where {condition}" for condition in conditions)
                rows = f"({' union all '.join(found)})"
                yield f"select id from ({self._owner(table, rows)})"
        yield "select null::bigint as id where false"

    def _passed(self, column: str, data_type: str) -> str:
        """Return the condition that the as-of has passed the moment or day in a column; empty if it never does."""
        if data_type == "TIMESTAMP" and self._now > self._before:
            return f"({sql.name(column)} > {_literal(self._before)} and {sql.name(column)} <= {_literal(self._now)})"
        if data_type == "DATE" and self._one(f"select {self._day(self._now)} > {self._day(self._before)}"):
            return f"{sql.name(column)} between {self._day(self._before)} and {self._day(self._now)}"
        return ""

    def _moved(self) -> Iterable[str]:
        """Yield queries of the customers whose rows change with time alone, as the models say."""
        for node in self._nodes_of(PART, SUM):
            if "moved" in node.says and self._now > self._before:
                query = self._fill(node.says["moved"])
                yield f"select id from ({query}) as moved (id)"

    def _fill(self, text: str) -> str:
        for placeholder, value in {
            "{before}": _literal(self._before),
            "{now}": _literal(self._now),
            "{before_on}": self._day(self._before),
            "{now_on}": self._day(self._now),
        }.items():
            text = text.replace(placeholder, value)
        return text

    def _links(self) -> Iterable[str]:
        """Yield queries of pairs of customers who share a row."""
        for name in sorted(self._tables & self._owned):
            table = self._contract.by_name[name]
            first, *others = [None, *self._owners(table)] if name == CUSTOMER else self._owners(table)
            for other in others:
                versions = self._versions(name)
                yield (
                    f"select one.id as a, other.id as b from ({self._owner(table, versions, first)}) one "
                    f"join ({self._owner(table, versions, other)}) other on one.row_id = other.row_id"
                )

    # The twins.

    def _make_twins(self) -> None:
        """Make the tables ``increment.<table>`` and ``before.<table>``, and the keys of the rows that are replaced."""
        for component in self._contract.components:
            for table in component:
                if table.name in self._tables & self._owned:
                    self._make_twin(table)
        self._connection.execute(f"create table {SCHEMA}.{MADE_ANEW} (name varchar)")
        self._connection.execute(f"create table {BEFORE}.refresh as select {_literal(self._before)} as as_of")
        keys = []
        for name in sorted(self._tables & self._told_by_staging("whole")):
            key = sql.name(self._contract.by_name[name].key)
            if name in self._noted:
                self._make_before(name, sql.name("raw", name))
            self._connection.execute(f"create table {_key(name)} as select {key} as id from {self._versions(name)}")
        for (name,) in self._connection.execute(
            f"select table_name from duckdb_tables() where schema_name = {sql.literal(SCHEMA)} "
            f"and database_name = current_database() and starts_with(table_name, '{KEY}') order by 1"
        ).fetchall():
            keys.append(
                f"select {sql.literal(name.removeprefix(KEY))} as table_name, id from {SCHEMA}.{sql.name(name)}"
            )
        self._connection.execute(f"create view {SCHEMA}.{KEY}of_all as {' union all '.join(keys)}")
        for node in self._nodes.values():
            if node.is_sum and self._kinds[node.unique_id] == KEPT:
                measures = ", ".join(f"{sql.name(m)} as {sql.name(f'{m}_before')}" for m in node.says["sum"])
                self._connection.execute(
                    f"create table {_changed_sums(node)} as select *, {measures} from {node.relation} limit 0"
                )
            if node.is_by_customer:
                self._connection.execute(
                    f"create view {_twin(node.name)} as from {sql.name(node.schema, node.name)} where {_mine(node)}"
                )
                # What is replaced in part is remembered when it is.
                if node.unique_id in self._remembered and self._kinds[node.unique_id] != PART:
                    self._connection.execute(f"create table {sql.name(BEFORE, node.name)} as from {_twin(node.name)}")

    def _make_twin(self, table: Table) -> None:
        key = sql.name(table.key)
        raw, twin = sql.name("raw", table.name), _twin(table.name)
        if table.name == CUSTOMER:
            mine = f"{key} in (from {SCHEMA}.key_customer)"
        else:
            column, parent = self._owners(table)[0]
            of = f"from {SCHEMA}.key_customer"
            if parent != CUSTOMER:
                of = f"select {sql.name(self._contract.by_name[parent].key)} from {_twin(parent)}"
            mine = f"{sql.name(column)} in ({of})"
        self._connection.execute(f"create table {twin} as from {raw} where {mine}")
        self._make_before(table.name, twin)
        if table.name != CUSTOMER:
            old = f" union select {key} from {_net(table.name)} where is_old" if table.name in self._noted else ""
            self._connection.execute(f"create table {_key(table.name)} as select {key} as id from {twin}{old}")

    def _make_before(self, name: str, twin: str) -> None:
        """Make ``before.<table>`` of the rows as they are, as a view unless they changed."""
        before, key = sql.name(BEFORE, name), sql.name(self._contract.by_name[name].key)
        if name not in self._noted:
            self._connection.execute(f"create view {before} as from {twin}")
            return
        self._connection.execute(
            f"create table {before} as select {self._columns(name)} from {twin} "
            f"where {key} not in (select {key} from {_net(name)}) "
            f"union all select {self._columns(name)} from {_net(name)} where is_old"
        )

    # The steps.

    def _steps(self) -> dict[str, Step]:
        steps = {}
        for key, kind in self._kinds.items():
            node = self._nodes[key]
            after = {parent.relation: _twin(parent.name) for parent in self._parents(node) if self._has_twin(parent)}
            before = {
                parent.relation: sql.name(BEFORE, parent.name)
                for parent in self._parents(node)
                if self._is_remembered(parent)
            }
            is_remembered = key in self._remembered
            if kind == KEPT:
                nothing = Step(made=f"(select * from {node.relation} limit 0) as nothing", replaced=NO_ROW)
                steps[key] = Step() if node.is_view else nothing
            elif kind == TWIN:
                script = f"create or replace view {_twin(node.name)} as {{after}};"
                if is_remembered:
                    script += f"create or replace view {sql.name(BEFORE, node.name)} as {{before}};"
                steps[key] = Step(script, after, before)
            elif kind == PART:
                steps[key] = self._replace(node, after, is_remembered=is_remembered)
            elif kind == SUM:
                steps[key] = self._add(node, after, before)
            elif kind == FOLLOWING:
                steps[key] = self._follow(node)
        return steps

    def _parents(self, node: Node) -> list[Node]:
        return [self._nodes[parent] for parent in node.parents]

    def _has_twin(self, node: Node) -> bool:
        if node.is_source:
            return node.name in self._tables & self._owned
        return node.is_by_customer or self._kinds[node.unique_id] == TWIN

    def _is_remembered(self, node: Node) -> bool:
        if node.is_source:
            is_changed_whole = node.name in self._tables & self._told_by_staging("whole") & self._noted
            return self._has_twin(node) or is_changed_whole or node.name == "refresh"
        return self._has_twin(node)

    def _replace(self, node: Node, after: Mapping[str, str], *, is_remembered: bool) -> Step:
        """Replace the rows of the customers concerned, and of those that the model reaches beyond them."""
        script, rows, twin = "", _rows(node), f"from {_rows(node)}"
        reaching = self._reaching(node)
        keys = _reached(reaching) if reaching else ""
        if reaching:
            after = {parent.relation: self._rows_of(parent, node, keys) for parent in self._varying_parents(node)}
            # What reads it is not about whom the model reaches.
            twin += f" where {_mine(node)}"
        if reaching == node.name:
            script += (
                f"create table {SCHEMA}.{keys} as select id from {SCHEMA}.key_customer "
                f"union select id from ({self._fill(node.says['reached'])}) as reached (id);"
            )
        if is_remembered:
            # Like the twin, without whom the model reaches.
            script += f"create table {sql.name(BEFORE, node.name)} as from {node.relation} where {_mine(node)};"
        made = "{after}"
        if node.shared:
            made = (
                f"select * from ({{after}}) where not ({node.shared}) "
                f"union all select * from ({{whole}}) where {node.shared}"
            )
        script += (
            self._exchange(node, made, _mine(node, keys)) + f"create or replace view {_twin(node.name)} as {twin};"
        )
        return Step(
            script,
            after,
            made=rows,
            replaced=_mine(node, keys, "{keys}"),
            rows=f"from {_rows(node, '{keys}')}",
            anew_if=self._fill(node.says.get("anew_if", "")),
            then_anew="".join(
                f"create or replace view {view} as from {node.relation};" for view in (_twin(node.name), rows)
            )
            + f"insert into {SCHEMA}.{MADE_ANEW} values ({sql.literal(node.name)});",
        )

    def _exchange(self, node: Node, made: str, replaced: str) -> str:
        """Return the script that replaces rows by those that are made, and keeps these: they are read again and again.

        To find a few rows that are spread over a table takes as long as to read all of it.
        """
        return (
            f"create table {_rows(node)} as {made};"
            f"delete from {node.relation} where {replaced};"
            f"insert into {node.relation} by name from {_rows(node)};"
        )

    def _reaching(self, node: Node) -> str:
        """Return the model by which more customers are concerned than before it, empty if there is none."""
        if "reached" in node.says:
            return node.name
        return next(
            (
                other.name
                for other in self._nodes_of(PART)
                if other.name == node.says.get("with") and "reached" in other.says
            ),
            "",
        )

    def _varying_parents(self, node: Node) -> list[Node]:
        return [parent for parent in self._parents(node) if self._has_twin(parent) and parent.name != REFRESH_VIEW]

    def _rows_of(self, parent: Node, node: Node, keys: str) -> str:
        if not parent.is_by_customer or parent.key_table != CUSTOMER:
            raise IncrementError(f"{node.name} reaches further customers, of whom there is no twin of {parent.name}.")
        return f"(from {parent.relation} where {_mine(parent, keys)})"

    def _follow(self, node: Node) -> Step:
        """Replace the rows that follow from sums that changed."""
        summed = next(parent for parent in self._parents(node) if parent.name == node.follows)
        changed = _changed_sums(summed)
        count = sql.name(summed.says["sum"][0])
        columns = ", ".join(sql.name(column) for column in summed.columns)
        replaced = self._same_key(_changed(summed), node.name, summed.key)
        mine = f"exists (from {{keys}}.{sql.name(_changed(summed))} where {replaced})"
        return Step(
            self._exchange(node, "{after}", mine.format(keys=SCHEMA)),
            {summed.relation: f"(select {columns} from {changed} where {count} <> 0)"},
            made=_rows(node),
            replaced=mine,
            rows=f"from {_rows(node, '{keys}')}",
        )

    def _add(self, node: Node, after: Mapping[str, str], before: Mapping[str, str]) -> Step:
        """Add to the sums what the customers' rows come to now, less what they came to."""
        measures = [sql.name(measure) for measure in node.says["sum"]]
        keys = [sql.name(column) for column in node.key]
        changed = _changed_sums(node)
        same = self._same_key("changed", "summed", node.key)
        now = ", ".join(f"{measure} as {measure}" for measure in measures)
        less = ", ".join(f"-{measure} as {measure}" for measure in measures)
        sums = ", ".join(f"sum({measure}) as {measure}" for measure in measures)
        differs = " or ".join(f"sum({measure}) <> 0" for measure in measures)
        totals = ", ".join(
            f"coalesce(summed.{sql.name(measure)}, 0) as {sql.name(f'{measure}_before')}, "
            f"coalesce(summed.{sql.name(measure)}, 0) + changed.{sql.name(measure)} as {sql.name(measure)}"
            for measure in node.says["sum"]
        )
        listed, columns = ", ".join(keys), ", ".join([*keys, *measures])
        kept = f"{{keys}}.{sql.name(_changed(node))}"
        # The first measure counts rows: without any there is none.
        rows = f"select {columns} from {kept} where {measures[0]} <> 0"
        script = (
            f"create table {changed} as with changed as (select {listed}, {sums} from ("
            f"select {listed}, {now} from ({{after}}) union all select {listed}, {less} from ({{before}})) "
            f"group by {listed} having {differs}) "
            f"select {', '.join(f'changed.{key}' for key in keys)}, {totals} "
            f"from changed left join {node.relation} as summed on {same};"
            f"delete from {node.relation} as summed using {changed} as changed where {same};"
            f"insert into {node.relation} by name {rows.format(keys=SCHEMA)};"
        )
        replaced = self._same_key("changed", node.name, node.key)
        return Step(
            script,
            after,
            before,
            made=changed,
            replaced=f"exists (from {kept} as changed where {replaced})",
            rows=rows,
        )

    # SQL.

    def _same_key(self, one: str, other: str, columns: Iterable[str]) -> str:
        """Return the condition that two rows have the same values, or none, in columns."""
        return " and ".join(
            f"{sql.name(one, column)} is not distinct from {sql.name(other, column)}" for column in columns
        )

    def _one(self, query: str) -> Any:
        return self._connection.execute(query).fetchall()[0][0]

    def _has(self, query: str) -> bool:
        return bool(self._one(f"select exists ({query})"))

    def _day(self, moment: dt.datetime) -> str:
        """Return the company's day of a moment, as SQL."""
        return f"timezone({sql.literal(self._time_zone)}, timezone('UTC', {_literal(moment)}))::date"


def _literal(moment: dt.datetime) -> str:
    return f"timestamp {sql.literal(moment.isoformat(sep=' '))}"


def _net(table_name: str) -> str:
    return sql.name(SCHEMA, f"net_{table_name}")


def _twin(name: str) -> str:
    return sql.name(SCHEMA, name)


def _rows(node: Node, schema: str = SCHEMA) -> str:
    return f"{schema}.{sql.name(f'{ROWS}{node.name}')}"


def _changed(node: Node) -> str:
    return f"{CHANGED}{node.name}"


def _changed_sums(node: Node) -> str:
    return sql.name(SCHEMA, _changed(node))


def _key(table_name: str) -> str:
    return sql.name(SCHEMA, f"{KEY}{table_name}")


def _reached(name: str) -> str:
    return sql.name(f"{REACHED}{name}")


def _mine(node: Node, keys: str = "", schema: str = SCHEMA) -> str:
    """Return the condition for the rows of the customers concerned, or of those in the table ``keys``."""
    by = sql.name(node.says["by"])
    if "of_table_in" in node.says:
        return f"({sql.name(node.says['of_table_in'])}, {by}) in (select (table_name, id) from {schema}.{KEY}of_all)"
    mine = f"{by} in (select id from {schema}.{keys or sql.name(f'{KEY}{node.key_table}')})"
    return f"({mine} or {node.shared})" if node.shared else mine
