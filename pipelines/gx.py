"""Great Expectations, imported in half its time and kept from talking."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
import warnings
from typing import Any


def great_expectations() -> Any:
    """Return the package, with its expectations."""
    # Read at import: it would send a message with each use.
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    # Half of the import is this module, for expectations about distributions; none of ours is one.
    _import_when_used("scipy.stats")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = importlib.import_module("great_expectations")
        importlib.import_module("great_expectations.expectations")

    # Every failed expectation would be logged; the results say it.
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return package


def _import_when_used(name: str) -> None:
    """Put a stand-in for a module of a package in its place, which imports it as soon as something of it is used."""
    if name in sys.modules:
        return
    parent, _, child = name.rpartition(".")
    package = importlib.import_module(parent)
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"no module named {name}", name=name)
    loader = importlib.util.LazyLoader(spec.loader)
    spec.loader = loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    setattr(package, child, module)
