"""Great Expectations, imported in half its time, beside other work, and kept from talking."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

_IMPORTING = threading.Lock()


def great_expectations() -> Any:
    """Return the package, with its expectations."""
    # Read at import: it would send a message with each use.
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    with _IMPORTING, ExitStack() as stack:
        # Half of the import are these, for expectations about distributions and their pictures; we have none.
        for name in ("scipy.stats", "altair"):
            stack.enter_context(_imported_when_used(name))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        package = importlib.import_module("great_expectations")
        importlib.import_module("great_expectations.expectations")

    # Every failed expectation would be logged; the results say it.
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return package


def import_ahead() -> None:
    """Begin to import the package beside what the caller does; `great_expectations` waits for it, or says what failed.

    Databases do their work beside Python's, so while they are waited for it costs nothing.
    """
    if "great_expectations" in sys.modules:
        return

    def run() -> None:
        with suppress(Exception):
            great_expectations()

    threading.Thread(target=run, name="great_expectations").start()


class _StandIn(types.ModuleType):
    """A module that is imported as soon as something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _imported_when_used(name: str) -> Iterator[None]:
    """Give a stand-in for a module to whatever is imported meanwhile.

    Nobody else sees it: who asks every module what it is, as dbt does, would have this one imported.
    """
    if name in sys.modules:
        yield
        return
    parent, _, child = name.rpartition(".")
    package, stand_in = importlib.import_module(parent) if parent else None, _StandIn(name)
    sys.modules[name] = stand_in
    if package:
        setattr(package, child, stand_in)
    try:
        yield
    finally:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        if package and getattr(package, child) is stand_in:
            delattr(package, child)
