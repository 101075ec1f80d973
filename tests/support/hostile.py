"""A company whose every text was typed by somebody who means harm: what people can enter holds scripts and links."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from data_entry.schema import metadata
from loupan.settings import Settings
from pipelines.mining.catalogue import model_files
from tests.support.installation import AS_OF, copy_crm, crm_installation, run_loupan

# Of each, the longest that fits. They try markup, attributes, and what Streamlit reads as Markdown.
PAYLOADS = (
    '<img src=x onerror="parent.pwned=1;alert(1)"><script>window.pwned=1;alert(2)</script><svg onload=alert(3)>'
    '"><b onmouseover=alert(4)>{{7*7}}${7*7} [go](javascript:alert(5)) ![far](http://evil.example/far.png)',
    "<img src=x onerror=alert(1)> [go](javascript:alert(5)) ![far](http://evil.example/f.png)",
    "<img src=x onerror=alert(1)>",
    "<b onclick=alert(1)>",
)
MARK = "onerror="
"""Stands in what a page shows where a payload is shown as text."""
# Texts that the program itself writes or chooses among.
_NOT_TYPED = {
    "entity", "sha256", "media_type", "token_hash", "path", "query", "field", "locale", "external_ref", "number",
    "password_hash", "oidc_subject", "login", "landing_page", "resource", "action", "generated_from", "user_agent",
    "options", "unit",
}  # fmt: skip
_LEFT = {"audit_log", "role", "role_permission", "account", "vocabulary_term", "alembic_version"}
_SOME = 40
MODEL = '''"""Harm."""

import pandas as pd
from loupan.mining import Card, Field, Marts, Output, Result

READS = ("dim_project",)
HARM = {harm!r}
CARD = Card(
    title="Harm", purpose=HARM, action=HARM, data=HARM, baseline=HARM, fails=HARM, abstains=HARM, method=HARM,
)


def run(marts: Marts) -> Result:
    """Texts that mean harm."""
    frame = pd.DataFrame({{"what": [HARM, "=1+1"], "number": [1, 2]}})
    fields = {{"what": Field(HARM), "number": Field("Number", "count")}}
    return Result([Output("harm", HARM, frame, fields)], verdict=HARM)
'''


def payload(length: int | None, number: int) -> str:
    """Return the longest harmful text of so many characters, made one of its kind by a number."""
    room = (length or 10_000) - 8
    return next(text for text in PAYLOADS if len(text) <= room) + f" {number}"


def plant(crm: Path) -> int:
    """Put harmful texts into every column that people type into, and return how many were put."""
    count = 0
    with closing(sqlite3.connect(crm)) as connection:
        for table in metadata.sorted_tables:
            if table.name in _LEFT:
                continue
            keys = [k for (k,) in connection.execute(f"SELECT id FROM {table.name} ORDER BY id LIMIT {_SOME}")]
            for column in table.c:
                kind = column.type
                is_text = isinstance(kind, (sa.String, sa.Text)) and not isinstance(kind, sa.Enum)
                if not is_text or column.name in _NOT_TYPED or column.info.get("vocabulary"):
                    continue
                for key in keys:
                    connection.execute(
                        f"UPDATE {table.name} SET {column.name} = ? WHERE id = ? AND {column.name} IS NOT NULL",
                        (payload(kind.length, key), key),
                    )
                    count += connection.total_changes > 0
        _add_what_is_missing(connection)
        connection.commit()
    return count


def _add_what_is_missing(connection: sqlite3.Connection) -> None:
    """Add a shared view, a file and rows that go to quarantine, all with harmful names."""
    connection.execute(
        "INSERT INTO saved_view (account_id, name, path, query, is_shared) VALUES (1, ?, 'sales', 'period=all', 1)",
        (payload(100, 1),),
    )
    connection.execute(
        "INSERT INTO attachment (entity, entity_id, file_name, media_type, byte_count, sha256) "
        "VALUES ('demand', 1, ?, 'application/pdf', 9, ?)",
        (payload(255, 1) + ".pdf", "0" * 64),
    )
    connection.execute("UPDATE payment SET received_on = '1200-01-01' WHERE id = 1")


def hostile_company(data_dir: Path) -> Path:
    """Make the company in a folder, publish it, and return the folder."""
    data_dir.mkdir(parents=True, exist_ok=True)
    copy_crm(crm_installation(), data_dir)
    plant(data_dir / "crm.sqlite")
    (data_dir / "models").mkdir()
    (data_dir / "models" / "harm.py").write_text(MODEL.format(harm=PAYLOADS[0]), encoding="utf-8")
    ours = [model.name for model in model_files(Settings(data_dir=data_dir)) if not model.is_own]
    run_loupan(
        data_dir, "refresh", "--as-of", f"{AS_OF}T16:00:00",
        environment={"LOUPAN_WITHOUT_MODELS": ",".join(ours), "LOUPAN_QUARANTINE_THRESHOLD": "0.5"},
    )  # fmt: skip
    return data_dir
