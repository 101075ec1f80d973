"""A small generated company, made once for all tests that only read it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from data_entry.database import create_engine_for, create_schema
from sample_data.generator import Summary, generate

AS_OF = dt.date(2026, 6, 30)
# Midnight in Shanghai that begins the 30 June, in UTC.
HISTORY_ENDS = "2026-06-29 16:00:00"


@dataclass
class Company:
    """A generated company: its database, what was made, and the planted truths."""

    engine: sa.Engine
    summary: Summary
    truths: dict[str, Any]

    def frame(self, query: str) -> pd.DataFrame:
        """Return the rows of a query."""
        with self.engine.connect() as connection:
            return pd.read_sql(sa.text(query), connection)


def make_company(folder: Path, **arguments: Any) -> Company:
    """Generate a company into a new SQLite file in ``folder``."""
    engine = create_engine_for(f"sqlite:///{folder / 'crm.sqlite'}")
    create_schema(engine)
    summary = generate(engine, as_of=AS_OF, truths_path=folder / "truths.json", **arguments)
    return Company(engine, summary, json.loads(summary.truths_path.read_text(encoding="utf-8")))


@pytest.fixture(scope="package")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A small company; tests must not change it."""
    made = make_company(tmp_path_factory.mktemp("company"), scale=0.05)
    yield made
    made.engine.dispose()
