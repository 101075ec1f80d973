"""``loupan status``: the last refresh, and what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from loupan.console import Format, OutputFormat, byte_size, display, write_rows
from loupan.errors import LoupanError
from loupan.refresh_state import INTERRUPTED, last_refresh
from loupan.settings import Settings, get_settings

if TYPE_CHECKING:
    import pandas as pd

    from loupan.snapshot import Snapshot

_QUARANTINED_LISTED = 500
_QUARANTINED_SHOWN = 3

app = typer.Typer(help="Show the last refresh and what is published.")


@app.command()
def status(
    *,
    quarantined: Annotated[
        bool,
        typer.Option(
            "--quarantined",
            help=f"List up to {_QUARANTINED_LISTED} rows kept out by a refused refresh, else of the current snapshot.",
        ),
    ] = False,
    output_format: Format = OutputFormat.TABLE,
) -> None:
    """Show the last refresh, the data's as-of, failed checks, quarantined rows and sizes."""
    from loupan.kept_out import refused_rows
    from loupan.snapshot import NoSnapshot, current, list_snapshots

    settings = get_settings()
    if quarantined:
        # One more than is listed shows whether there are more; a row that breaks two rules is there twice.
        kept_out = refused_rows(settings, _QUARANTINED_LISTED + 1)
        if kept_out is None:
            kept_out = current(settings).quarantined_rows(_QUARANTINED_LISTED + 1)
        _list_quarantined(kept_out, output_format)
        return
    rows = _last_refresh(settings)
    snapshot: Snapshot | None = None
    problem: LoupanError | None = None
    try:
        snapshot = current(settings)
        snapshot.verify()
        rows |= {
            "current snapshot": snapshot.version,
            "data as of": snapshot.report.get("as_of"),
            "unchanged until": snapshot.looked_again_at and snapshot.unchanged_until.isoformat(timespec="seconds"),
            "snapshot size": snapshot.size,
        }
    except NoSnapshot:
        rows["current snapshot"] = None
    except LoupanError as error:
        rows["current snapshot"], problem = "damaged", error
    rows |= {
        "snapshots kept": len(list_snapshots(settings)),
        "warehouse size": settings.warehouse_path.stat().st_size if settings.warehouse_path.is_file() else None,
        "data folder": str(settings.data_dir),
    }
    if output_format is OutputFormat.JSON:
        named = {name.replace(" ", "_"): value for name, value in rows.items()}
        write_rows(list(named), [named], output_format)
    else:
        lines = [{"property": name, "value": _line(name, value)} for name, value in rows.items()]
        write_rows(["property", "value"], lines, output_format)
    if problem is not None:
        raise problem
    if snapshot is not None and output_format is OutputFormat.TABLE and snapshot.report.get("quarantined"):
        typer.echo("Kept out of the current snapshot, the first of each table:")
        _write_quarantined(snapshot.quarantined_rows(per_table=_QUARANTINED_SHOWN), output_format)


def _last_refresh(settings: Settings) -> dict[str, Any]:
    refresh = last_refresh(settings)
    if refresh is None:
        return {"last refresh": "never run"}
    return {
        "last refresh": "interrupted" if refresh.error == INTERRUPTED else refresh.outcome,
        "started": refresh.started_at,
        "finished": refresh.finished_at,
        "failed checks": refresh.failed_checks,
        "error": refresh.error,
        "notes": refresh.messages,
        "rows loaded": refresh.rows,
        "rows quarantined": refresh.quarantined,
    }


def _list_quarantined(rows: pd.DataFrame, output_format: OutputFormat) -> None:
    if rows.empty and output_format is OutputFormat.TABLE:
        typer.echo("No row was kept out.")
        return
    _write_quarantined(rows[:_QUARANTINED_LISTED], output_format)
    if len(rows) > _QUARANTINED_LISTED:
        typer.echo(f"These are the first {_QUARANTINED_LISTED}; there are more.", err=True)


def _write_quarantined(rows: pd.DataFrame, output_format: OutputFormat) -> None:
    named = {"table": "table_name", "key": "row_key", "column": "column_name", "value": "value", "reason": "reason"}
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    write_rows(list(named), [{n: record[column] for n, column in named.items()} for record in records], output_format)


def _line(name: str, value: Any) -> str:
    """A value of the table; of rows per table the sum, and for bad rows the tables too."""
    if name.endswith("size") and value is not None:
        return byte_size(value)
    if isinstance(value, dict):
        total = display(sum(value.values()))
        listed = ", ".join(f"{table} {display(count)}" for table, count in sorted(value.items()) if count)
        return f"{total} ({listed})" if listed and name == "rows quarantined" else total
    if isinstance(value, list):
        return "\n".join(value) or "none"
    return display(value)
