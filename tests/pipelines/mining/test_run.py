"""Models run apart from the refresh: whatever one does, the others run, and what it leaves is told."""

import json
import os
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import duckdb
import pytest

from loupan.metrics import EVERYTHING, Scope
from loupan.mining.published import ABSTAINED, FAILED, OK, published_runs, read_output
from loupan.settings import Settings
from loupan.snapshot import publish
from pipelines.mining.catalogue import ModelFile, UnusableModel, model_files
from pipelines.mining.run import run_models
from pipelines.mining.worker import Job, Model, main
from tests.support.own_models import run_own_models

HEAD = """
from loupan.mining import Abstain, Card, Field, Marts, Output, Picture, Result
READS = ("fct_lead",)
CARD = Card("Title", "purpose", "action", "data", "baseline", "fails", "abstains", "method")
"""
COUNT = (
    HEAD
    + """
def run(marts):
    frame = marts.query("select project, count(*) as leads from fct_lead group by project order by project")
    return Result([Output("leads", "Leads", frame, {"project": Field("Project"), "leads": Field("Leads", "count")})])
"""
)


def as_of(warehouse: duckdb.DuckDBPyConnection, moment: str) -> None:
    warehouse.execute(f"create or replace table raw.refresh as select timestamp '{moment}' as as_of")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(data_dir=tmp_path, model_seconds=5)
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("create schema marts; create schema raw")
        as_of(warehouse, "2026-06-30 16:00")
        warehouse.execute(
            "create table marts.fct_lead as from (values ('Bay', 1), ('Bay', 2), ('Hill', 3)) as t (project, lead_id)"
        )
        warehouse.execute(
            "create table marts.dim_project as from (values (1, 'Bay'), (2, 'Hill')) as t (project_id, project_name)"
        )
    settings.models_dir.mkdir()
    return settings


def run_all(settings: Settings, **files: str):
    return run_own_models(settings, files)


def stored(settings: Settings, sql: str):
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as warehouse:
        return warehouse.execute(sql).fetchall()


BROKEN = {
    "crashes": HEAD + "import os\ndef run(marts): os._exit(7)",
    "exits": HEAD + "import sys\ndef run(marts): sys.exit()",
    "raises": HEAD + "def run(marts):\n    return 1 / 0",
    "no_python": "READS = ('fct_lead'",
    "no_reads": "CARD = None",
    "computed_reads": "READS = tuple(['fct_lead'])",
    "no_card": "READS = ('fct_lead',)\ndef run(marts): pass",
    "no_run": HEAD,
    "unknown_mart": "READS = ('fct_nothing',)",
    "reads_more": HEAD + "def run(marts): marts.frame('dim_project')",
    "no_result": HEAD + "def run(marts): return 3",
    "no_frame": HEAD + "def run(marts): return Result([Output('a', 'A', [1])])",
    "bad_column": HEAD + "import pandas as pd\n"
    "def run(marts): return Result([Output('a', 'A', pd.DataFrame({'A b': [1]}))])",
    "bad_field": HEAD + "import pandas as pd\n"
    "def run(marts): return Result([Output('a', 'A', pd.DataFrame({'a': [1]}), {'b': Field('B')})])",
}  # fmt: skip
TABLE = HEAD + "import pandas as pd\nimport numpy as np\n"
BROKEN |= {
    "no_field": TABLE + "def run(marts): return Result([Output('a', 'A', pd.DataFrame({'a': [1]}), {'a': 'text'})])",
    "no_unit": TABLE + "def run(marts):\n"
    "    return Result([Output('a', 'A', pd.DataFrame({'a': [1]}), {'a': Field('A', 'euros')})])",
    "no_kind": TABLE + "def run(marts):\n"
    "    return Result([Output('a', 'A', pd.DataFrame({'a': [1]}), {'a': Field('A')}, Picture('pie', 'a', 'a'))])",
    "no_number": TABLE + "def run(marts):\n"
    "    return Result([Output('a', 'A', pd.DataFrame({'a': ['x']}), {'a': Field('A', 'count')})])",
    "no_month": TABLE + "def run(marts):\n"
    "    return Result([Output('a', 'A', pd.DataFrame({'a': ['Jan']}), {'a': Field('A', 'month')})])",
    "no_columns": TABLE + "def run(marts): return Result([Output('a', 'A', pd.DataFrame())])",
    "two_values": TABLE + "def run(marts):\n"
    "    frame = pd.DataFrame({'m': ['2026-01', '2026-01'], 'v': [1, 2]})\n"
    "    fields = {'m': Field('M', 'month'), 'v': Field('V', 'count')}\n"
    "    return Result([Output('a', 'A', frame, fields, Picture('lines', 'm', 'v'))])",
    "no_place": TABLE + "def run(marts): return Result([], verdict='{a} of {b}', values={'a': 1})",
    "no_evaluation": TABLE + "def run(marts): return Result([], evaluation=['good'])",
}  # fmt: skip
SAID = {
    "no_field": "is shown as 'text'; give a Field",
    "no_unit": "give a Field with one of text, count",
    "no_kind": "give a Picture of bars, lines, points",
    "no_number": "column 'a' is shown as count",
    "no_month": "others than months written like 2026-06",
    "no_columns": "has no columns",
    "two_values": "two values at one place",
    "no_place": "does not fit its values",
    "no_evaluation": "the evaluation holds str",
    "crashes": "its process ended (code 7)",
    "exits": "SystemExit",
    "raises": "ZeroDivisionError: division by zero (raises.py, line 6)",
    "no_python": "was never closed",
    "no_reads": "has no READS",
    "computed_reads": "has no READS",
    "no_card": "has no CARD",
    "no_run": "has no function run(marts)",
    "unknown_mart": "reads fct_nothing, which are no marts",
    "reads_more": "dim_project is not in READS (fct_lead)",
    "no_result": "run() gave int",
    "no_frame": "holds list; give a pandas DataFrame",
    "bad_column": "columns ['A b'] need names",
    "bad_field": "has no column b; it has a",
}


def test_a_broken_model_is_told_and_the_others_run(settings: Settings) -> None:
    runs = run_all(settings, first=COUNT, **BROKEN, last=COUNT)
    assert (runs["first"].status, runs["last"].status) == (OK, OK)
    for name, said in SAID.items():
        assert runs[name].status == FAILED, name
        assert said in runs[name].message, name
        assert not runs[name].outputs, name
    assert stored(settings, "from mining.model__last__leads") == [("Bay", 2), ("Hill", 1)]


def test_numbers_of_numpy_are_numbers(settings: Settings) -> None:
    text = TABLE + (
        "from loupan.mining import Evaluation\n"
        "def run(marts):\n"
        "    return Result([], [Evaluation('m', np.float32(0.5), np.int64(1))], '{n} leads', {'n': np.int64(3)})"
    )
    run = run_all(settings, numbers=text)["numbers"]
    assert (run.status, run.said(), run.evaluation[0].baseline) == (OK, "3 leads", 1)


def test_what_a_model_starts_ends_with_it(settings: Settings) -> None:
    text = HEAD + (
        "import os, time\n"
        "def run(marts):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        time.sleep(600)\n"
        "    raise ValueError(f'child {child}')"
    )
    run = run_all(settings, forks=text)["forks"]
    child = int(run.message.split("child ")[1].split()[0])
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]


def test_a_model_that_hangs_is_stopped(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.mining.pool._START_SECONDS", 5)
    hung = HEAD + "import time\ndef run(marts): time.sleep(600)"
    runs = run_all(settings, hangs=hung, after=COUNT)
    assert runs["hangs"].message == "it took more than 5 seconds (LOUPAN_MODEL_SECONDS) and was stopped"
    assert runs["after"].status == OK


def test_what_an_earlier_refresh_left_is_gone_when_a_model_fails(settings: Settings) -> None:
    run_all(settings, count=COUNT)
    run = run_all(settings, count=BROKEN["raises"])["count"]
    assert run.status == FAILED
    assert stored(settings, "select table_name from duckdb_tables() where schema_name = 'mining'") == [("model_run",)]


def test_a_model_that_abstains_says_why(settings: Settings) -> None:
    text = HEAD + "def run(marts): raise Abstain('Only {n} leads.', n=len(marts.frame('fct_lead')))"
    run = run_all(settings, few=text)["few"]
    assert (run.status, run.message, run.values) == (ABSTAINED, "Only {n} leads.", {"n": 3})


LEARNING = (
    HEAD
    + """
RETRAIN_DAYS = 7
def train(marts): return marts.as_of_on.isoformat()
def run(marts, fitted):
    import pandas as pd
    return Result([Output("a", "A", pd.DataFrame({"learnt": [fitted]}))])
"""
)


@pytest.mark.parametrize(
    ("moment", "learnt"),
    [("2026-07-07 15:59", "2026-06-30"), ("2026-07-07 16:00", "2026-07-07"), ("2026-06-29 16:00", "2026-06-29")],
)
def test_a_model_learns_anew_when_what_it_knows_is_old_or_of_the_future(
    settings: Settings, moment: str, learnt: str
) -> None:
    run_all(settings, learns=LEARNING)
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        as_of(warehouse, moment)
    run = run_all(settings, learns=LEARNING)["learns"]
    assert stored(settings, "from mining.model__learns__a") == [(learnt,)]
    assert run.trained_as_of is not None
    assert run.trained_as_of.startswith(learnt)


def test_a_model_learns_anew_when_its_file_changed_or_its_memory_is_damaged(settings: Settings) -> None:
    run_all(settings, learns=LEARNING)
    changed = LEARNING.replace("marts.as_of_on.isoformat()", "'anew'")
    run_all(settings, learns=changed)
    assert stored(settings, "from mining.model__learns__a") == [("anew",)]
    (settings.model_memory_dir / "learns.joblib").write_bytes(b"rubbish")
    assert run_all(settings, learns=changed)["learns"].status == OK


def test_results_are_published_and_read_within_a_scope(settings: Settings, tmp_path: Path) -> None:
    no_scope = COUNT.replace("project, count", "count").replace(" group by project order by project", "")
    no_scope = no_scope.replace('"project": Field("Project"), ', "")
    run_all(settings, count=COUNT, total=no_scope)
    manifest = tmp_path / "semantic.json"
    manifest.write_text(
        json.dumps({"semantic_models": [], "metrics": [], "project_configuration": {}}), encoding="utf-8"
    )
    snapshot = publish(settings, settings.warehouse_path, manifest, {})
    assert [run.name for run in published_runs(snapshot)] == ["count", "total"]
    assert read_output(snapshot, "count", "leads", EVERYTHING)["leads"].tolist() == [2, 1]
    bay = Scope.of({"project_id": ["1"]})
    assert read_output(snapshot, "count", "leads", bay)["project"].tolist() == ["Bay"]
    assert read_output(snapshot, "count", "leads", Scope.of({})) is None
    assert read_output(snapshot, "count", "leads", Scope.of({"project_id": []})).empty
    assert read_output(snapshot, "total", "leads", bay) is None


def test_own_models_stand_beside_ours_and_cannot_take_their_names(settings: Settings) -> None:
    ours = {model.name for model in model_files(settings)}
    assert ours
    for name in ("_draft", "Bad-Name", "客户", "good", min(ours), f"own_{min(ours)}"):
        (settings.models_dir / f"{name}.py").write_text("READS = ()", encoding="utf-8")
    found = {model.name: model for model in model_files(settings)}
    assert found.keys() - ours == {
        "good", f"own_{min(ours)}", f"own_own_{min(ours)}", "unusable_bad_name", "unusable_",
    }  # fmt: skip
    assert found["good"].is_own
    for name in ("unusable_bad_name", "unusable_"):
        with pytest.raises(UnusableModel, match="cannot be a model by its name"):
            found[name].reads()


def test_models_can_be_switched_off(settings: Settings) -> None:
    names = [model.name for model in model_files(settings)]
    one, another, *others = names
    off = settings.model_copy(update={"without_models": f"{one}, {another}"})
    assert [model.name for model in model_files(off)] == others
    assert model_files(settings.model_copy(update={"without_models": "*"})) == ()


def test_every_model_of_ours_names_its_marts() -> None:
    for model in model_files(Settings()):
        assert model.reads(), model.name


@pytest.mark.parametrize("broken", ["tempfile.TemporaryDirectory", "pipelines.mining.pool.subprocess.Popen"])
def test_nothing_of_before_is_left_when_no_model_can_be_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left")

    run_all(settings, count=COUNT)
    monkeypatch.setattr(broken, fail)
    run = run_all(settings, count=COUNT)["count"]
    assert (run.status, run.message) == (FAILED, "it could not be run: no space left")
    assert stored(settings, "select table_name from duckdb_tables() where schema_name = 'mining'") == [("model_run",)]
    assert stored(settings, "select name, status from mining.model_run") == [("count", FAILED)]


def test_a_worker_whose_refresh_was_killed_runs_no_more_models(settings: Settings, tmp_path: Path) -> None:
    file = settings.models_dir / "writes.py"
    file.write_text(HEAD + f"def run(marts): open({str(tmp_path / 'ran')!r}, 'w').close()", encoding="utf-8")
    models, folder = [Model("writes", str(file), True, [])], str(tmp_path)
    job = Job(models, folder, folder, folder, "2026-06-30T16:00:00+00:00", "2026-06-30", refresh=-1)
    path = tmp_path / "job.json"
    for refresh, ran in ((-1, False), (os.getppid(), True)):
        path.write_text(json.dumps(asdict(replace(job, refresh=refresh))), encoding="utf-8")
        main(path, ["writes"])
        assert (tmp_path / "ran").exists() == ran


FROM_FILE = TABLE + (
    "def run(marts):\n"
    "    copies = [path.name for path in marts.folder.glob('*.parquet')]\n"
    "    leads = marts.query('select count(*) as leads from fct_lead').assign(copies=' '.join(copies))\n"
    "    return Result([Output('a', 'A', leads)])\n"
)  # fmt: skip


@pytest.mark.parametrize(("is_own", "is_open", "copies"), [(True, False, 1), (False, False, 0), (False, True, 1)])
def test_only_own_models_are_given_copies_unless_somebody_has_the_warehouse_open(
    settings: Settings, is_own: bool, is_open: bool, copies: int
) -> None:
    path = settings.models_dir / "reads.py"
    path.write_text(FROM_FILE, encoding="utf-8")
    with duckdb.connect(str(settings.warehouse_path)) if is_open else nullcontext():
        (run,) = run_models(settings, [ModelFile("reads", path, is_own)], lambda name: None)
        assert run.status == OK, run.message
    assert stored(settings, "from mining.model__reads__a") == [(3, "fct_lead.parquet" if copies else "")]
