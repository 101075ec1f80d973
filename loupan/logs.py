"""Logs: one JSON object a line, without anybody's personal data.

Messages of exceptions and of other libraries quote values: a name that a form was given, a row that broke a rule. So
an exception is logged by its class and the lines of code it went through, and a library's message without the texts
put into it. What our own code logs is written as it is: it names accounts and records by number.
"""

from __future__ import annotations

import logging
import secrets
import sys
import traceback
import types
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor

from loupan.errors import LoupanError
from loupan.settings import Settings

REFRESH = "refresh"
OURS = ("loupan", "data_entry", "pipelines", "dashboards", "sample_data")
_ROOT = Path(__file__).parents[1]
_FRAMES = 40


def is_ours(logger: str) -> bool:
    """Say whether a logger is of this program, by its name."""
    return logger.partition(".")[0] in OURS


def described(error: BaseException) -> list[dict[str, Any]]:
    """Return an exception and what caused it, the first cause last: class, error number, lines of code; no message."""
    chain: list[dict[str, Any]] = []
    current: BaseException | None = error
    seen: set[int] = set()
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        entry: dict[str, Any] = {"type": f"{type(current).__module__}.{type(current).__qualname__}"}
        # The system's own words for a number say nothing of the data.
        if isinstance(current, OSError) and current.errno is not None:
            entry["errno"], entry["strerror"] = current.errno, current.strerror
        if isinstance(current, LoupanError) and current.is_impersonal:
            entry["message"] = str(current)
        for name in ("sqlite_errorname", "sqlstate"):
            code = getattr(getattr(current, "orig", current), name, None)
            if isinstance(code, str):
                entry[name] = code
        entry["at"] = [_place(frame) for frame in traceback.extract_tb(current.__traceback__)[-_FRAMES:]]
        chain.append(entry)
        is_hidden = current.__suppress_context__
        current = current.__cause__ or (None if is_hidden else current.__context__)
    return chain


def _place(frame: traceback.FrameSummary) -> str:
    path = Path(frame.filename)
    if path.is_relative_to(_ROOT):
        name = path.relative_to(_ROOT).as_posix()
    else:
        _, _, name = path.as_posix().rpartition("site-packages/")
    return f"{name}:{frame.lineno} {frame.name}"


def _exception(_: Any, __: str, event: EventDict) -> EventDict:
    found = event.pop("exc_info", None)
    if isinstance(found, BaseException):
        error: BaseException | None = found
    elif isinstance(found, tuple):
        error = found[1]
    else:
        error = sys.exc_info()[1] if found else None
    if error is not None:
        event["exception"] = described(error)
    event.pop("stack_info", None)
    return event


def _impersonal(_: Any, __: str, event: EventDict) -> EventDict:
    """Fill our own messages; leave other libraries' unfilled, without what they attach: whole requests, runs, rows."""
    arguments = event.pop("positional_args", ())
    record: logging.LogRecord = event["_record"]
    if is_ours(record.name):
        if arguments:
            event["event"] = str(record.msg) % arguments
        return event
    kept = {name: event[name] for name in event if name in _KEPT or name.startswith("_")}
    values = arguments.values() if isinstance(arguments, Mapping) else arguments
    numbers = [value for value in values if isinstance(value, int | float)]
    return {**kept, "numbers": numbers} if numbers else kept


def _filled(_: Any, __: str, event: EventDict) -> EventDict:
    arguments = event.pop("positional_args", ())
    return {**event, "event": str(event["event"]) % arguments} if arguments else event


_KEPT = ("event", "level", "logger", "timestamp", "program", "exception")


def formatter(program: str, *, as_json: bool) -> logging.Formatter:
    """Return the formatter of a program's log.

    Args:
        program: stands in each line.
        as_json: JSON lines; else lines for people's eyes.
    """

    def name(_: Any, __: str, event: EventDict) -> EventDict:
        return {**event, "program": program}

    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name,
        *((_exception, _impersonal) if as_json else (_filled,)),
    ]
    last: list[Processor] = [ProcessorFormatter.remove_processors_meta]
    if as_json:
        last.append(structlog.processors.JSONRenderer(ensure_ascii=False))
    else:
        last.append(structlog.dev.ConsoleRenderer(colors=False))
    return ProcessorFormatter(foreign_pre_chain=shared, processors=last, pass_foreign_args=True, use_get_message=False)


def to_stream(settings: Settings, program: str) -> None:
    """Let this process log to its standard error: JSON lines, or whole tracebacks where somebody looks on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(program, as_json=not sys.stderr.isatty()))
    _install(handler, settings)


def to_file(path: Path, settings: Settings, program: str) -> None:
    """Let this process log to a file of its own, which is rotated."""
    _install(rotating(path, settings, program), settings)


class _Patient(RotatingFileHandler):
    """A log whose disk is full stops nobody from what is to be logged."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Lose the line."""


def rotating(path: Path, settings: Settings, program: str) -> logging.Handler:
    """Return a handler that writes JSON lines to a file of one process at a time, and rotates it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = _Patient(
        path, maxBytes=settings.log_megabytes * 1_000_000, backupCount=settings.log_files, encoding="utf-8", delay=True
    )
    handler.setFormatter(formatter(program, as_json=True))
    return handler


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    # What other libraries tell of their work quotes what they work on.
    return is_ours(record.name) or record.levelno >= logging.WARNING


def _install(handler: logging.Handler, settings: Settings) -> None:
    level: int = getattr(logging, settings.log_level.upper())
    root = logging.getLogger()
    # dictConfig of other libraries gives some of their loggers handlers of their own, which would write beside ours.
    loggers = [known for known in root.manager.loggerDict.values() if isinstance(known, logging.Logger)]
    for logger in (root, *loggers):
        if logger is root or not is_ours(logger.name):
            for other in logger.handlers[:]:
                logger.removeHandler(other)
            logger.propagate = True
    handler.addFilter(_is_worth_a_line)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught


def _uncaught(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger(__name__).critical("the program ended by an error", exc_info=(kind, error, trace))


def new_incident() -> str:
    """Return a number that a page shows and a log line holds, so that the two are found together."""
    return secrets.token_hex(4).upper()
