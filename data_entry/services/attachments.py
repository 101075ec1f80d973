"""Files beside records: attach, list, read, remove.

The right to a file follows from the record it belongs to: who may read the record (and files at all) may read its
files, who may change the record may add and remove them. The content goes to disk before the row that names it: a row
without a file cannot come about, and a file without a row harms nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from data_entry.access.reach import ATTACHABLE
from data_entry.schema import Base, Record
from data_entry.schema.marketing import Attachment
from data_entry.services.errors import Forbidden, NotFound, Refused
from data_entry.services.files import FileStore, check, clean_name
from data_entry.services.work import Work
from loupan.i18n import marked
from loupan.settings import get_settings

_MODELS: Mapping[str, type[Record]] = {
    mapper.class_.__tablename__: mapper.class_
    for mapper in Base.registry.mappers
    if mapper.class_.__tablename__ in ATTACHABLE
}
# While a record is in one of these states its files are evidence: some may come, none may go.
_EVIDENCE = {"expense": ("submitted", "approved", "paid"), "report": ("submitted", "approved")}
_NO_FILE = marked("There is no such file, or you may not see it.")


@dataclass(frozen=True)
class Listed:
    """A file as a list shows it; `may_remove` says whether the reader may take it away."""

    id: int
    file_name: str
    media_type: str
    byte_count: int
    may_remove: bool


def store() -> FileStore:
    """Return the store of this installation."""
    return FileStore(get_settings().attachments_dir)


def _record(work: Work, entity: str, entity_id: int, action: str = "read") -> Record:
    if entity not in _MODELS:
        raise Refused(marked("Files cannot be attached here."))
    return work.get(_MODELS[entity], entity_id, action)


def attach(work: Work, entity: str, entity_id: int, file_name: str, content: bytes) -> Attachment:
    """Attach a file to a record.

    Args:
        work: must be able to write.
        entity: table of the record, one of `ATTACHABLE`.
        entity_id: key of the record.
        file_name: as the browser gave it.
        content: the whole file.

    Raises:
        Refused: if the file is not taken; see `data_entry.services.files.check`. The same file beside the same record
            twice is refused, too.
        NotFound: if the record is not there for the actor.
        Forbidden: if the actor may not change it.
    """
    work.require("create", "attachment")
    _record(work, entity, entity_id, "update")
    name = clean_name(file_name)
    media_type = check(name, content, get_settings().upload_megabytes)
    digest = store().put(content)
    if work.session.scalar(_of(entity, entity_id).where(Attachment.sha256 == digest).limit(1)):
        raise Refused(marked("This file is attached here already."))
    row = Attachment(
        entity=entity, entity_id=entity_id, file_name=name, media_type=media_type, byte_count=len(content),
        sha256=digest,
    )  # fmt: skip
    work.session.add(row)
    work.session.flush()
    return row


def _of(entity: str, entity_id: int) -> sa.Select[Attachment]:
    return (
        sa.select(Attachment)
        .where(Attachment.entity == entity, Attachment.entity_id == entity_id, Attachment.deleted_at.is_(None))
        .order_by(Attachment.id)
    )


def listing(work: Work, entity: str, entity_id: int) -> list[Listed]:
    """Return the files of a record, oldest first; none where the actor may not read files.

    Raises:
        NotFound: if the record is not there for the actor.
    """
    record = _record(work, entity, entity_id)
    if not work.actor.may("read", "attachment"):
        return []
    may_remove = _may_remove(work, record)
    rows = work.session.scalars(_of(entity, entity_id))
    return [Listed(row.id, row.file_name, row.media_type, row.byte_count, may_remove) for row in rows]


def count(work: Work, entity: str, entity_id: int) -> int:
    """Return how many files a record has, whoever asks: rules depend on it."""
    query = sa.select(sa.func.count()).select_from(_of(entity, entity_id).order_by(None).subquery())
    return int(work.session.scalar(query) or 0)


def _may_remove(work: Work, record: Record) -> bool:
    states = _EVIDENCE.get(record.__tablename__, ())
    return (
        getattr(record, "status", None) not in states
        and work.actor.may("delete", "attachment")
        and work.actor.may("update", record.__tablename__)
        and work.may_with("update", record)
    )


def may_attach(work: Work, entity: str, entity_id: int) -> bool:
    """Say whether the actor may attach files to a record."""
    record = _record(work, entity, entity_id)
    return (
        work.actor.may("create", "attachment")
        and work.actor.may("update", entity)
        and work.may_with("update", record)
    )  # fmt: skip


def _row(work: Work, attachment_id: int) -> tuple[Attachment, Record]:
    row = work.session.get(Attachment, attachment_id)
    if row is None or row.deleted_at is not None or not work.actor.may("read", "attachment"):
        raise NotFound(_NO_FILE)
    try:
        return row, _record(work, row.entity, row.entity_id)
    except (NotFound, Refused) as error:  # not told apart from a file that does not exist
        raise NotFound(_NO_FILE) from error


def read(work: Work, attachment_id: int) -> tuple[Attachment, bytes]:
    """Return a file and its content.

    Raises:
        NotFound: if there is none for the actor, or the content is missing or altered.
    """
    row, _ = _row(work, attachment_id)
    return row, store().get(row.sha256)


def remove(work: Work, attachment_id: int) -> None:
    """Take a file away from its record; the content stays in the store.

    Raises:
        NotFound: if there is none for the actor.
        Refused: if the record has been submitted or decided.
        Forbidden: if the actor may not.
    """
    row, record = _row(work, attachment_id)
    if getattr(record, "status", None) in _EVIDENCE.get(row.entity, ()):
        raise Refused(marked("Files of what was submitted stay. New ones may be added."))
    if not _may_remove(work, record):
        raise Forbidden(marked("You may not do this with this record."))
    row.deleted_at = work.now
    work.session.flush()
