"""The categories of the knowledge base: agreed words, and what writers have typed beside them.

An article keeps its category as a word. So a category is renamed in every article that has it, and one taken out of
use stays with its articles but is offered no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from data_entry.schema.office import Article
from data_entry.schema.organisation import VocabularyTerm
from data_entry.services.errors import Invalid, NotFound, Problem, Refused
from data_entry.services.given import Given
from data_entry.services.knowledge import CATEGORY
from data_entry.services.work import Work
from loupan.i18n import marked

_LONGEST = 100


@dataclass(frozen=True)
class Category:
    """A category: whether it was agreed and is offered, and how many articles have it, archived ones included."""

    name: str
    is_agreed: bool
    is_active: bool
    articles: int


def listing(work: Work) -> list[Category]:
    """Return the categories, those agreed first in their order, then what else articles have."""
    work.require("read", "vocabulary_term")
    work.require("read", "article")
    used: dict[str, int] = dict(
        work.session.execute(sa.select(Article.category, sa.func.count()).group_by(Article.category)).all()
    )
    agreed = [Category(term.value, True, term.is_active, used.pop(term.value, 0)) for term in _terms(work)]
    return [*agreed, *(Category(name, False, True, count) for name, count in sorted(used.items()))]


def add(work: Work, names: Sequence[str]) -> None:
    """Agree on further categories; they come last.

    Raises:
        Invalid: if a name is missing, or agreed already.
    """
    work.require("create", "vocabulary_term")
    given = Given()
    wanted = [given.text("value", name, _LONGEST, required=True) for name in names]
    if not wanted:
        given.text("value", None, required=True)
    terms = _terms(work, deleted=True)
    taken = {term.value for term in terms if term.deleted_at is None}
    for name in wanted:
        if name in taken:
            given.wrong("value", marked("There is a category {name} here already."), name=name)
        taken.add(str(name))
    given.check()
    last = max((term.sequence or 0 for term in terms if term.deleted_at is None), default=0)
    gone = {term.value: term for term in terms if term.deleted_at is not None}
    for place, name in enumerate(wanted, last + 1):
        # A field has each word once, deleted ones included.
        if (term := gone.get(str(name))) is not None:
            work.require_with("update", term)
            term.deleted_at, term.is_active, term.sequence = None, True, place
        else:
            work.add(VocabularyTerm(field=CATEGORY, value=name, sequence=place))
    work.session.flush()


def rename(work: Work, name: str, new_name: str) -> int:
    """Give a category another name, in every article that has it; return how many these are.

    Raises:
        Invalid: if the new name is missing, or another category has it.
        Forbidden: if the actor may not change one of the articles.
        NotFound: if there is no such category.
    """
    given = Given()
    text = given.text("value", new_name, _LONGEST, required=True)
    known = {category.name for category in listing(work)}
    if name not in known:
        raise NotFound(marked("There is no such category."))
    if text in known - {name}:
        given.wrong("value", marked("There is a category {name} here already."), name=text)
    given.check()
    term = next((term for term in _terms(work) if term.value == name), None)
    if term is not None:
        if _is_taken_by_deleted(work, str(text)):
            raise Invalid(
                [Problem("value", marked("A deleted record has this; restore that one, or choose another value."))]
            )
        work.require_with("update", term)
        term.value = str(text)
    articles = list(work.session.scalars(sa.select(Article).where(Article.category == name).with_for_update()))
    for article in articles:
        work.require_with("update", article)
        article.category = str(text)
    work.session.flush()
    return len(articles)


def use(work: Work, name: str, is_active: bool) -> None:
    """Take an agreed category out of use for new articles, or back into use."""
    _change(work, name).is_active = is_active
    work.session.flush()


def shift(work: Work, name: str, places: int) -> None:
    """Move an agreed category down the list by some places, or up by negative ones; it stops at either end."""
    _change(work, name)
    terms = _terms(work)
    at = next(place for place, term in enumerate(terms) if term.value == name)
    moved = terms.pop(at)
    terms.insert(min(max(at + places, 0), len(terms)), moved)
    for place, term in enumerate(terms, 1):
        work.require_with("update", term)
        term.sequence = place
    work.session.flush()


def _terms(work: Work, *, deleted: bool = False) -> list[VocabularyTerm]:
    query = sa.select(VocabularyTerm).where(VocabularyTerm.field == CATEGORY)
    if not deleted:
        query = query.where(VocabularyTerm.deleted_at.is_(None))
    return list(
        work.session.scalars(
            query.order_by(VocabularyTerm.sequence.is_(None), VocabularyTerm.sequence, VocabularyTerm.id)
        )
    )


def _is_taken_by_deleted(work: Work, name: str) -> bool:
    return any(term.value == name and term.deleted_at is not None for term in _terms(work, deleted=True))


def _change(work: Work, name: str) -> VocabularyTerm:
    """Return an agreed category to change, while others who change the order wait."""
    terms = list(
        work.session.scalars(
            sa.select(VocabularyTerm)
            .where(VocabularyTerm.field == CATEGORY, VocabularyTerm.deleted_at.is_(None))
            .order_by(VocabularyTerm.id)
            .with_for_update()
        )
    )
    term = next((term for term in terms if term.value == name), None)
    if term is None:
        raise Refused(marked("Only agreed categories have a place, and are taken out of use."))
    work.require_with("update", term)
    return term
