"""Encrypted backups, in the format age (age-encryption.org/v1), which the programs ``age`` and ``rage`` open as well.

X25519 and ChaCha20-Poly1305 in authenticated chunks of 64 KiB: a changed, reordered or missing chunk is noticed, and
memory stays small whatever the size. The key file is what ``age-keygen`` writes. Where it holds the public key alone,
backups can be made and not opened: the secret one can then lie elsewhere.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from data_entry.services.backup.errors import BackupError
from loupan.i18n import marked
from loupan.settings import Settings

ENDING = ".age"
_HEADER = b"age-encryption.org/v1\n"
_SECRET, _PUBLIC = "AGE-SECRET-KEY-1", "age1"
_HOW = "loupan backup keygen"


def is_encrypted(path: Path) -> bool:
    """Say whether a file is in the format age."""
    with path.open("rb") as file:
        return file.read(len(_HEADER)) == _HEADER


def make_key(path: Path) -> str:
    """Write a new key to a file that only its owner reads, and return the public part.

    Raises:
        BackupError: if the file is there already, or cannot be written.
    """
    from pyrage import x25519

    key = x25519.Identity.generate()
    public = str(key.to_public())
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BackupError(
            marked("{path} is there already; a key is never overwritten. Name another file."), path=path
        ) from error
    except OSError as error:
        raise BackupError(marked("The key cannot be written to {path}: {error}."), path=path, error=error) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"# public key: {public}\n{key}\n")
        file.flush()
        os.fsync(file.fileno())
    return public


def _keys(settings: Settings) -> tuple[list[Any], list[Any]]:
    """Return the identities and the recipients of the key file; nothing of it is ever repeated in a message."""
    from pyrage import IdentityError, RecipientError, x25519

    path = settings.backup_key_file
    if path is None:
        return [], []
    try:
        lines = path.read_text(encoding="ascii").split()
        words = [word for word in lines if word.startswith((_SECRET, _PUBLIC))]
        identities = [x25519.Identity.from_str(word) for word in words if word.startswith(_SECRET)]
        recipients = [x25519.Recipient.from_str(word) for word in words if word.startswith(_PUBLIC)]
    except OSError as error:
        raise BackupError(
            marked("The key of the backups, {path}, cannot be read: {error}. Mend LOUPAN_BACKUP_KEY_FILE."),
            path=path,
            error=error.strerror,
        ) from error
    except (UnicodeDecodeError, IdentityError, RecipientError):
        # Without the cause: it may repeat a part of the key.
        raise BackupError(
            marked("{path} holds a key that cannot be used. Put the right file there; `{command}` makes a new key."),
            path=path,
            command=_HOW,
        ) from None
    if not identities and not recipients:
        raise BackupError(
            marked("{path} holds no age key. Mend LOUPAN_BACKUP_KEY_FILE; `{command}` makes a key."),
            path=path,
            command=_HOW,
        )
    own = {str(identity.to_public()): identity.to_public() for identity in identities}
    return identities, list((own | {str(recipient): recipient for recipient in recipients}).values())


def encrypt(source: IO[bytes], target: IO[bytes], settings: Settings) -> None:
    """Write a file encrypted for the keys of the settings.

    Raises:
        BackupError: if the key cannot be used.
        OSError: if the disk is full or cannot be written.
    """
    from pyrage import EncryptError, encrypt_io

    _, recipients = _keys(settings)
    try:
        encrypt_io(source, target, recipients)
    except EncryptError as error:
        raise OSError(f"encryption failed ({error})") from error


def require_key(settings: Settings) -> None:
    """Raise `BackupError` unless the key of the settings can be used."""
    _keys(settings)


def can_open(path: Path, settings: Settings) -> bool:
    """Say whether a backup that was just made can be read here: not if only the public key is here."""
    return not is_encrypted(path) or bool(_keys(settings)[0])


@contextmanager
def plain(path: Path, settings: Settings) -> Iterator[IO[bytes]]:
    """Give the content of a backup, decrypted where it is encrypted.

    Decrypted content stands in a file without a name in the data folder, where the CRM itself stands: it is gone with
    the process, and no program that copies the folder of the backups sees it. It is given only when all of it was
    found genuine.

    Raises:
        BackupError: if the key is missing, another one, or the file was altered or cut short.
    """
    if not is_encrypted(path):
        with path.open("rb") as file:
            yield file
        return
    from pyrage import DecryptError, decrypt_io

    identities, recipients = _keys(settings)
    if not identities:
        raise BackupError(
            marked("{path} is encrypted with the public key alone in LOUPAN_BACKUP_KEY_FILE; the secret key opens it.")
            if recipients
            else marked("{path} is encrypted. Set LOUPAN_BACKUP_KEY_FILE to the file with its key."),
            path=path,
        )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as file, tempfile.TemporaryFile(dir=settings.data_dir) as content:
        try:
            decrypt_io(file, content, identities)
        except (DecryptError, OSError) as error:
            if shutil.disk_usage(settings.data_dir).free < path.stat().st_size:
                raise BackupError(
                    marked("There is no room in {folder} to open {path}. Free space."),
                    folder=settings.data_dir,
                    path=path,
                ) from error
            raise BackupError(
                marked(
                    "{path} cannot be opened: it is encrypted with another key than that of LOUPAN_BACKUP_KEY_FILE, "
                    "or was altered or cut short. Nothing was changed."
                ),
                path=path,
            ) from error
        content.seek(0)
        yield content
