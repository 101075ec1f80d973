"""All configuration, from environment variables with the prefix ``LOUPAN_`` or a ``.env`` file."""

from __future__ import annotations

import difflib
import io
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

from dotenv.parser import parse_stream
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from loupan.cron import check_cron
from loupan.errors import LoupanError

REPOSITORY = Path(__file__).resolve().parents[1]
PREFIX = "LOUPAN_"
# As a Windows editor writes it as well: with a mark in front, which would hide the first name.
ENV_FILE, ENV_ENCODING = Path(".env"), "utf-8-sig"
ENVIRONMENT = "the environment"
YEAR_IN_MINUTES = 366 * 24 * 60
SHORTEST_TOKEN = 16


class SettingsError(LoupanError):
    """A setting has a value that cannot be used; the message names the variable and the way to mend it."""


class Settings(BaseSettings):
    """Configuration of one Loupan installation. An empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_file_encoding=ENV_ENCODING,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    data_dir: Path = Field(Path("var"), description="Folder of everything Loupan writes.")
    crm_url: str = Field("", description="SQLAlchemy URL of the CRM database; empty for SQLite in data_dir.")
    time_zone: str = Field("Asia/Shanghai", description="Time zone of the company; days and months are cut in it.")
    currency: str = Field("CNY", description="Currency of all amounts, an ISO 4217 code.")
    keep_snapshots: int = Field(20, ge=2, description="How many published snapshots are kept.")
    overlap_minutes: int = Field(
        15, ge=0, le=YEAR_IN_MINUTES, description="How far before the last cursor an incremental load begins."
    )
    quarantine_threshold: float = Field(
        0.02, ge=0, le=1, description="Share of a table's rows that may be quarantined before publishing is refused."
    )
    upload_megabytes: int = Field(10, ge=1, le=200, description="Largest file that may be attached to a record.")
    receipt_above: Decimal = Field(
        Decimal(500), ge=0, description="Amount above which an expense cannot be submitted without a receipt."
    )
    refresh_cron: str = Field("0 6 * * *", description="When a scheduled refresh runs, in cron notation.")
    working_calendar: str = Field("CN", description="Country of the working calendar, by its ISO 3166 code.")
    fresh_hours: float = Field(
        26, gt=0, le=24 * 366, description="How old the published data may become before it is late, in hours."
    )
    dagster_port: int = Field(3000, ge=1, le=65535, description="Port of Dagster's UI on this machine.")
    dagster_path: str = Field(
        "", pattern=r"^(/[a-z0-9_-]+)?$", description="Path that Dagster's UI lies under, as /dagster; empty for none."
    )
    retries: int = Field(3, ge=0, le=20, description="How often a CRM that does not answer is tried again.")
    retry_seconds: int = Field(
        15, ge=1, le=3600, description="Seconds before the first new try; each waits twice as long as the one before."
    )
    source_seconds: int = Field(
        600, ge=1, le=86_400, description="Seconds that the CRM's server may take for an answer before it is given up."
    )
    backup_cron: str = Field("30 2 * * *", description="When a scheduled backup is made, in cron notation.")
    care_cron: str = Field("0 5 * * *", description="When the tasks of customer care are made, in cron notation.")
    report_cron: str = Field("0 8 1 * *", description="When board reports are sent, in cron notation.")
    backup_dir: Path | None = Field(None, description="Folder of the backups; backups in data_dir where it is not set.")
    keep_backups: int = Field(14, ge=1, description="How many of the newest backups are kept.")
    keep_daily_backups: int = Field(7, ge=0, description="Of how many days beyond them the last backup is kept.")
    keep_weekly_backups: int = Field(5, ge=0, description="Of how many weeks beyond them the last backup is kept.")
    keep_monthly_backups: int = Field(6, ge=0, description="Of how many months beyond them the last backup is kept.")
    backup_max_days: int = Field(
        200, ge=1, description="After how many days a backup is deleted, however many are to be kept."
    )
    backup_key_file: Path | None = Field(
        None, description="File with the age key that backups are encrypted with; not encrypted where it is not set."
    )
    drill_cron: str = Field("0 3 * * 0", description="When the newest backup is restored on trial, in cron notation.")
    hosts: str = Field("", description="Names the web app is reached by, beside this machine's; several with commas.")
    web_processes: int = Field(
        1, ge=1, le=64, description="How many processes serve the web app; more than one are put behind HAProxy."
    )
    https: bool = Field(False, description="Whether readers reach the web app over HTTPS, through a proxy.")
    session_idle_minutes: int = Field(
        120, ge=1, le=YEAR_IN_MINUTES, description="How long a signed-in browser may lie unused."
    )
    session_hours: int = Field(12, ge=1, le=24 * 366, description="How long a login lasts whatever happens.")
    strangers_a_minute: int = Field(
        300, ge=10, description="Requests a minute that one address may make to the pages in front of the login."
    )
    survey_requests_a_minute: int = Field(
        30, ge=5, description="Requests a minute that one address may make to surveys."
    )
    downloads_a_minute: int = Field(120, ge=1, description="Files a minute that one signed-in browser may fetch.")
    uploads_a_minute: int = Field(60, ge=1, description="Files a minute that one signed-in browser may upload.")
    connections_per_session: int = Field(30, ge=1, description="Tabs that one signed-in browser may have open.")
    connections_per_address: int = Field(500, ge=1, description="Tabs that all browsers of one address may have open.")
    oidc_issuer: str = Field("", description="Address of the OpenID Connect provider; empty for none.")
    oidc_client_id: str = Field("", description="Name of this installation at the provider.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="Secret of this installation at the provider.")
    oidc_name: str = Field("", description="What the provider is called on the login page.")
    model_dir: Path | None = Field(
        None, description="Folder of the company's own models; models in data_dir where it is not set."
    )
    model_seconds: int = Field(120, ge=1, le=24 * 3600, description="How long one model may run before it is stopped.")
    model_megabytes: int = Field(
        3072,
        ge=512,
        description="Megabytes of memory for the models that run at the same time; one beyond it is stopped.",
    )
    without_models: str = Field("", description="Models that do not run, with commas; * for all.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged: this and all that is worse."
    )
    log_megabytes: int = Field(10, ge=1, le=10_000, description="How large a log becomes before it is rotated.")
    log_files: int = Field(10, ge=1, le=1000, description="How many rotated files of each log are kept.")
    metrics_token: SecretStr = Field(
        SecretStr(""), description="What who asks for /metrics from elsewhere must bring; empty for this machine alone."
    )
    refresh_megabytes: int = Field(
        4096, ge=256, description="Megabytes of memory for a refresh's tables; what needs more is put on the disk."
    )
    engine: Literal["duckdb", "spark"] = Field("duckdb", description="What builds the marts: DuckDB here, or Spark.")
    spark_venv: Path = Field(REPOSITORY / ".venv-spark", description="Folder of Spark's own Python environment.")
    spark_dir: Path | None = Field(
        None, description="Folder that Spark's workers reach too; spark in data_dir where it is not set."
    )
    spark_remote: str = Field(
        "", description="Spark Connect server of a cluster, as sc://host:15002; empty for Spark on this machine."
    )
    spark_memory: str = Field("2g", description="Memory of Spark on this machine, as 8g.")
    spark_partitions: int = Field(
        4, ge=1, le=100_000, description="Into how many parts Spark divides rows; two or three for each core."
    )
    dbt_project_dir: Path = Field(REPOSITORY / "dbt_project", description="Folder of the dbt project.")

    @field_validator("data_dir", "dbt_project_dir", "backup_dir", "model_dir", "spark_venv", "spark_dir")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        try:
            path = path.expanduser().resolve()
        except (OSError, RuntimeError) as error:  # links in a circle; a home of nobody
            raise ValueError(f"{error}; name another folder") from error
        for part in (path, *path.parents):
            if os.path.exists(part) and not os.path.isdir(part):
                raise ValueError(f"{part} is a file; name a folder")
        return path

    @field_validator("backup_key_file")
    @classmethod
    def _a_file(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        try:
            path = path.expanduser().resolve()
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{error}; name another file") from error
        if path.is_dir():
            raise ValueError(f"{path} is a folder; name a file, which `loupan backup keygen` makes")
        return path

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, name: str) -> str:
        # By the list and not by the file of that name: the system has files that are no zones to DuckDB.
        if name not in available_timezones() - {"localtime"}:
            raise ValueError("is no IANA time zone; use a name like 'Asia/Shanghai'")
        return name

    @field_validator("refresh_cron", "backup_cron", "care_cron", "drill_cron", "report_cron")
    @classmethod
    def _known_cron(cls, text: str) -> str:
        check_cron(text)
        return text

    @field_validator("working_calendar")
    @classmethod
    def _known_country(cls, code: str) -> str:
        if code.upper() != cls.model_fields["working_calendar"].default:
            # To import that list takes as long as a short command; the default is known to be on it.
            from holidays import list_supported_countries

            if code.upper() not in list_supported_countries():
                raise ValueError("is no country whose working calendar is known; use an ISO 3166 code like 'CN'")
        return code.upper()

    @field_validator("hosts")
    @classmethod
    def _names_only(cls, text: str) -> str:
        names = [name.strip().lower() for name in text.split(",") if name.strip()]
        for name in names:
            if not re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:]+\]", name):
                raise ValueError(f"{name!r} is no host name; use names like 'crm.example.com', without port")
        return ",".join(names)

    @field_validator("spark_remote")
    @classmethod
    def _a_connect_server(cls, address: str) -> str:
        if address and not re.fullmatch(r"sc://[^\s/]+(/\S*)?", address):
            raise ValueError("is no address of a Spark Connect server; use one like 'sc://spark.example.com:15002'")
        return address

    @field_validator("spark_memory")
    @classmethod
    def _java_memory(cls, amount: str) -> str:
        if not re.fullmatch(r"[1-9]\d*[mg]", amount):
            raise ValueError("is no amount of memory; use one like '8g' or '512m'")
        return amount

    @field_validator("metrics_token")
    @classmethod
    def _long_enough(cls, token: SecretStr) -> SecretStr:
        if token.get_secret_value() and len(token.get_secret_value()) < SHORTEST_TOKEN:
            raise ValueError(f"is too short; use at least {SHORTEST_TOKEN} random characters")
        return token

    @model_validator(mode="after")
    def _whole_provider(self) -> Settings:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("LOUPAN_OIDC_ISSUER needs LOUPAN_OIDC_CLIENT_ID beside it")
        return self

    @property
    def host_names(self) -> tuple[str, ...]:
        """Names the web app is reached by, beside this machine's."""
        return tuple(name for name in self.hosts.split(",") if name)

    @property
    def crm_database_url(self) -> str:
        """SQLAlchemy URL of the CRM database."""
        return self.crm_url or f"sqlite:///{self.data_dir / 'crm.sqlite'}"

    @property
    def refresh_memory(self) -> str:
        """Memory for a refresh's tables, as DuckDB reads it; on a small machine less than what was asked for."""
        return f"{self.refresh_memory_bytes >> 20}MiB"

    @property
    def refresh_memory_bytes(self) -> int:
        """The same in bytes."""
        return _at_most_half(self.refresh_megabytes) << 20

    @property
    def model_memory(self) -> int:
        """Megabytes for the models that run at the same time; on a small machine less than what was asked for."""
        return _at_most_half(self.model_megabytes)

    @property
    def warehouse_path(self) -> Path:
        """DuckDB file that ingest and dbt write."""
        return self.data_dir / "warehouse.duckdb"

    @property
    def spark_work_dir(self) -> Path:
        """Folder of what Spark reads and writes."""
        return self.spark_dir or self.data_dir / "spark"

    @property
    def snapshots_dir(self) -> Path:
        """Folder of the published snapshots."""
        return self.data_dir / "snapshots"

    @property
    def begun_marts_path(self) -> Path:
        """Marts of the next snapshot, as far as they are there before it is published."""
        return self.snapshots_dir / ".begun_marts.duckdb"

    @property
    def attachments_dir(self) -> Path:
        """Folder of the files attached to records, by their SHA-256."""
        return self.data_dir / "attachments"

    @property
    def backups_dir(self) -> Path:
        """Folder of the backups of the CRM."""
        return self.backup_dir or self.data_dir / "backups"

    @property
    def models_dir(self) -> Path:
        """Folder of the company's own models, one Python file each."""
        return self.model_dir or self.data_dir / "models"

    def runs_model(self, name: str) -> bool:
        """Say whether a model is to run."""
        without = {part.strip() for part in self.without_models.split(",")}
        return not without & {name, "*"}

    @property
    def model_memory_dir(self) -> Path:
        """Folder of what models have learnt."""
        return self.data_dir / "model_memory"

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's runs, events and schedules."""
        return self.data_dir / "dagster"

    @property
    def data_docs_dir(self) -> Path:
        """Folder of Great Expectations' Data Docs."""
        return self.data_dir / "data_docs"

    @property
    def dbt_docs_dir(self) -> Path:
        """Folder of dbt's documentation pages."""
        return self.data_dir / "dbt_docs"


def _at_most_half(megabytes: int) -> int:
    """Return megabytes, half of those of the machine at most."""
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return min(megabytes, half >> 20)


def _env_file_text() -> str:
    """Return the text of the .env file, '' where there is none."""
    path = ENV_FILE.resolve()
    if not path.is_file():
        return ""
    try:
        return path.read_text(encoding=ENV_ENCODING)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path} cannot be read: line {line} is not UTF-8. Save the file as UTF-8.") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}. Allow it, or move the file away.") from error


def _ignored_silently() -> Iterator[str]:
    """Yield what pydantic would pass over: lines of .env that set nothing, and names that are no settings."""
    names = dict.fromkeys(os.environ, ENVIRONMENT)
    for binding in parse_stream(io.StringIO(_env_file_text())):
        text = binding.original.string
        # The parser counts the blank lines before a statement to it.
        line = binding.original.line + len(text) - len(text.lstrip("\n"))
        if binding.error or (binding.key is not None and binding.value is None):
            # The line itself is not repeated: it may be half of a password.
            yield f"line {line} of {ENV_FILE.resolve()} is no NAME=value"
        elif binding.key is not None:
            names[binding.key] = f"line {line} of {ENV_FILE.resolve()}"
    settings = [field.upper() for field in Settings.model_fields]
    for name, where in names.items():
        upper = name.upper()
        if upper.startswith(PREFIX) and upper.removeprefix(PREFIX) not in settings:
            close = difflib.get_close_matches(upper.removeprefix(PREFIX), settings, n=1, cutoff=0.7)
            # The environment is not ours alone: there, only what looks like a slip of the pen is one.
            if close or where != ENVIRONMENT:
                yield f"{name} in {where} is no setting" + (f" (did you mean {PREFIX}{close[0]}?)" if close else "")


@cache
def get_settings() -> Settings:
    """Return the settings in force.

    Raises:
        SettingsError: if an environment variable or the .env file holds something that cannot be used.
    """
    problems = list(_ignored_silently())
    try:
        settings = Settings()
    except ValidationError as error:
        problems += [
            (f"{PREFIX}{str(e['loc'][0]).upper()}={e['input']!r}: " if e["loc"] else "")
            + str(e["msg"]).removeprefix("Value error, ")
            for e in error.errors()
        ]
    if problems:
        raise SettingsError(f"Settings cannot be used: {'; '.join(problems)}. Mend the environment or .env.")
    return settings
