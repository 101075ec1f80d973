"""Where each function of the list is done, and which test does it in a browser: ``docs/functions.md``.

``python -m tests.functions_table`` writes the page (`make docs`); ``--check`` says whether it is up to date.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from dashboards.menu import DASHBOARDS
from data_entry.pages.menu import MENU

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "functions.md"
BROWSER_TESTS = REPOSITORY / "tests" / "end_to_end"

# The functions that staff carry out, by area: id and name.
FUNCTIONS: dict[str, dict[str, str]] = {
    "1 Basic settings": {
        "1.i.1": "Departments and positions",
        "1.i.2": "Accounts and roles",
        "1.i.3": "Estates (楼盘), buildings, units, price history",
        "1.i.4": "Knowledge-base categories",
        "1.i.5": "Demand categories",
        "1.i.6": "Expense categories",
        "1.ii.1-2": "Customer classes, and the features to ask for per class",
        "1.ii.3-4": "Classes and features of marketing plans and activities",
        "1.ii.5-6": "Competitor classes and levels; comparison features",
        "1.iii.1": "Backup and restore",
        "1.iii.2": "Report classes, report features, approval flow per class",
        "1.iii.3-4": "Property service classes; property fee types",
        "1.iii.5": "Knowledge base",
    },
    "2 Sales": {
        "2.i": "Customers",
        "2.ii": "Demands of the sales period",
        "2.iii": "Orders and contracts",
        "2.iv-v": "Knowledge base; own and competing estates",
        "2.vi": "Tasks",
        "2.vii": "Reports",
        "2.viii": "Discussion",
    },
    "3 Property management": {
        "3.i": "Owners",
        "3.ii": "Demands of owners, with the promises of the sales period",
        "3.iii": "Service items",
        "3.iv": "Fees, payments, arrears",
        "3.v": "Knowledge base",
        "3.vi": "Tasks",
        "3.vii": "Discussion",
    },
    "4 Marketing": {
        "4.i": "Customer composition and distribution",
        "4.ii": "Competitor data entry",
        "4.iii": "Competition analysis and the guidance document",
        "4.iv": "Plans",
        "4.v": "Activities under a plan",
        "4.vi": "Expenses with receipts",
        "4.vii": "Feedback from customers and non-customers",
        "4.viii": "Effect of promotion by source",
        "4.ix": "Knowledge base",
        "4.x": "Discussion",
    },
    "5 Customer service": {
        "5.i": "Find any customer",
        "5.ii": "Demands: reply, times, satisfaction at follow-up",
        "5.iii": "Surveys",
        "5.iv": "Customer care",
        "5.v": "Demands assigned to named staff, with their progress",
    },
    "6 Decision support": {
        "6.i": "Customers: composition and distribution",
        "6.ii": "Demands: types, complaint rate, satisfaction",
        "6.iii": "Market effect: source × market type, source × plan",
        "6.iv": "Cost: expense, return on expense",
        "6.v": "Sales: over time, per employee, class, source, feature",
        "6.vi": "Staff quality",
        "6.vii": "Own models: statistics and data mining that somebody can act on",
    },
    "7 Office": {
        "7.a": "Documents and report approval",
        "7.b": "Tasks and delegation",
        "7.c": "Work plans and daily activity",
    },
}
# Done on pages of statistics, which stand outside of the CRM's menu: id → address.
STATISTICS = {
    "4.i": ("customer-structure",),
    "4.viii": ("campaign-return", "conversion"),
    "6.i": ("customer-structure",),
    "6.ii": ("complaints",),
    "6.iii": ("campaign-return",),
    "6.iv": ("campaign-return",),
    "6.v": ("sales", "property-fees"),
    "6.vi": ("staff",),
    "6.vii": ("models", "lead-list"),
}


def pages() -> dict[str, list[tuple[str, str]]]:
    """Return the pages of each function: title and address."""
    found: dict[str, list[tuple[str, str]]] = {}
    for entries in MENU.values():
        for entry in entries:
            for function in entry.functions:
                found.setdefault(function, []).append((entry.title, entry.path))
    titles = {dashboard.path: dashboard.title for dashboards in DASHBOARDS.values() for dashboard in dashboards}
    for function, paths in STATISTICS.items():
        found.setdefault(function, []).extend((titles[path], path) for path in paths)
    return found


def tests() -> dict[str, list[str]]:
    """Return the browser tests of each function, as ``file::test``, by the marker ``function``."""
    found: dict[str, list[str]] = {}
    for path in sorted(BROWSER_TESTS.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                for function in _marked(node):
                    found.setdefault(function, []).append(f"{path.name}::{node.name}")
    return found


def _marked(node: ast.FunctionDef) -> list[str]:
    # Anywhere in a decorator: a parametrised test marks some of its cases.
    calls = [call for decorator in node.decorator_list for call in ast.walk(decorator) if isinstance(call, ast.Call)]
    return [
        str(argument.value)
        for call in calls
        if ast.unparse(call.func).endswith("mark.function")
        for argument in call.args
        if isinstance(argument, ast.Constant)
    ]


def text() -> str:
    """Return the page as it should be."""
    where, tried = pages(), tests()
    lines = [
        "# Functions, pages and tests",
        "",
        "Written by `make docs` from the menu and the tests; do not edit. A test fails when it is out of date.",
    ]
    for area, functions in FUNCTIONS.items():
        lines += ["", f"## {area}", "", "| id | function | page | test |", "|---|---|---|---|"]
        for function, name in functions.items():
            on = "<br>".join(f"{title} (`/{path}`)" for title, path in where.get(function, []))
            by = "<br>".join(f"`{test}`" for test in tried.get(function, []))
            lines.append(f"| {function} | {name} | {on} | {by} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or with ``--check`` compare it; returns the exit code."""
    if "--check" in sys.argv[1:]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text():
            return 0
        sys.stderr.write(f"{PAGE} is out of date; run `make docs`\n")
        return 1
    PAGE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
