"""The knowledge base: articles in categories, every version kept.

A change is a new version; nothing is overwritten. What no longer holds is archived, and can be brought back.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.office import Article, ArticleVersion
from data_entry.schema.organisation import Account, Employee, VocabularyTerm
from data_entry.services import wording
from data_entry.services.errors import NotFound, Refused, Stale
from data_entry.services.work import Work
from loupan.i18n import marked

CATEGORY = "article.category"
PAGE = 20
MOST_WORDS = 8


@dataclass(frozen=True)
class Found:
    """An article in a list, with its newest version and the piece of text that was looked for."""

    article: Article
    newest: ArticleVersion
    excerpt: str


@dataclass(frozen=True)
class Line:
    """A line of the comparison of two versions; `change` is ``+``, ``-`` or empty."""

    change: str
    text: str


def write(work: Work, *, category: str, title: str, body: str, generated_from: str | None = None) -> Article:
    """Write a new article, with its first version."""
    work.require("create", "article_version")
    article = work.add(
        Article(category=wording.line("category", category, 100), title=wording.line("title", title, 300))
    )
    _add_version(work, article, 1, body, generated_from)
    return article


def revise(
    work: Work,
    article_id: int,
    *,
    based_on: int,
    body: str,
    title: str | None = None,
    category: str | None = None,
    generated_from: str | None = None,
) -> ArticleVersion:
    """Write the next version of an article.

    Args:
        work: the transaction.
        article_id: the article.
        based_on: number of the version that the new one was made of.
        body: Markdown.
        title, category: new ones; None leaves them.
        generated_from: what a generated text rests on, as JSON.

    Raises:
        Stale: if a newer version than `based_on` has been written meanwhile.
        Refused: if nothing has changed.
    """
    article = work.get(Article, article_id, "update", lock=True)
    newest = _newest(work, article.id)
    if newest.version != based_on:
        raise Stale(
            marked("Somebody else has written a newer version meanwhile."),
            {"body": body, "version": based_on},
            {"body": newest.body, "version": newest.version, "row_version": article.row_version},
        )
    new_title = wording.line("title", title, 300) if title is not None else article.title
    new_category = wording.line("category", category, 100) if category is not None else article.category
    text = wording.block("body", body)
    if (text, new_title, new_category) == (newest.body, article.title, article.category):
        raise Refused(marked("Nothing has changed."))
    article.title, article.category = new_title, new_category
    work.session.flush()
    return newest if text == newest.body else _add_version(work, article, newest.version + 1, text, generated_from)


def publish(work: Work, *, category: str, title: str, body: str, generated_from: str | None = None) -> ArticleVersion:
    """Publish a generated document: as the next version of the article of that category and title, or as a new one.

    The same text again makes no new version.
    """
    key = work.session.scalar(
        sa.select(Article.id)
        .where(
            Article.category == wording.line("category", category, 100),
            Article.title == wording.line("title", title, 300),
            Article.deleted_at.is_(None),
        )
        .order_by(Article.id)
        .limit(1)
    )
    if key is None:
        return _newest(work, write(work, category=category, title=title, body=body, generated_from=generated_from).id)
    article = work.get(Article, key, "update", lock=True)
    newest = _newest(work, article.id)
    if newest.body == wording.block("body", body):
        return newest
    return _add_version(work, article, newest.version + 1, body, generated_from)


def archive(work: Work, article_id: int) -> None:
    """Take an article out of the knowledge base; its versions are kept."""
    article = work.get(Article, article_id, "delete", lock=True)
    article.deleted_at = work.now
    work.session.flush()


def bring_back(work: Work, article_id: int) -> Article:
    """Bring an archived article back."""
    article = work.get(Article, article_id, "delete", lock=True, deleted=True)
    article.deleted_at = None
    work.session.flush()
    return article


def search(
    work: Work,
    words: str = "",
    *,
    category: str | None = None,
    archived: bool = False,
    offset: int = 0,
    limit: int = PAGE,
) -> tuple[list[Found], int]:
    """Find articles whose title or newest version holds every one of the words; those with them in the title first.

    Args:
        work: the transaction.
        words: separated by blanks; none finds all.
        category: one category only.
        archived: those archived instead of those that hold; for who may archive.
        offset: how many to pass over.
        limit: how many to return.

    Returns:
        A piece of the list, and how many there are.
    """
    work.require("read", "article")
    if archived:
        work.require("delete", "article")
    wanted = words.split()[:MOST_WORDS]
    newest = (
        sa.select(ArticleVersion.article_id, sa.func.max(ArticleVersion.version).label("version"))
        .where(ArticleVersion.deleted_at.is_(None))
        .group_by(ArticleVersion.article_id)
        .subquery()
    )
    title, body = sa.func.lower(Article.title), sa.func.lower(ArticleVersion.body)
    where: list[sa.ColumnElement[bool]] = [
        Article.deleted_at.is_not(None) if archived else Article.deleted_at.is_(None),
        reach(work.actor, "read", "article"),
    ]
    in_title: sa.ColumnElement[int] = sa.literal(0)
    for word in wanted:
        pattern = wording.pattern(word)
        hit = title.like(pattern, escape="\\")
        where.append(sa.or_(hit, body.like(pattern, escape="\\")))
        in_title = in_title + sa.case((hit, 1), else_=0)
    if category is not None:
        where.append(Article.category == category)
    query = (
        sa.select(Article, ArticleVersion)
        .join(newest, newest.c.article_id == Article.id)
        .join(
            ArticleVersion,
            sa.and_(ArticleVersion.article_id == Article.id, ArticleVersion.version == newest.c.version),
        )
        .where(*where)
    )
    total = work.session.scalar(query.with_only_columns(sa.func.count())) or 0
    rows = work.session.execute(
        query.order_by(in_title.desc(), ArticleVersion.created_at.desc(), Article.id.desc()).offset(offset).limit(limit)
    ).all()
    return [Found(a, v, wording.excerpt(_without_marks(v.body), wanted)) for a, v in rows], total


def categories(work: Work) -> list[str]:
    """Return the categories offered, those agreed first in their order, then others that articles have."""
    agreed = list(
        work.session.scalars(
            sa.select(VocabularyTerm.value)
            .where(VocabularyTerm.field == CATEGORY, VocabularyTerm.is_active, VocabularyTerm.deleted_at.is_(None))
            .order_by(VocabularyTerm.sequence.is_(None), VocabularyTerm.sequence, VocabularyTerm.id)
        )
    )
    used = work.session.scalars(
        sa.select(Article.category).where(Article.deleted_at.is_(None)).distinct().order_by(Article.category)
    )
    return list(dict.fromkeys([*agreed, *used]))


def one(work: Work, article_id: int, version: int | None = None) -> tuple[Article, ArticleVersion]:
    """Return an article with one of its versions, the newest unless another is asked for."""
    article = work.get(Article, article_id, deleted=work.actor.may("delete", "article"))
    if version is None:
        return article, _newest(work, article.id)
    row = work.session.scalar(_versions(article.id).where(ArticleVersion.version == version))
    if row is None:
        raise NotFound(marked("There is no such version."))
    return article, row


def versions(work: Work, article_id: int) -> list[tuple[ArticleVersion, str]]:
    """Return all versions of an article with who wrote them, the newest first."""
    article = work.get(Article, article_id, deleted=work.actor.may("delete", "article"))
    rows = list(work.session.scalars(_versions(article.id)))
    writers = dict(
        work.session.execute(
            sa.select(Account.id, sa.func.coalesce(Employee.name, Account.login))
            .outerjoin(Employee, Employee.id == Account.employee_id)
            .where(Account.id.in_({row.created_by for row in rows if row.created_by is not None}))
        ).all()
    )
    return [(row, writers.get(row.created_by or 0, "")) for row in rows]


def difference(before: str, after: str) -> list[Line]:
    """Return the lines of two texts, with what went and what came."""
    return [
        Line(line[0].strip(), line[2:])
        for line in difflib.ndiff(before.splitlines(), after.splitlines())
        if not line.startswith("?")
    ]


def _versions(article_id: int) -> sa.Select[ArticleVersion]:
    return (
        sa.select(ArticleVersion)
        .where(ArticleVersion.article_id == article_id, ArticleVersion.deleted_at.is_(None))
        .order_by(ArticleVersion.version.desc())
    )


def _newest(work: Work, article_id: int) -> ArticleVersion:
    newest = work.session.scalar(_versions(article_id).limit(1))
    if newest is None:
        raise NotFound(marked("There is no such version."))
    return newest


def _add_version(
    work: Work, article: Article, version: int, body: str, generated_from: str | None = None
) -> ArticleVersion:
    return work.add(
        ArticleVersion(
            article_id=article.id, version=version, body=wording.block("body", body), generated_from=generated_from
        )
    )


def _without_marks(body: str) -> str:
    return "".join(character for character in body if character not in "#*`>|")
