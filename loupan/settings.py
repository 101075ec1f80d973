"""All configuration, from environment variables with the prefix ``LOUPAN_`` or a ``.env`` file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from loupan.errors import LoupanError

REPOSITORY = Path(__file__).resolve().parents[1]


class SettingsError(LoupanError):
    """A setting has a value that cannot be used; the message names the variable and the way to mend it."""


class Settings(BaseSettings):
    """Configuration of one Loupan installation."""

    model_config = SettingsConfigDict(env_prefix="LOUPAN_", env_file=".env", extra="ignore", frozen=True)

    data_dir: Path = Field(Path("var"), description="Folder of everything Loupan writes.")
    crm_url: str = Field("", description="SQLAlchemy URL of the CRM database; empty for SQLite in data_dir.")
    time_zone: str = Field("Asia/Shanghai", description="Time zone of the company; days and months are cut in it.")
    currency: str = Field("CNY", description="Currency of all amounts, an ISO 4217 code.")
    keep_snapshots: int = Field(20, ge=2, description="How many published snapshots are kept.")
    overlap_minutes: int = Field(15, ge=0, description="How far before the last cursor an incremental load begins.")
    quarantine_threshold: float = Field(
        0.02, ge=0, le=1, description="Share of a table's rows that may be quarantined before publishing is refused."
    )
    refresh_cron: str = Field("0 6 * * *", description="When a scheduled refresh runs, in cron notation.")
    dbt_project_dir: Path = Field(REPOSITORY / "dbt_project", description="Folder of the dbt project.")

    @field_validator("data_dir", "dbt_project_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().resolve()

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is no IANA time zone; use a name like 'Asia/Shanghai'") from error
        return name

    @property
    def crm_database_url(self) -> str:
        """SQLAlchemy URL of the CRM database."""
        return self.crm_url or f"sqlite:///{self.data_dir / 'crm.sqlite'}"

    @property
    def warehouse_path(self) -> Path:
        """DuckDB file that ingest and dbt write."""
        return self.data_dir / "warehouse.duckdb"

    @property
    def snapshots_dir(self) -> Path:
        """Folder of the published snapshots."""
        return self.data_dir / "snapshots"

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's runs, events and schedules."""
        return self.data_dir / "dagster"

    @property
    def data_docs_dir(self) -> Path:
        """Folder of Great Expectations' Data Docs."""
        return self.data_dir / "data_docs"


@cache
def get_settings() -> Settings:
    """Return the settings in force.

    Raises:
        SettingsError: if an environment variable holds a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"LOUPAN_{str(e['loc'][0]).upper()}={e['input']!r}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise SettingsError(f"Settings cannot be used: {problems}. Mend the environment or .env.") from error
