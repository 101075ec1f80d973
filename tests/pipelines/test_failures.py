"""What is said of a step that failed, and what becomes of a damaged warehouse."""

# No postponed annotations here: Dagster reads those of the functions inside functions.

from pathlib import Path

import dagster as dg
import duckdb
import pytest

from loupan.refresh_state import RefreshState, note_cancel, now, read_state, write_state
from loupan.settings import Settings
from pipelines.failures import build_failure_hook


def _fail(settings: Settings, error: Exception, cancelled_by: str | None = None) -> RefreshState:
    """Let the step of a refresh end with an error, after somebody cancelled it; return what is written down of it."""

    @dg.op
    def step(context: dg.OpExecutionContext) -> None:
        write_state(settings, RefreshState(context.run_id, now()))
        if cancelled_by is not None:
            note_cancel(settings, context.run_id, cancelled_by)
        raise error

    @dg.job(hooks={build_failure_hook(settings)})
    def job() -> None:
        step()

    job.execute_in_process(raise_on_error=False)
    state = read_state(settings)
    assert state is not None
    assert state.outcome == ("error" if cancelled_by is None else "cancelled")
    return state


def _damaged(path: Path) -> duckdb.Error:
    """Damage a warehouse where only who reads a table notices, and return the error."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table t as select range as x, hash(range) as y from range(1000000)")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"rubbish" * 1000)
    with pytest.raises(duckdb.Error) as raised, duckdb.connect(str(path)) as connection:
        connection.execute("select sum(x), max(y) from t").fetchall()
    return raised.value


def test_a_warehouse_found_damaged_in_any_step_is_moved_away(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    error = _damaged(settings.warehouse_path)
    state = _fail(settings, error)
    aside = tmp_path / "warehouse.duckdb.damaged"
    assert aside.is_file()
    assert not settings.warehouse_path.exists()
    assert str(aside) in (state.error or "")
    assert "builds a new one" in (state.error or "")


@pytest.mark.parametrize(
    "error",
    [
        duckdb.OutOfMemoryException("Out of Memory Error: Failed to allocate block\n\nPossible solutions:\n* SET x"),
        MemoryError(),
        RuntimeError("can't start new thread"),
    ],
    ids=["DuckDB", "Python", "threads"],
)
def test_a_lack_of_memory_is_said_in_words_of_the_operator(tmp_path: Path, error: Exception) -> None:
    settings = Settings(data_dir=tmp_path)
    settings.warehouse_path.touch()
    said = _fail(settings, error).error or ""
    assert said.startswith("Memory ran out")
    assert "SET" not in said
    assert settings.warehouse_path.exists()


def test_an_error_that_the_signal_of_who_cancelled_became_is_no_error(tmp_path: Path) -> None:
    interrupted = duckdb.InterruptException("INTERRUPT Error: Interrupted!")
    assert _fail(Settings(data_dir=tmp_path), interrupted, "E00001 Li").error == "cancelled by E00001 Li"
    assert _fail(Settings(data_dir=tmp_path), interrupted).error == "INTERRUPT Error: Interrupted!"
