"""``loupan metrics``: the gateway on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from loupan.console import Format, OutputFormat, display, visible, write_rows
from loupan.errors import LoupanError

app = typer.Typer(no_args_is_help=True, help="List, describe and query the metrics.")


@app.command("list")
def list_metrics(
    output_format: Format = OutputFormat.TABLE,
    all_metrics: Annotated[bool, typer.Option("--all", help="Also the helpers that others are made of.")] = False,
) -> None:
    """List the metrics."""
    from loupan.metrics import open_current

    columns = ["name", "label", "label_zh", "unit", "date_basis", "better", "owner"]
    if output_format is not OutputFormat.TABLE:
        columns += ["definition", "dimensions"]
    rows = []
    for metric in open_current().list(hidden=all_metrics):
        row = {column: getattr(metric, "description" if column == "definition" else column) for column in columns}
        if "dimensions" in row:
            row["dimensions"] = " ".join(metric.dimensions) if output_format is OutputFormat.CSV else metric.dimensions
        rows.append(row)
    write_rows(columns, rows, output_format)


@app.command()
def describe(
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="Name of the metric.")],
    output_format: Format = OutputFormat.TABLE,
) -> None:
    """Show one metric: definition, unit, date basis, dimensions, numerator and denominator, owner."""
    from loupan.metrics import open_current

    metrics = open_current()
    found = metrics.describe(metric)
    description = {
        "name": found.name,
        "label": found.label,
        "label_zh": found.label_zh,
        "definition": found.description,
        "unit": found.unit,
        "date_basis": found.date_basis,
        "better": found.better,
        "owner": found.owner,
        "kind": found.kind,
        "numerator": found.numerator,
        "denominator": found.denominator,
        "scale": found.scale if found.is_ratio else None,
        "formula": found.expression or None,
        "default_where": {dimension: list(values) for dimension, values in found.default_where.items()} or None,
        "dimensions": list(found.dimensions),
        "as_of": metrics.snapshot.report.get("as_of"),
    }
    if output_format is OutputFormat.JSON:
        write_rows(list(description), [description], output_format)
        return
    rows = [
        {"property": name, "value": ", ".join(value) if isinstance(value, list) else display(value)}
        for name, value in description.items()
        if value not in (None, "")
    ]
    write_rows(["property", "value"], rows, output_format)


@app.command()
def query(
    metrics: Annotated[list[str], typer.Argument(metavar="METRIC...", help="Names of metrics.")],
    *,
    by: Annotated[
        list[str] | None, typer.Option("--by", metavar="DIMENSION", help="Cut by it; repeat, or separate by commas.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="DIMENSION=VALUE",
            help="Only rows with this value; repeat for more values. Nothing after = means rows without a value.",
        ),
    ] = None,
    start: Annotated[str | None, typer.Option(metavar="DATE", help="First day that counts, as 2026-01-31.")] = None,
    end: Annotated[str | None, typer.Option(metavar="DATE", help="Last day that counts.")] = None,
    output_format: Format = OutputFormat.TABLE,
) -> None:
    """Query metrics from the current snapshot."""
    from loupan.metrics import open_current

    dimensions = [name.strip() for item in by or () for name in item.split(",") if name.strip()]
    gateway = open_current()
    filters = _filters(where or ())
    rows = gateway.records(metrics, dimensions, filters, start, end)
    for sentence in gateway.unknown_values(filters):
        typer.secho(f"Warning: {visible(sentence)}", fg="yellow", err=True)
    columns, units = list(dict.fromkeys(dimensions)), {}
    for metric in map(gateway.describe, dict.fromkeys(metrics)):
        columns.append(metric.name)
        units[metric.name] = metric.unit
        if metric.is_ratio:
            terms = {"numerator": str(metric.numerator), "denominator": str(metric.denominator)}
            columns += [f"{metric.name}__{term}" for term in terms]
            units |= {f"{metric.name}__{term}": gateway.describe(name).unit for term, name in terms.items()}
    write_rows(columns, rows, output_format, units)


def _filters(conditions: list[str] | tuple[str, ...]) -> dict[str, list[str | None]]:
    filters: dict[str, list[str | None]] = {}
    for condition in conditions:
        dimension, separator, value = condition.partition("=")
        if not separator or not dimension.strip():
            raise LoupanError(f"--where {condition!r} is no DIMENSION=VALUE, like --where project='River Bay'.")
        filters.setdefault(dimension.strip(), []).append(value or None)
    return filters
