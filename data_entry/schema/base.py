"""What every CRM table shares: key, audit columns and column types."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from sqlalchemy.types import TypeDecorator, UserDefinedType

# Names of constraints are fixed so that Alembic can alter them on every engine.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class utc_now(sa.sql.functions.FunctionElement):
    """The present moment in UTC, without an offset, on every engine."""

    type = sa.DateTime()
    inherit_cache = True
    name = "utc_now"


@compiles(utc_now)
def _utc_now_default(element: Any, compiler: Any, **_: Any) -> str:
    return "CURRENT_TIMESTAMP"


@compiles(utc_now, "postgresql")
def _utc_now_postgresql(element: Any, compiler: Any, **_: Any) -> str:
    return "(clock_timestamp() AT TIME ZONE 'UTC')"


class UtcDateTime(TypeDecorator[dt.datetime]):
    """A moment, stored in UTC without offset; aware values are converted, naive ones taken as UTC."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:
        """Convert to naive UTC before the value reaches the driver."""
        if value is not None and value.tzinfo is not None:
            return value.astimezone(dt.UTC).replace(tzinfo=None)
        return value


class _SqliteNumeric(UserDefinedType[Any]):
    """NUMERIC in SQLite's DDL, but bound as text, so that no value passes through a float."""

    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        self.precision, self.scale = precision, scale

    def get_col_spec(self, **_: Any) -> str:
        return f"NUMERIC({self.precision}, {self.scale})"


class ExactNumeric(TypeDecorator[Decimal]):
    """A decimal of fixed scale that is exact on SQLite as well.

    Values with more decimals than the scale are refused with ``ValueError``: rounding is the writer's decision.
    """

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.precision, self.scale = precision, scale

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """Use text binding on SQLite, the native NUMERIC elsewhere."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(_SqliteNumeric(self.precision, self.scale))
        return dialect.type_descriptor(sa.Numeric(self.precision, self.scale))

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """Check the scale and hand the driver an exact value."""
        if value is None:
            return None
        number = Decimal(str(value))
        if not number.is_finite():
            raise ValueError(f"{value!r} is not a number")
        rounded = number.quantize(Decimal(1).scaleb(-self.scale), rounding=ROUND_HALF_EVEN)
        if rounded != number:
            raise ValueError(f"{value!r} has more than {self.scale} decimals")
        return str(rounded) if dialect.name == "sqlite" else rounded

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:
        """Return a Decimal of the declared scale."""
        if value is None:
            return None
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-self.scale))


BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class Base(DeclarativeBase):
    """Registry of all CRM tables."""

    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Record(Base):
    """The columns that every CRM table has, beside its own.

    Set ``ingested = False`` on a table that no statistic reads: it is then not declared as a dbt source.
    """

    __abstract__ = True
    ingested = True

    @declared_attr.directive
    def __tablename__(cls) -> str:
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")

    id: Mapped[int] = mapped_column(
        BigInt, primary_key=True, comment="Key of the row.", sort_order=-100, info={"label": "ID"}
    )
    created_at: Mapped[dt.datetime] = mapped_column(
        UtcDateTime, server_default=utc_now(), nullable=False, comment="When the row was entered (UTC).", sort_order=90
    )
    created_by: Mapped[int | None] = mapped_column(BigInt, comment="Account that entered the row.", sort_order=91)
    updated_at: Mapped[dt.datetime] = mapped_column(
        UtcDateTime,
        server_default=utc_now(),
        onupdate=lambda: dt.datetime.now(dt.UTC),
        nullable=False,
        index=True,
        comment="When the row last changed (UTC); the cursor of the incremental load.",
        sort_order=92,
    )
    updated_by: Mapped[int | None] = mapped_column(BigInt, comment="Account that last changed the row.", sort_order=93)
    deleted_at: Mapped[dt.datetime | None] = mapped_column(
        UtcDateTime, comment="When the row was soft-deleted (UTC); empty while it counts.", sort_order=94
    )
    row_version: Mapped[int] = mapped_column(
        sa.Integer,
        server_default="1",
        default=1,
        nullable=False,
        comment="Raised by one on every change; a save with a stale version is refused.",
        sort_order=95,
    )
    external_ref: Mapped[str | None] = mapped_column(
        sa.String(200),
        comment="Key of the row in the system it was imported from.",
        unique=True,
        sort_order=96,
        info={"label": "External reference"},
    )

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.__table__.c.row_version} if hasattr(cls, "__table__") else {}
