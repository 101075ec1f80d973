"""The way of the data, forwards and back, on a small graph."""

from __future__ import annotations

from loupan.lineage import ROWS, Column, Lineage, Made, MadeOf, Step, read_lineage, write_lineage
from loupan.settings import get_settings

KIND, OPENED = Column("raw/deal", "kind"), Column("raw/lead", "opened_at")
STAGED_KIND, STAGED_OPENED = Column("staging/stg_deal", "kind"), Column("staging/stg_lead", "opened_on")
SOLD, ON, FACT = (Column("marts/fct_lead", name) for name in ("is_sold", "opened_on", ROWS))

LINEAGE = Lineage(
    tables={
        "staging/stg_deal": {"kind": Made((KIND,))},
        "staging/stg_lead": {"opened_on": Made((OPENED,)), ROWS: Made((), (Column("raw/lead", ROWS),))},
        "marts/fct_lead": {
            "is_sold": Made((), (STAGED_KIND,)),
            "opened_on": Made((STAGED_OPENED,)),
            ROWS: Made((), (Column("staging/stg_lead", ROWS),)),
        },
    },
    metrics={
        "leads": MadeOf((), (ON, FACT)),
        "sold": MadeOf((), (ON, FACT, SOLD)),
        "rate": MadeOf(("sold", "leads"), ()),
        "ring": MadeOf(("ring",), ()),
    },
    dimensions={"outcome": MadeOf((), (SOLD,))},
)


def test_a_metric_depends_on_what_its_parts_read() -> None:
    assert LINEAGE.columns_of("rate") == {ON, FACT, SOLD}
    assert LINEAGE.columns_of("ring") == LINEAGE.columns_of("no such metric") == frozenset()
    assert LINEAGE.crm_columns_of("rate") == {KIND, OPENED}
    assert LINEAGE.crm_columns_of("leads") == {OPENED}


def test_steps_say_whether_a_value_comes_from_there() -> None:
    assert LINEAGE.upstream([SOLD]) == {Step(STAGED_KIND, SOLD, is_value=False), Step(KIND, STAGED_KIND, is_value=True)}


def test_what_depends_on_a_column_is_found_the_other_way() -> None:
    assert LINEAGE.metrics_on(KIND) == ("rate", "sold")
    assert LINEAGE.metrics_on(OPENED) == ("leads", "rate", "sold")
    assert LINEAGE.dimensions_on(KIND) == ("outcome",)
    assert LINEAGE.metrics_on(Column("raw/lead", "nothing")) == ()
    assert LINEAGE.crm_tables == {"deal": ("kind",), "lead": ("opened_at",)}


def test_it_is_read_as_it_was_written_and_a_damaged_file_is_none() -> None:
    settings = get_settings()
    assert read_lineage(settings) is None
    settings.data_dir.mkdir(parents=True)
    write_lineage(settings, LINEAGE)
    read = read_lineage(settings)
    assert read == LINEAGE
    assert read is not None
    assert read.crm_columns_of("rate") == {KIND, OPENED}
    (settings.data_dir / "lineage.json").write_text('{"tables": 7}')
    assert read_lineage(settings) is None
