"""Files beside records: what is taken, where it goes, and who gets it back."""

from __future__ import annotations

import datetime as dt
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from hashlib import sha256

import openpyxl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.testclient import TestClient

from data_entry import downloads
from data_entry.schema.marketing import Attachment, Expense
from data_entry.schema.office import Article
from data_entry.services import attachments
from data_entry.services.errors import Forbidden, NotFound, Refused, ServiceError
from data_entry.services.files import DOCX, XLSX, FileStore, check, clean_name
from data_entry.services.work import reading, writing
from loupan.settings import get_settings
from tests.data_entry.services.people import clock, employee_of, hire
from tests.support.small_files import PDF

PNG = (
    b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0) + b"\0\0\0\0"
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8 \x0e\x00\x00\x00" + b"\0" * 14


def xlsx() -> bytes:
    file = io.BytesIO()
    openpyxl.Workbook().save(file)
    return file.getvalue()


def office(*parts: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("[Content_Types].xml", b"<Types/>"), *parts):
            archive.writestr(name, content)
    return file.getvalue()


def bomb() -> bytes:
    """A document that unpacks to more than is allowed."""
    return office(("word/document.xml", b"\0" * (201 * 2**20)))


def lying_bomb() -> bytes:
    """A document that says of itself it is small, and unpacks to 300 MB."""
    content = office(("word/document.xml", b"\0" * (300 * 2**20)))
    real = struct.pack("<I", 300 * 2**20)
    assert content.count(real) == 2
    return content.replace(real, struct.pack("<I", 1000))


@pytest.fixture
def crm_with_expense(crm):
    """A CRM with a marketing clerk, and an expense of theirs."""
    clerk = hire(crm, "clerk", "marketing")
    with Session(crm) as session:
        expense = Expense(
            incurred_on=dt.date(2026, 3, 1), amount=Decimal("10"), status="draft", employee_id=employee_of(crm, clerk)
        )
        article = Article(category="x", title="y")
        session.add_all([expense, article])
        session.commit()
        return crm, clerk, expense.id, article.id


class TestCheck:
    @pytest.mark.parametrize(
        ("name", "content", "media_type"),
        [
            ("发票.pdf", PDF, "application/pdf"),
            ("a.PNG", PNG, "image/png"),
            ("a.jpg", JPEG, "image/jpeg"),
            ("a.jpeg", JPEG, "image/jpeg"),
            ("a.webp", WEBP, "image/webp"),
            ("a.xlsx", xlsx(), XLSX),
            ("a.docx", office(("word/document.xml", b"<w/>")), DOCX),
            ("a.csv", "名称,金额\n场地,100\n".encode("gb18030"), "text/plain"),
            ("a.csv", "名称,金额\n".encode("utf-8-sig"), "text/plain"),
            ("a.txt", "名称\r\n".encode("utf-16"), "text/plain"),
        ],
    )
    def test_takes(self, name: str, content: bytes, media_type: str) -> None:
        assert check(name, content, 10) == media_type

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("a.pdf", b"", "The file is empty"),
            ("a.pdf", PDF + b"0" * 2**20, "The file has 1.0 MB; 1 MB are allowed"),
            ("a.pdf", PNG, "The name ends in .pdf, but the content is that of a .png file"),
            ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "kind are not taken"),
            ("a.txt", b"<?xml version='1.0'?><svg/>", "kind are not taken"),
            ("a.html", b"<!DOCTYPE html><p>hello", "kind are not taken"),
            ("a.csv", b"name\n<ScRiPt>alert(1)</script>", "kind are not taken"),
            ("a.txt", "<html>".encode("utf-16"), "kind are not taken"),
            ("a.sh", b"#!/bin/sh\nrm -rf /", "kind are not taken"),
            ("a.js", b"alert(1)", "The name ends in .js, but the content is that of a .txt file"),
            ("a.exe", b"MZ\x90\x00" + b"\0" * 200, "kind are not taken"),
            ("a.pdf", b"\x7fELF\x02\x01\x01" + b"\0" * 200, "kind are not taken"),
            ("a.gif", b"GIF89a" + b"\0" * 20, "kind are not taken"),
            ("a.zip", office(("a.txt", b"a")), "kind are not taken"),
            ("a.xlsx", xlsx()[:-40], "damaged"),
            ("a.xlsx", b"PK\x03\x04" + b"\0" * 50, "damaged"),
            ("a.docx", xlsx(), "The name ends in .docx, but the content is that of a .xlsx file"),
            ("a.xlsx", office(("xl/workbook.xml", b"<w/>"), ("xl/vbaProject.bin", b"x")), "macros"),
            ("a.docx", office(("word/document.xml", b"<w/>"), ("xl/workbook.xml", b"<w/>")), "kind are not taken"),
            ("a.docx", bomb, "unpack to more than 200 MB"),
            ("a.docx", lying_bomb, "damaged"),
            ("a.txt", b"a\x00b", "kind are not taken"),
            ("a.txt", b"\xff\xff\xff", "kind are not taken"),
        ],
    )
    def test_refuses(self, name: str, content: bytes | Callable[[], bytes], said: str) -> None:
        # What takes long to pack is packed by its own test, not by every process that collects them.
        with pytest.raises(Refused, match=said):
            check(name, content() if callable(content) else content, 1)

    @given(st.binary(max_size=400) | st.binary(max_size=300).map(lambda b: b"PK\x03\x04" + b))
    @settings(max_examples=500, deadline=None)
    def test_of_anything_says_yes_or_why_not(self, content: bytes) -> None:
        for ending in ("pdf", "txt", "docx"):
            try:
                check(f"a.{ending}", content, 1)
            except Refused:
                continue

    def test_a_broken_stream_is_no_crash(self) -> None:
        content = bytearray(xlsx())
        for place in range(40, len(content), 97):
            broken = bytes(content[:place]) + bytes([content[place] ^ 0xFF]) + bytes(content[place + 1 :])
            try:
                check("a.xlsx", broken, 1)
            except Refused:
                continue
        assert zlib.crc32(content)


class TestName:
    @pytest.mark.parametrize(
        ("name", "clean"),
        [
            ("../../etc/passwd.pdf", "passwd.pdf"),
            ("C:\\Users\\me\\发票.pdf", "发票.pdf"),
            ("a\x00b\r\nc.pdf", "abc.pdf"),
            ("receipt\u202efdp.png", "receiptfdp.png"),
            (".pdf.pdf", "pdf.pdf"),
            ("a" * 300 + ".pdf", "a" * 196 + ".pdf"),
            ('a"; x=".pdf', 'a"; x=".pdf'),
        ],
    )
    def test_keeps_what_is_harmless(self, name: str, clean: str) -> None:
        assert clean_name(name) == clean

    @pytest.mark.parametrize("name", ["", "pdf", ".pdf", "a.", "..", "/", "a/.pdf", "a.p df", " .pdf"])
    def test_that_is_none(self, name: str) -> None:
        with pytest.raises(Refused, match="needs a name with an ending"):
            clean_name(name)

    @given(st.text(max_size=300))
    @settings(max_examples=500, deadline=None)
    def test_of_anything(self, name: str) -> None:
        try:
            clean = clean_name(name)
        except Refused:
            return
        assert len(clean) <= 200
        assert not set(clean) & set("/\\\r\n\0")
        assert clean_name(clean) == clean
        downloads.disposition(clean).encode("latin-1")


class TestStore:
    def test_keeps_by_hash_for_this_user_only(self, tmp_path) -> None:
        store = FileStore(tmp_path / "a" / "files")
        digest = store.put(PDF)
        assert digest == sha256(PDF).hexdigest()
        path = tmp_path / "a" / "files" / digest[:2] / digest[2:4] / digest
        assert path.read_bytes() == PDF == store.get(digest)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert all(stat.S_IMODE(p.stat().st_mode) == 0o700 for p in path.parents[:3])
        assert os.listdir(path.parent) == [digest]

    def test_writes_the_same_content_once(self, tmp_path) -> None:
        store = FileStore(tmp_path)
        before = store.path(store.put(PDF)).stat().st_ino
        assert store.path(store.put(PDF)).stat().st_ino == before

    def test_notices_what_was_altered_and_mends_it_when_it_comes_again(self, tmp_path) -> None:
        store = FileStore(tmp_path)
        digest = store.put(PDF)
        store.path(digest).write_bytes(PDF[:-1] + b"X")
        with pytest.raises(NotFound, match="altered"):
            store.get(digest)
        assert store.get(store.put(PDF)) == PDF

    def test_says_what_is_missing(self, tmp_path) -> None:
        with pytest.raises(NotFound, match="missing"):
            FileStore(tmp_path).get("0" * 64)

    @pytest.mark.parametrize("digest", ["../../etc/passwd", "", "A" * 64, "0" * 63])
    def test_opens_nothing_else(self, tmp_path, digest: str) -> None:
        with pytest.raises(ValueError, match="SHA-256"):
            FileStore(tmp_path).get(digest)

    def test_leaves_nothing_behind_when_the_disk_is_full(self, tmp_path, monkeypatch) -> None:
        store = FileStore(tmp_path)
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            store.put(PDF)
        assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_attached_listed_read_and_removed(crm_with_expense) -> None:
    crm, clerk, expense, _ = crm_with_expense
    with writing(crm, clerk, clock) as work:
        row = attachments.attach(work, "expense", expense, "../发票.pdf", PDF)
        assert (row.file_name, row.media_type, row.byte_count) == ("发票.pdf", "application/pdf", len(PDF))
    with reading(crm, clerk, clock) as work:
        (listed,) = attachments.listing(work, "expense", expense)
        assert listed.file_name == "发票.pdf"
        assert listed.may_remove
        assert attachments.read(work, listed.id)[1] == PDF
        assert attachments.count(work, "expense", expense) == 1
    with pytest.raises(Refused, match="attached here already"), writing(crm, clerk, clock) as work:
        attachments.attach(work, "expense", expense, "again.pdf", PDF)
    with writing(crm, clerk, clock) as work:
        attachments.remove(work, listed.id)
    with reading(crm, clerk, clock) as work:
        assert attachments.listing(work, "expense", expense) == []
        with pytest.raises(NotFound):
            attachments.read(work, listed.id)


def test_what_was_submitted_keeps_its_files(crm_with_expense) -> None:
    crm, clerk, expense, _ = crm_with_expense
    with writing(crm, clerk, clock) as work:
        row = attachments.attach(work, "expense", expense, "a.pdf", PDF)
        work.session.get_one(Expense, expense).status = "submitted"
    with writing(crm, clerk, clock) as work:
        attachments.attach(work, "expense", expense, "b.png", PNG)
        assert not any(file.may_remove for file in attachments.listing(work, "expense", expense))
        with pytest.raises(Refused, match="stay"):
            attachments.remove(work, row.id)


def test_nothing_is_attached_to_what_cannot_carry_files(crm_with_expense) -> None:
    crm, clerk, *_ = crm_with_expense
    for entity in ("account", "audit_log", "no such table"):
        with pytest.raises(Refused), writing(crm, clerk, clock) as work:
            attachments.attach(work, entity, 1, "a.pdf", PDF)
    with pytest.raises(NotFound), writing(crm, clerk, clock) as work:
        attachments.attach(work, "expense", 10**9, "a.pdf", PDF)


def test_a_refused_file_leaves_no_row(crm_with_expense) -> None:
    crm, clerk, expense, _ = crm_with_expense
    with pytest.raises(Refused), writing(crm, clerk, clock) as work:
        attachments.attach(work, "expense", expense, "a.html", b"<html>")
    with Session(crm) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Attachment)) == 0
    assert not get_settings().attachments_dir.exists()


def test_the_right_follows_from_the_record(crm_with_expense) -> None:
    crm, clerk, expense, article = crm_with_expense
    seller, chief, nobody = hire(crm, "seller", "sales"), hire(crm, "chief", "executive"), hire(crm, "nobody")
    with writing(crm, clerk, clock) as work:
        receipt = attachments.attach(work, "expense", expense, "a.pdf", PDF).id
        handout = attachments.attach(work, "article", article, "a.pdf", PDF).id
    with reading(crm, chief, clock) as work:
        assert attachments.read(work, receipt)[1] == PDF
    with reading(crm, seller, clock) as work:
        assert attachments.read(work, handout)[1] == PDF  # everybody reads the knowledge base
        for key in (receipt, 10**9):
            with pytest.raises(NotFound, match="no such file, or you may not see it"):
                attachments.read(work, key)
        with pytest.raises(NotFound):
            attachments.listing(work, "expense", expense)
    with reading(crm, nobody, clock) as work:
        for key in (receipt, handout):
            with pytest.raises(NotFound):
                attachments.read(work, key)
    for who in (seller, chief):
        with writing(crm, who, clock) as work, pytest.raises((Forbidden, NotFound)):
            attachments.attach(work, "expense", expense, "b.png", PNG)
        with writing(crm, who, clock) as work, pytest.raises((Forbidden, NotFound)):
            attachments.remove(work, receipt)


class TestDownload:
    @pytest.fixture
    def fetch(self, crm_with_expense):
        """Fetch a file by key as an account; who is not signed in is 0."""
        crm, *_ = crm_with_expense

        def identify(request):
            key = int(request.cookies.get("who", "0"))

            def found(session, now):
                if not key:
                    raise Forbidden("Sign in first.")
                return key

            return found

        client = TestClient(Starlette(routes=downloads.routes(lambda: crm, identify)))

        def get(path: str, who: int, **headers: str):
            client.cookies.set("who", str(who))
            return client.get(path, headers=headers)

        return get

    def test_hands_out_what_was_attached(self, crm_with_expense, fetch) -> None:
        crm, clerk, expense, _ = crm_with_expense
        with writing(crm, clerk, clock) as work:
            key = attachments.attach(work, "expense", expense, '发票 "3".pdf', PDF).id
            text = attachments.attach(work, "expense", expense, "a.csv", "名称\n".encode("gb18030")).id
        answer = fetch(f"/files/{key}", clerk)
        assert (answer.status_code, answer.content) == (200, PDF)
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"] == (
            "attachment; filename=\"__ _3_.pdf\"; filename*=UTF-8''%E5%8F%91%E7%A5%A8%20%223%22.pdf"
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox;")
        assert answer.headers["cache-control"] == "private, no-store"
        assert fetch(f"/files/{text}", clerk).headers["content-type"] == "application/octet-stream"

    def test_refuses_others(self, crm_with_expense, fetch) -> None:
        crm, clerk, expense, _ = crm_with_expense
        seller = hire(crm, "seller", "sales")
        with writing(crm, clerk, clock) as work:
            key = attachments.attach(work, "expense", expense, "a.pdf", PDF).id
        assert fetch(f"/files/{key}", seller).status_code == 404
        assert fetch(f"/files/{key}", 0).status_code == 403
        assert fetch(f"/files/{key + 1}", clerk).status_code == 404
        for key in ("0", "9223372036854775808", "9" * 5000, "-1", "1.0", "٣", "../crm.sqlite"):
            assert fetch(f"/files/{key}", clerk).status_code == 404
        assert fetch("/files/x", clerk).status_code == 404

    def test_says_in_the_readers_language_what_is_wrong(self, crm_with_expense, fetch) -> None:
        crm, clerk, expense, _ = crm_with_expense
        with writing(crm, clerk, clock) as work:
            row = attachments.attach(work, "expense", expense, "a.pdf", PDF)
        attachments.store().path(row.sha256).write_bytes(b"%PDF other")
        answer = fetch(f"/files/{row.id}", clerk, **{"accept-language": "zh-CN,zh;q=0.9"})
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/plain")
        assert "管理员" in answer.text


@given(name=st.text(max_size=80), content=st.binary(max_size=200))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_is_attached_or_refused(sqlite_crm_with_expense, name: str, content: bytes) -> None:
    crm, clerk, expense = sqlite_crm_with_expense
    with suppress(ServiceError), writing(crm, clerk, clock) as work:
        attachments.attach(work, "expense", expense, name, content)


@pytest.fixture
def sqlite_crm_with_expense(tmp_path):
    from data_entry.database import create_engine_for, create_schema

    crm = create_engine_for(f"sqlite:///{tmp_path / 'one.sqlite'}")
    create_schema(crm)
    clerk = hire(crm, "clerk", "marketing")
    with Session(crm) as session:
        expense = Expense(
            incurred_on=dt.date(2026, 3, 1), amount=Decimal("10"), status="draft", employee_id=employee_of(crm, clerk)
        )
        session.add(expense)
        session.flush()
        key = expense.id
        session.commit()
    yield crm, clerk, key
    crm.dispose()
