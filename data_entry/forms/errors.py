"""What services refuse, shown in the reader's language and where it belongs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from data_entry.forms.words import label
from data_entry.pages.desk import Desk
from data_entry.schema import metadata
from data_entry.services.errors import Invalid, Problem, ServiceError
from data_entry.services.validation import Word
from loupan import ui
from loupan.errors import LoupanError
from loupan.i18n import marked


@dataclass
class Outcome:
    """How a piece of work went.

    Attributes:
        ok: whether nothing was refused.
        error: what was, if anything.
    """

    ok: bool = True
    error: LoupanError | None = None


def _filled(desk: Desk, message: str, values: Mapping[str, object]) -> str:
    words = {name: desk.t(str(value)) if isinstance(value, Word) else value for name, value in values.items()}
    return desk.t(message, **words)


def problem_text(desk: Desk, problem: Problem) -> str:
    """Return what is wrong with one value, in the reader's language."""
    return _filled(desk, problem.message, problem.values)


def error_text(desk: Desk, error: LoupanError) -> str:
    """Return an error in the reader's language; of one that is not for readers, that something went wrong."""
    if isinstance(error, Invalid):
        return desk.t("; ").join(problem_text(desk, problem) for problem in error.problems)
    if isinstance(error, ServiceError):
        return _filled(desk, error.message, error.values)
    return desk.t(marked("The database cannot be used at the moment. Try again, or tell an administrator."))


def _lines(desk: Desk, error: Invalid, table: str | None) -> Iterator[str]:
    for problem in error.problems:
        name = problem.column
        if table is not None and name in metadata.tables[table].c:
            name = label(desk, table, name)
        text = problem_text(desk, problem)
        yield f"{name}: {text}" if name and not name.startswith("feature:") else text


@contextmanager
def showing_errors(desk: Desk, table: str | None = None, key: str | None = None) -> Iterator[Outcome]:
    """Show what is refused within, instead of breaking the page.

    Args:
        desk: the reader.
        table: name of the table whose columns problems name.
        key: the key of `fields`: problems then stand at their fields as well, from the next run on.
    """
    outcome = Outcome()
    if key is not None:
        st.session_state.pop(problems_key(key), None)
    try:
        yield outcome
    except Invalid as error:
        outcome.ok, outcome.error = False, error
        if key is not None:
            keep_problems(desk, key, error)
        st.error("  \n".join(ui.sentence(line) for line in _lines(desk, error, table)), icon=":material/error:")
    except LoupanError as error:
        outcome.ok, outcome.error = False, error
        st.error(ui.sentence(error_text(desk, error)), icon=":material/error:")


def problems_key(key: str) -> str:
    """Return where the problems of a form are kept between runs."""
    return f"{key}_problems"


def keep_problems(desk: Desk, key: str, error: Invalid) -> None:
    """Keep what is wrong with the values of a form, to be shown at its fields."""
    st.session_state[problems_key(key)] = {p.column: problem_text(desk, p) for p in error.problems}


def show_problem(key: str, column: str) -> None:
    """Write under a field what is wrong with its value, if anything is."""
    text = st.session_state.get(problems_key(key), {}).get(column)
    if text:
        st.markdown(f":red[{ui.plain(text)}]")
