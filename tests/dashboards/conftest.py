"""What tests of the pages share: an installation to read, and a reader's view of the sample company."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from dashboards.gateway import Gateway, Period, open_gateway
from dashboards.view import View
from loupan.metrics import EVERYTHING
from loupan.settings import get_settings
from tests.support.installation import sample_installation

PERIOD = Period(date(2025, 7, 1), date(2026, 6, 30))


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Let this process read an installation's data folder."""

    def choose(data_dir: Path) -> None:
        monkeypatch.setenv("LOUPAN_DATA_DIR", str(data_dir))
        get_settings.cache_clear()

    return choose


@pytest.fixture(scope="session")
def gateway() -> Gateway:
    """The gateway of somebody who sees everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOUPAN_DATA_DIR", str(sample_installation()))
        get_settings.cache_clear()
        found = open_gateway(EVERYTHING)
    get_settings.cache_clear()
    return found


@pytest.fixture(scope="session")
def view_in(gateway: Gateway) -> Callable[..., View]:
    """The last twelve months in a language, with filters."""

    def view(language: str = "en", **where: list[str]) -> View:
        chosen = tuple((name, tuple(values)) for name, values in where.items())
        return View(gateway, language, "light", PERIOD, chosen)

    return view


@pytest.fixture(scope="session")
def view(view_in: Callable[..., View]) -> View:
    """The last twelve months in English."""
    return view_in()
