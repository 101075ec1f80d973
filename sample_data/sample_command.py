"""``loupan sample``: fill an empty CRM with a generated company."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, cast
from zoneinfo import ZoneInfo

import typer

from loupan.settings import get_settings
from sample_data.errors import SampleArgumentError

if TYPE_CHECKING:
    from sample_data.vocabulary import Language

app = typer.Typer()


@app.command()
def sample(
    scale: Annotated[
        float,
        typer.Option(
            help="Size of the company, 0.01 to 1000; 1 is 8 estates, 6,000 units, 80 employees, 40,000 leads."
        ),
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Start of the random numbers; the same seed gives the same company.")] = 1,
    as_of: Annotated[
        str | None,
        typer.Option(help="The company's today, YYYY-MM-DD; nothing has happened since it began. Default: today."),
    ] = None,
    language: Annotated[str, typer.Option(help="Language of names and words: zh or en.")] = "zh",
) -> None:
    """Fill an empty CRM with three years of a believable company; a CRM that holds data is refused."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from data_entry.database import create_engine_for
    from sample_data.generator import generate

    settings = get_settings()
    day = _as_of(as_of, settings.time_zone)
    engine = create_engine_for(settings.crm_database_url)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Sample company", total=1.0)
        summary = generate(
            engine,
            scale=scale,
            seed=seed,
            as_of=day,
            language=cast("Language", language),
            progress=lambda share, what: bar.update(task, completed=share, description=what.capitalize()),
        )
    rows = summary.rows
    typer.echo(
        f"Wrote {summary.total:,} rows to {engine.url.render_as_string()} in {summary.seconds:.1f} s: "
        f"{rows['project']:,} estates, {rows['unit']:,} units, {rows['employee']:,} employees, "
        f"{rows['customer']:,} customers, {rows['lead']:,} leads, {rows['demand']:,} demands.\n"
        f"Planted truths: {summary.truths_path}"
    )


def _as_of(text: str | None, time_zone: str) -> dt.date:
    if text is None:
        return dt.datetime.now(ZoneInfo(time_zone)).date()
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise SampleArgumentError(f"--as-of {text!r} is no date; write it as YYYY-MM-DD, e.g. 2026-06-30.") from error
