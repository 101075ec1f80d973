"""``loupan models``: what became of the models in the last refresh, and a model tried on what is published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loupan.console import Format, OutputFormat, visible, write_rows
from loupan.errors import LoupanError
from loupan.settings import get_settings

app = typer.Typer(help="List the models, and try one.")
_SHOWN = 20
_TEMPLATE = Path(__file__).with_name("mining") / "model_template.txt"


@app.command("list")
def list_models(output_format: Format = OutputFormat.TABLE) -> None:
    """Say what became of each model in the snapshot in force."""
    from loupan.mining.published import published_runs
    from loupan.snapshot import current

    write_rows(
        ["model", "state", "said", "rows", "seconds", "learnt_up_to", "own"],
        (
            {
                "model": run.name,
                "state": run.status,
                "said": visible(run.said()),
                "rows": sum(output.rows for output in run.outputs),
                "seconds": run.seconds,
                "learnt_up_to": run.trained_as_of,
                "own": run.is_own,
            }
            for run in published_runs(current(get_settings()))
        ),
        output_format,
    )


@app.command("new")
def new_model(name: Annotated[str, typer.Argument(help="Small letters, digits and underscores.")]) -> None:
    """Put a file to begin a model with into the folder of the company's own models."""
    from loupan.mining.result import NAME

    if not NAME.fullmatch(name):
        raise LoupanError(f"{name!r} is no name for a model: use small letters, digits and underscores, 41 at most")
    path = get_settings().models_dir / f"{name}.py"
    if path.exists():
        raise LoupanError(f"{path} is there already; choose another name, or remove it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise LoupanError(
            f"{path} cannot be written: {error}. Check LOUPAN_MODEL_DIR and who may write there."
        ) from error
    typer.echo(f"{path}\nTry it with `loupan models run {path}`; the next refresh publishes what it gives back.")


@app.command("run")
def run_model(
    file: Annotated[Path, typer.Argument(help="The model's file.")], output_format: Format = OutputFormat.TABLE
) -> None:
    """Try a model on the marts that are published; nothing is published.

    Exit code 0: it gave results, or abstained. 1: it failed.
    """
    from loupan.mining.published import FAILED, OK
    from pipelines.mining.run import try_model

    if not file.is_file():
        raise LoupanError(f"There is no file {file}; see docs/own_model.md for how to write a model.")
    run, tables = try_model(get_settings(), file.resolve())
    if run.status == FAILED:
        raise LoupanError(f"The model failed: {visible(run.said())}")
    typer.secho(f"{run.status} after {run.seconds:.1f} s. {visible(run.said())}".rstrip(), err=True)
    for line in run.evaluation:
        typer.secho(f"{line.measure}: {line.model} (baseline {line.baseline})", err=True)
    for name, table in tables.items():
        is_long = output_format is OutputFormat.TABLE and len(table) > _SHOWN
        typer.secho(f"\n{name}: {len(table):,} rows" + (f", the first {_SHOWN}" if is_long else ""), err=True)
        shown = table.head(_SHOWN) if is_long else table
        columns = [*map(str, shown.columns)]
        rows = zip(*(shown[name].astype(object).where(shown[name].notna(), None) for name in columns), strict=True)
        write_rows(columns, (dict(zip(columns, row, strict=True)) for row in rows), output_format)
    if run.status == OK and not tables:
        typer.secho("It has no outputs: the page will show its card only.", err=True)
