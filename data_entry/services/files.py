"""Files that people upload: what is taken, and where it is kept.

A file is taken by what its content is, never by what its name or the browser says. It is kept under the SHA-256 of its
content, so that the same content is kept once, no name of a person's choosing reaches the disk, and a file that was
altered is noticed.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
import unicodedata
import zipfile
import zlib
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import filetype

from data_entry.services.errors import NotFound, Refused
from loupan.i18n import marked

TEXT = "text/plain"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
# Endings that agree with each kind of content.
ENDINGS = {
    "application/pdf": ("pdf",),
    "image/png": ("png",),
    "image/jpeg": ("jpg", "jpeg"),
    "image/webp": ("webp",),
    XLSX: ("xlsx",),
    DOCX: ("docx",),
    TEXT: ("csv", "txt"),
}
ALLOWED = tuple(ending for endings in ENDINGS.values() for ending in endings)
_OFFICE_PARTS = {"xl/workbook.xml": XLSX, "word/document.xml": DOCX}
# What an office document may grow to when it is opened: far above real ones, far below what stops a computer.
UNPACKED_MEGABYTES = 200
_MOST_PARTS = 10_000
_LONGEST_NAME = 200
_MARKUP = re.compile(
    r"^\s*#!|<\s*(?:!doctype|\?xml|\?php|html|head|body|script|svg|iframe|object|embed|style|link|meta|img)\b",
    re.IGNORECASE,
)
# Control characters that text has a use for.
_WHITE = "\t\n\r\f"

_NOT_TAKEN = marked("Files of this kind are not taken. PDF, PNG, JPEG, WEBP, XLSX, DOCX, CSV and TXT are.")
_DAMAGED = marked("The document is damaged or locked by a password, and cannot be opened.")


def clean_name(name: str) -> str:
    """Return the last part of a file's name without anything that could mislead who reads it.

    Folders, control characters and marks that turn the direction of writing are left out.

    Raises:
        Refused: if nothing is left, or the name has no ending.
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    stem, dot, ending = kept.strip().rpartition(".")
    stem = stem.strip(" .")
    if not (dot and stem and ending.isalnum()):
        raise Refused(marked("The file needs a name with an ending, such as receipt.pdf."))
    return f"{stem[: _LONGEST_NAME - len(ending) - 1]}.{ending}"


def check(name: str, content: bytes, most_megabytes: int) -> str:
    """Return the media type of a file that may be taken.

    Args:
        name: as `clean_name` returns it.
        content: the whole file.
        most_megabytes: largest size.

    Raises:
        Refused: if it is empty, too large, of a kind that is not taken, or its name says something else than it is.
    """
    if not content:
        raise Refused(marked("The file is empty."))
    if len(content) > most_megabytes * 2**20:
        raise Refused(
            marked("The file has {size} MB; {most} MB are allowed."), size=f"{len(content) / 2**20:.1f}",
            most=most_megabytes,
        )  # fmt: skip
    media_type = _kind(content)
    ending = name.rpartition(".")[2].lower()
    if ending not in ENDINGS[media_type]:
        raise Refused(
            marked("The name ends in .{ending}, but the content is that of a .{found} file."),
            ending=ending, found=ENDINGS[media_type][0] if media_type != TEXT else "txt",
        )  # fmt: skip
    return media_type


def _kind(content: bytes) -> str:
    if content.startswith(b"PK"):
        return _office(content)
    guess = filetype.guess(content)
    if guess is not None:
        if guess.mime not in ENDINGS:
            raise Refused(_NOT_TAKEN)
        return str(guess.mime)
    return _text(content)


def unpacks_within(archive: zipfile.ZipFile, most_bytes: int) -> bool:
    """Say whether all parts of an archive together unpack to no more than so many bytes; none of them is kept.

    What the archive declares of itself may be a lie, so each part is read.
    """
    if sum(part.file_size for part in archive.infolist()) > most_bytes:
        return False
    unpacked = 0
    for part in archive.infolist():
        with archive.open(part) as stream:
            while chunk := stream.read(2**20):
                unpacked += len(chunk)
                if unpacked > most_bytes:
                    return False
    return True


def _office(content: bytes) -> str:
    """Return the kind of an office document, after reading all of it once without keeping any."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            names = {part.filename for part in parts}
            kinds = [kind for part, kind in _OFFICE_PARTS.items() if part in names]
            if len(kinds) != 1 or "[Content_Types].xml" not in names:
                raise Refused(_NOT_TAKEN)
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise Refused(marked("The document holds macros, which are not taken."))
            too_much = Refused(
                marked("The document would unpack to more than {most} MB and is not taken."), most=UNPACKED_MEGABYTES
            )
            if len(parts) > _MOST_PARTS or not unpacks_within(archive, UNPACKED_MEGABYTES * 2**20):
                raise too_much
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise Refused(_DAMAGED) from error
    return kinds[0]


def _text(content: bytes) -> str:
    for encoding in ("utf-16", "utf-8-sig", "gb18030"):
        if encoding == "utf-16" and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
            continue
        with suppress(UnicodeDecodeError):
            text = content.decode(encoding)
            break
    else:
        raise Refused(_NOT_TAKEN)
    if any(unicodedata.category(c) == "Cc" and c not in _WHITE for c in set(text)) or _MARKUP.search(text):
        raise Refused(_NOT_TAKEN)
    return TEXT


class FileStore:
    """A folder of files, each named by the SHA-256 of its content; readable by this program's user only.

    Args:
        root: the folder; made when the first file comes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Return where a content is kept."""
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError("no SHA-256")
        return self.root / digest[:2] / digest[2:4] / digest

    def put(self, content: bytes) -> str:
        """Keep a content, on the disk when this returns, and return its SHA-256.

        Content that is there already is not written again, unless the copy was altered.
        """
        digest = sha256(content).hexdigest()
        path = self.path(digest)
        with suppress(OSError):
            if path.read_bytes() == content:
                return digest
        self._make_folders(path.parent)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # made with mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync(path.parent)
        return digest

    def get(self, digest: str) -> bytes:
        """Return a content.

        Raises:
            NotFound: if it is missing, or no longer what was put there.
        """
        try:
            content = self.path(digest).read_bytes()
        except OSError as error:
            raise NotFound(
                marked("The file is missing from the store. Ask an administrator to restore it from a backup.")
            ) from error
        if sha256(content).hexdigest() != digest:
            raise NotFound(
                marked("The file was altered in the store and is not shown. Ask an administrator to restore it.")
            )
        return content

    def _make_folders(self, folder: Path) -> None:
        missing = [f for f in (folder, *folder.parents) if not f.exists()]
        for new in reversed(missing):
            new.mkdir(mode=0o700, exist_ok=True)
            _sync(new.parent)


def _sync(folder: Path) -> None:
    """Make sure that the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
