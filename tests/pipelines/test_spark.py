"""What is told when Spark cannot be used, and what its process may know. The builds themselves: `make test-spark`."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from loupan.settings import REPOSITORY, Settings
from pipelines import spark
from pipelines.spark import SparkError

HIDDEN = "not-to-be-told"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    settings = Settings(
        data_dir=tmp_path / "data", engine="spark", spark_venv=venv, crm_url=f"postgresql://u:{HIDDEN}@h/d"
    )
    settings.data_dir.mkdir()
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("create schema raw; create table raw.refresh as select timestamp '2026-06-30 16:00' as as_of")
        warehouse.execute("create table raw.empty (id bigint)")
    return settings


def executable(settings: Settings, script: str) -> None:
    dbt = settings.spark_venv / "bin" / "dbt"
    dbt.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    dbt.chmod(0o755)


def build(settings: Settings) -> spark.Built:
    return spark.build(settings, lambda node: None)


def test_a_missing_environment_says_how_to_make_it(settings: Settings) -> None:
    with pytest.raises(SparkError, match=r"there is no .*/venv/bin/dbt. Run `make spark`, .*LOUPAN_ENGINE=duckdb"):
        build(settings)
    assert not (settings.data_dir / "spark").exists()


def test_missing_java_says_how_to_get_it(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    executable(settings, "exit 1")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SparkError, match=r"Spark needs Java: there is none on the PATH. Install Java 17"):
        build(settings)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    with pytest.raises(SparkError, match=r"JAVA_HOME names .*/jdk, where none runs"):
        build(settings)


def test_an_old_java_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    executable(settings, "exit 1")
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    with pytest.raises(SparkError, match=r"Spark needs Java 17 or newer, and .*/jdk/bin/java is version 8"):
        build(settings)


def test_a_folder_that_cannot_be_written_is_named(settings: Settings) -> None:
    executable(settings, "exit 1")
    (settings.data_dir / "spark").write_text("no folder", encoding="utf-8")
    with pytest.raises(SparkError, match=r"Spark's folder .*/data/spark cannot be written: .*Check LOUPAN_SPARK_DIR"):
        build(settings.model_copy(update={"spark_remote": "sc://nowhere:15002"}))


def test_its_process_gets_the_raw_tables_and_no_password(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPAN_CRM_URL", settings.crm_url)
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    seen = settings.data_dir / "seen"
    executable(settings, f'env > {seen}; for t in refresh empty; do ls "$LOUPAN_SPARK_RAW/$t" >> {seen}; done; exit 3')
    remote = settings.model_copy(update={"spark_remote": "sc://nowhere:15002"})
    with pytest.raises(
        spark.DbtError, match=r"dbt build failed on Spark: it ended with 3\. More stands in .*/dbt/spark/dbt.log"
    ):
        build(remote)
    told = seen.read_text(encoding="utf-8")
    assert "SPARK_REMOTE=sc://nowhere:15002" in told
    assert told.count("data_0.parquet") == 2, "a table without rows has its columns all the same"
    assert HIDDEN not in told
    assert "PYTHONPATH" not in told
    assert list((settings.data_dir / "spark").iterdir()) == []


def test_no_backslash_in_the_models() -> None:
    """In a text it would be another text on Spark, which takes it for an escape."""
    sql = [path for part in ("models", "macros") for path in (REPOSITORY / "dbt_project" / part).rglob("*.sql")]
    assert len(sql) > 100
    assert [path.name for path in sql if "\\" in path.read_text(encoding="utf-8")] == []
