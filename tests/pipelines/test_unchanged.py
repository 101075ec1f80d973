"""Who looks in passing whether there is anything to refresh waits for nobody and writes beside nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loupan.settings import Settings
from pipelines.unchanged import look_in_passing


def test_a_look_beside_a_refresh_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    holding = "import sys, time, pathlib\nfrom loupan.refresh_lock import refresh_lock\n"
    holding += "with refresh_lock(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    with subprocess.Popen([sys.executable, "-c", holding, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with monkeypatch.context() as forbidding:
            forbidding.delattr("pipelines.unchanged.published_as_it_is")
            assert look_in_passing(settings, "schedule x") is None
            other.kill()
            other.wait()
            with pytest.raises(NameError):
                look_in_passing(settings, "schedule x")
    assert look_in_passing(settings, "schedule x") is None
    assert not (tmp_path / "last_refresh.json").exists()
