"""The last lines of the service's logs, and those to come."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

_POLL_SECONDS = 0.5


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a file and of what was rotated away before it; none where there is no file."""
    older = path.with_name(f"{path.name}.1")
    kept: deque[str] = deque(maxlen=count)
    for file in (older, path):
        try:
            with file.open(encoding="utf-8", errors="replace") as lines:
                kept.extend(line.rstrip("\n") for line in lines)
        except FileNotFoundError:
            continue
    return list(kept)


class _Followed:
    """A file that grows, and is rotated away now and then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._open(at_end=True)

    def _open(self, *, at_end: bool) -> None:
        try:
            self._file = self._path.open(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            self._file = None
            return
        if at_end:
            self._file.seek(0, 2)

    def new(self) -> Iterator[str]:
        """Yield what was written since."""
        if self._file is not None:
            yield from self._whole_lines(self._file)
            try:
                now = self._path.stat()
            except FileNotFoundError:
                return  # between two files
            if now.st_ino == os.fstat(self._file.fileno()).st_ino and now.st_size >= self._file.tell():
                return
            self._file.close()
        self._open(at_end=False)
        if self._file is not None:
            yield from self._whole_lines(self._file)

    @staticmethod
    def _whole_lines(file: IO[str]) -> Iterator[str]:
        while True:
            at = file.tell()
            line = file.readline()
            if not line.endswith("\n"):
                file.seek(at)  # the rest of it is still being written
                return
            yield line.rstrip("\n")


def follow(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Yield new lines of files for ever, each with its file."""
    followed = [(path, _Followed(path)) for path in paths]
    while True:
        for path, file in followed:
            for line in file.new():
                yield path, line
        time.sleep(_POLL_SECONDS)
