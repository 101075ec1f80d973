"""``loupan personal``: hand over, or erase, what is held about one customer; for whoever keeps the server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from data_entry.access import SYSTEM
from data_entry.database import ready_engine
from data_entry.schema.labels import table_plural
from data_entry.services.personal import copies, service
from data_entry.services.personal.export import export as export_person
from data_entry.services.work import reading, writing
from loupan.errors import LoupanError
from loupan.i18n import LANGUAGES, translator
from loupan.settings import get_settings

app = typer.Typer(help="Hand over, or erase, what is held about one customer.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Number of the customer's record.")]


@app.command()
def export(
    number: Number,
    out: Annotated[Path, typer.Option("--out", help="The archive (.zip) to write; it must not be there yet.")],
    language: Annotated[str, typer.Option(help="Language of the readable form: en, zh.")] = "en",
) -> None:
    """Write all that is held about a customer into an archive: person.html, person.json and the attached files."""
    if language not in LANGUAGES:
        raise LoupanError(f"There is no language {language}; there are {', '.join(LANGUAGES)}.")
    out = out.expanduser().resolve()
    if out.exists():
        raise LoupanError(f"{out} is there already. Name another file.")
    if not out.parent.is_dir():
        raise LoupanError(f"There is no folder {out.parent}. Make it, or name another file.")
    with writing(ready_engine(get_settings().crm_database_url), SYSTEM) as work:
        made = export_person(work, number, translator(language), language)
        # Before the commit: what is not written was not handed over.
        try:
            with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(made.content)
        except OSError as error:
            out.unlink(missing_ok=True)
            raise LoupanError(f"{out} cannot be written: {error.strerror}. Name another file.") from error
    typer.echo(f"Wrote {made.rows:,} rows and {made.files:,} files about customer {number} to {out}.")
    if made.missing:
        typer.secho(f"{made.missing:,} attached files are missing from the store.", fg="yellow", err=True)


@app.command()
def erase(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="Why, e.g. the request and its day; must name nobody.")],
    *,
    despite_running: Annotated[
        bool, typer.Option("--despite-running", help="Even if the person still owes or owns something.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a person for good, in all records merged with this one; what statistics are made of stays without it."""
    settings = get_settings()
    engine = ready_engine(settings.crm_database_url)
    with reading(engine, SYSTEM) as work:
        found = service.preview(work, number)
    typer.echo(f"Records of the person: {', '.join(f'#{key}' for key in found.customer_ids)}.")
    for table, count in found.rows.items():
        typer.echo(f"  {count:,} {table_plural(table).lower()}")
    if found.contracts:
        typer.echo(
            f"Of {len(found.contracts)} contracts, days, amounts and units stay, without the person. The signed "
            "contract and the accounts are kept outside of the CRM, as the law asks."
        )
    if not yes:
        typer.confirm(
            "Names, numbers, addresses, texts and files are erased. This cannot be undone. Erase?", abort=True
        )
    with writing(engine, SYSTEM) as work:
        result = service.erase(work, number, reason, despite_running=despite_running)
    left = copies.clean(engine, settings, result)
    typer.echo(
        f"Erased {sum(result.rows.values()):,} rows, {len(result.files):,} files and {sum(result.mentions.values()):,} "
        "mentions in other texts."
    )
    typer.echo(
        "The next `loupan refresh` builds the warehouse anew. Backups end after LOUPAN_BACKUP_MAX_DAYS; a restore"
    )
    typer.echo("erases again.")
    for message in left:
        typer.secho(message, fg="yellow", err=True)
