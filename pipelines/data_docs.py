"""Data Docs: what is expected of every loaded table and what was found, as one self-contained HTML page.

The site that Great Expectations builds draws its tables with scripts and styles from outside hosts and is empty without
them; this page is made from the same results. Those of each table are kept beside it as JSON until its next check.
"""

from __future__ import annotations

import datetime as dt
import html
import json
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from loupan.files import replace_text

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f4b; --bad: #c2352b; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .6rem 0; padding: .4rem .8rem; }
details { overflow-x: auto; }
summary { cursor: pointer; font-weight: 600; }
.good::before { content: "✓ "; color: var(--good); }
.bad::before { content: "✗ "; color: var(--bad); }
small { opacity: .7; font-weight: 400; }
"""


def write_data_docs(
    folder: Path, as_of: dt.datetime, outcomes: Mapping[str, list[dict[str, Any]]], *, complete: Container[str]
) -> Path:
    """Store the outcomes of the checked tables and write ``index.html`` of all tables ever checked.

    Args:
        folder: the site; made if absent.
        as_of: the moment the load speaks of (naive UTC), shown with the tables checked now.
        outcomes: by table, one dictionary per expectation with ``says, holds, checked, unexpected, allowed, examples``.
        complete: tables all of whose expectations were checked; of others the former outcomes stay beside the new.

    Returns:
        The page.
    """
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    for table, found in outcomes.items():
        path = results / f"{table}.json"
        if table not in complete and path.exists():
            former = json.loads(path.read_text(encoding="utf-8"))["outcomes"]
            found = list({outcome["says"]: outcome for outcome in [*former, *found]}.values())  # noqa: PLW2901
        checked = {"table": table, "as_of": as_of.isoformat(sep=" ", timespec="minutes"), "outcomes": found}
        replace_text(path, json.dumps(checked, ensure_ascii=False, default=str, indent=1))
    stored = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))]
    page = folder / "index.html"
    replace_text(page, _page(stored))
    return page


def _page(stored: list[dict[str, Any]]) -> str:
    failed = [one["table"] for one in stored if not _holds(one)]
    summary = f"{len(stored) - len(failed)} of {len(stored)} tables keep all that is expected of them."
    # Tables with something to mend come first, and open.
    tables = "\n".join(_table(one) for one in sorted(stored, key=_holds))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>Data Docs</title><style>{_STYLE}</style></head>\n'
        f"<body><h1>Data Docs</h1><p>{summary}</p>\n{tables}\n</body></html>\n"
    )


def _holds(stored: Mapping[str, Any]) -> bool:
    return all(outcome["holds"] for outcome in stored["outcomes"])


def _table(stored: Mapping[str, Any]) -> str:
    rows = "\n".join(_row(outcome) for outcome in stored["outcomes"])
    holds = _holds(stored)
    return (
        f'<details{"" if holds else " open"}><summary class="{_mark(holds)}">{html.escape(stored["table"])} '
        f"<small>as of {html.escape(stored['as_of'])} UTC</small></summary><table>"
        '<tr><th>Expected</th><th class="n">Looked at</th><th class="n">Not so</th><th class="n">May be</th>'
        f"<th>For example</th></tr>\n{rows}</table></details>"
    )


def _row(outcome: Mapping[str, Any]) -> str:
    numbers = "".join(f'<td class="n">{outcome[name]:,}</td>' for name in ("checked", "unexpected", "allowed"))
    return (
        f'<tr><td class="{_mark(outcome["holds"])}">{html.escape(outcome["says"])}</td>{numbers}'
        f"<td>{html.escape(_some(outcome['examples']))}</td></tr>"
    )


def _mark(holds: bool) -> str:
    return "good" if holds else "bad"


def _some(examples: Iterable[Any]) -> str:
    return ", ".join(str(example) for example in list(examples)[:5])
