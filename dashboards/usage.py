"""Which metrics a page shows, read from what its code names: a list kept by hand would soon be wrong."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashboards.menu import Dashboard

_PAGES = "dashboards.pages"


@dataclass(frozen=True)
class _Source:
    """A page's module.

    Attributes:
        definitions: what it defines: name → code.
        pages: other pages it takes parts from: name in the module → the other's module.
    """

    definitions: Mapping[str, ast.stmt]
    pages: Mapping[str, str]


@cache
def _source(module: str) -> _Source:
    tree = ast.parse(Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8"))
    definitions: dict[str, ast.stmt] = {}
    pages: dict[str, str] = {}
    for statement in tree.body:
        match statement:
            case ast.FunctionDef(name=name):
                definitions[name] = statement
            case ast.Assign(targets=[ast.Name(id=name)]):
                definitions[name] = statement
            case ast.ImportFrom(module=parent, names=names) if parent == _PAGES:
                pages |= {alias.asname or alias.name: f"{_PAGES}.{alias.name}" for alias in names}
    return _Source(definitions, pages)


def metrics_shown(draw: Callable[..., Any], known: Collection[str]) -> frozenset[str]:
    """Return the metrics that a page names in what its drawing function reaches.

    Args:
        draw: the page's drawing function.
        known: the names of all metrics.
    """
    return _named(draw.__module__, draw.__name__) & frozenset(known)


@cache
def _named(module: str, function: str) -> frozenset[str]:
    found: set[str] = set()
    waiting, seen = [(module, function)], {(module, function)}
    while waiting:
        home, name = waiting.pop()
        source = _source(home)
        if name not in source.definitions:
            continue
        texts, used = _read(source.definitions[name])
        found |= texts
        for path in used:
            target = (source.pages[path[0]], path[1]) if len(path) > 1 and path[0] in source.pages else (home, path[0])
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return frozenset(found)


def _read(code: ast.stmt) -> tuple[set[str], set[tuple[str, ...]]]:
    """Return the texts in a piece of code, and the names it uses, as ``name`` or ``module.name``."""
    # The key of a widget may sound like a metric.
    keys = {id(node.value) for node in ast.walk(code) if isinstance(node, ast.keyword) and node.arg == "key"}
    texts: set[str] = set()
    used: set[tuple[str, ...]] = set()
    for node in ast.walk(code):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in keys:
                texts.add(text)
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                used.add((owner, name))
            case ast.Name(id=name):
                used.add((name,))
    return texts, used


def pages_showing(metric: str, known: Collection[str]) -> list[Dashboard]:
    """Return the pages that show a metric, in the order of the menu.

    Args:
        metric: its name.
        known: the names of all metrics.
    """
    from dashboards.menu import DASHBOARDS  # which imports the pages that ask this

    return [page for group in DASHBOARDS.values() for page in group if metric in metrics_shown(page.draw, known)]
