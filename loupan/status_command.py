"""``loupan status``: the last refresh, and what is published."""

from __future__ import annotations

from typing import Any

import typer

from loupan.console import Format, OutputFormat, byte_size, display, write_rows
from loupan.errors import LoupanError
from loupan.refresh_state import read_state
from loupan.settings import get_settings

app = typer.Typer(help="Show the last refresh and what is published.")


@app.command()
def status(
    output_format: Format = OutputFormat.TABLE,
) -> None:
    """Show the last refresh, the data's as-of, failed checks, quarantined rows and sizes."""
    from loupan.snapshot import NoSnapshot, current, list_snapshots

    settings = get_settings()
    refresh = read_state(settings)
    rows: dict[str, Any] = {"last refresh": "never run"}
    if refresh is not None:
        rows = {
            "last refresh": refresh.outcome,
            "started": refresh.started_at,
            "finished": refresh.finished_at,
            "failed checks": refresh.failed_checks,
            "error": refresh.error,
            "rows loaded": refresh.rows,
            "rows quarantined": refresh.quarantined,
        }
    problem: LoupanError | None = None
    try:
        snapshot = current(settings)
        rows |= {
            "current snapshot": snapshot.version,
            "data as of": snapshot.report.get("as_of"),
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


def _line(name: str, value: Any) -> str:
    """A value of the table; of rows per table the sum, and for bad rows the tables too."""
    if name.endswith("size") and value is not None:
        return byte_size(value)
    if isinstance(value, dict):
        total = display(sum(value.values()))
        listed = ", ".join(f"{table} {display(count)}" for table, count in sorted(value.items()) if count)
        return f"{total} ({listed})" if listed and name == "rows quarantined" else total
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return display(value)
