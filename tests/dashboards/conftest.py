"""What tests of the pages share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loupan.settings import get_settings


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Let this process read an installation's data folder."""

    def choose(data_dir: Path) -> None:
        monkeypatch.setenv("LOUPAN_DATA_DIR", str(data_dir))
        get_settings.cache_clear()

    return choose
