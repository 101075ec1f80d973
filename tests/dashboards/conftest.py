"""Fixtures of the tests of dashboards."""

import pytest

from loupan.settings import get_settings


@pytest.fixture
def use(monkeypatch):
    """Let this process read an installation's data folder."""

    def choose(data_dir):
        monkeypatch.setenv("LOUPAN_DATA_DIR", str(data_dir))
        get_settings.cache_clear()

    return choose
