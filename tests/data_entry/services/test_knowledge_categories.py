"""Categories of the knowledge base: agreed on, ordered, renamed in every article, taken out of use."""

from __future__ import annotations

import pytest

from data_entry.schema.office import Article, ArticleVersion
from data_entry.schema.organisation import VocabularyTerm
from data_entry.services import knowledge, knowledge_categories, records
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused


@pytest.fixture
def shelf(office):
    """Two agreed categories, and an article in a third that somebody typed."""
    with office.writing("admin") as work:
        knowledge_categories.add(work, ["Training", "Archive"])
    for category, title in (("Training", "How to greet"), ("Training", "How to close"), ("Rules", "Dress")):
        (key,) = office.add(Article(category=category, title=title))
        office.add(ArticleVersion(article_id=key, version=1, body="…"))
    return office


def listed(office):
    with office.reading("admin") as work:
        return [(c.name, c.is_agreed, c.is_active, c.articles) for c in knowledge_categories.listing(work)]


def do(office, step, *args, who="admin"):
    with office.writing(who) as work:
        return step(work, *args)


@pytest.mark.function("1.i.4")
def test_agreed_ones_come_first_in_their_order(shelf):
    assert listed(shelf) == [("Training", True, True, 2), ("Archive", True, True, 0), ("Rules", False, True, 1)]
    do(shelf, knowledge_categories.shift, "Archive", -1)
    do(shelf, knowledge_categories.add, ["Rules"])
    assert [name for name, *_ in listed(shelf)] == ["Archive", "Training", "Rules"]
    do(shelf, knowledge_categories.shift, "Archive", 9)
    with shelf.reading("amy") as work:
        assert knowledge.categories(work) == ["Training", "Rules", "Archive"]


def test_renaming_reaches_every_article(shelf):
    assert do(shelf, knowledge_categories.rename, "Training", " Courses ") == 2
    assert do(shelf, knowledge_categories.rename, "Rules", "Policies") == 1
    assert listed(shelf) == [("Courses", True, True, 2), ("Archive", True, True, 0), ("Policies", False, True, 1)]
    with shelf.reading("amy") as work:
        assert {found.article.title for found in knowledge.search(work, category="Courses")[0]} == {
            "How to greet", "How to close"
        }  # fmt: skip
    for name in ("Archive", "Policies", "", "x" * 101):
        with pytest.raises(Invalid):
            do(shelf, knowledge_categories.rename, "Courses", name)
    with pytest.raises(NotFound):
        do(shelf, knowledge_categories.rename, "Training", "Again")


def test_one_out_of_use_is_offered_no_more_unless_an_article_has_it(shelf):
    do(shelf, knowledge_categories.use, "Archive", False)
    with shelf.reading("amy") as work:
        assert knowledge.categories(work) == ["Training", "Rules"]
    do(shelf, knowledge_categories.use, "Archive", True)
    for step, args in ((knowledge_categories.use, ("Rules", False)), (knowledge_categories.shift, ("Rules", 1))):
        with pytest.raises(Refused, match="agreed"):
            do(shelf, step, *args)


def test_a_deleted_word_can_be_agreed_on_again(shelf):
    with shelf.writing("admin") as work:
        (term,) = (row["id"] for row in records.list_rows(work, "vocabulary_term", search="Archive").rows)
        records.delete(work, "vocabulary_term", term)
    with pytest.raises(Invalid):
        do(shelf, knowledge_categories.rename, "Training", "Archive")
    do(shelf, knowledge_categories.add, ["Archive"])
    assert ("Archive", True, True, 0) in listed(shelf)
    with pytest.raises(Invalid):
        do(shelf, knowledge_categories.add, ["Archive"])


def test_only_those_who_may_change_words_and_articles_do(shelf):
    do(shelf, knowledge_categories.rename, "Training", "Courses", who="mara")
    do(shelf, knowledge_categories.add, ["Letters"], who="sue")
    with pytest.raises(Forbidden):  # she may change words, and no articles
        do(shelf, knowledge_categories.rename, "Courses", "Training", who="sue")
    for step, args in (
        (knowledge_categories.add, (["X"],)),
        (knowledge_categories.rename, ("Courses", "X")),
        (knowledge_categories.use, ("Courses", False)),
        (knowledge_categories.shift, ("Courses", 1)),
    ):
        with pytest.raises(Forbidden):
            do(shelf, step, *args, who="amy")
    assert listed(shelf)[0] == ("Courses", True, True, 2)


def test_words_of_other_fields_are_left_alone(shelf):
    shelf.add(VocabularyTerm(field="task.kind", value="Archive"))
    do(shelf, knowledge_categories.use, "Archive", False)
    with shelf.reading("admin") as work:
        terms = records.list_rows(work, "vocabulary_term", filters={"field": "task.kind"}).rows
    assert [(term["value"], term["is_active"]) for term in terms] == [("Archive", True)]
