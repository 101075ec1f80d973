"""Observations of competing estates, the comparison, and the guidance made of it."""

import datetime as dt
import json
import re
import string
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from sqlalchemy import select
from sqlalchemy.orm import Session

from data_entry.schema.competition import Competitor, CompetitorObservation, CompetitorProject
from data_entry.schema.customer import Feature
from data_entry.schema.estate import Building, Project, Unit
from data_entry.schema.office import Article, ArticleVersion
from data_entry.services import competition, guidance, records
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused
from data_entry.services.validation import Wrong
from data_entry.services.work import reading, writing
from tests.data_entry.services.people import NOW, TODAY, clock, employee_of, hire

PRICE, DISCOUNT, DECORATED, NOTE = 1, 2, 3, 4


class Market:
    """Our estate 1, its competitors 11 and 12; nothing is observed yet. Estate 2 has one competitor."""

    def __init__(self, crm):
        self.crm = crm
        self.clerk, self.seller = hire(crm, "clerk", "marketing"), hire(crm, "seller", "sales")
        with Session(crm) as session:
            for row in (
                Project(id=1, name="滨江*壹号*"), Project(id=2, name="Other"), Competitor(id=1, name="C"),
                CompetitorProject(id=11, name="Alpha", competitor_id=1, own_project_id=1),
                CompetitorProject(id=12, name="Beta <b>", own_project_id=1),
                CompetitorProject(id=13, name="Gamma", own_project_id=2),
                Feature(id=PRICE, entity="competitor_project", name="均价（元/㎡）", data_type="number"),
                Feature(id=DISCOUNT, entity="competitor_project", name="优惠幅度（%）", data_type="number"),
                Feature(id=DECORATED, entity="competitor_project", name="精装交付", data_type="boolean"),
                Feature(id=NOTE, entity="competitor_project", name="School", data_type="text"),
                Feature(id=5, entity="customer", name="Hobby", data_type="text"),
            ):  # fmt: skip
                session.add(row)
                session.flush()
            session.commit()

    def see(self, estate, values, day="2026-03-01", url="https://example.com/a", who=None):
        with writing(self.crm, who or self.clerk, clock) as work:
            return competition.record(work, estate, values, dt.date.fromisoformat(day), url)

    def own(self):
        with writing(self.crm, self.clerk, clock) as work:
            return competition.own_estate(work, 1).id

    def compare(self, project=1, at=clock):
        with reading(self.crm, self.clerk, at) as work:
            return competition.compare(work, project)

    def make(self, chosen=None, at=clock):
        with reading(self.crm, self.clerk, at) as work:
            return guidance.make(work, 1, chosen)

    def publish(self, at=clock, chosen=None):
        with writing(self.crm, self.clerk, at) as work:
            return guidance.publish(work, 1, chosen)

    def versions(self):
        with Session(self.crm) as session:
            rows = session.execute(
                select(Article.title, ArticleVersion.version, ArticleVersion.body, ArticleVersion.generated_from)
                .join(Article, Article.id == ArticleVersion.article_id)
                .order_by(ArticleVersion.id)
            )
            return [tuple(row) for row in rows]


@pytest.fixture
def market(crm):
    return Market(crm)


@pytest.fixture
def observed(market):
    """All have a price; we are cheaper than one, give a smaller discount, and hand over decorated."""
    market.see(market.own(), {PRICE: "27000", DISCOUNT: "2", DECORATED: "yes"}, url=None)
    market.see(11, {PRICE: "28000", DISCOUNT: "3.50", DECORATED: "0"}, "2026-02-01")
    market.see(11, {PRICE: "26600"}, "2026-03-05")
    market.see(12, {PRICE: "30000", DECORATED: "否"}, "2025-11-01", "http://example.org/x?a=1&b=(2)")
    return market


class TestObservations:
    def test_are_recorded_with_author_date_and_source(self, market):
        (price, note) = market.see(11, {PRICE: "2.8万", NOTE: " Nr 1 ", DISCOUNT: ""})
        author = employee_of(market.crm, market.clerk)
        with Session(market.crm) as session:
            row = session.get(CompetitorObservation, price)
            assert (row.value, row.observed_on, row.source_url) == (
                "28000",
                dt.date(2026, 3, 1),
                "https://example.com/a",
            )
            assert row.employee_id == author
            assert session.get(CompetitorObservation, note).value == "Nr 1"

    @pytest.mark.parametrize(
        ("values", "day", "url", "column"),
        [
            ({PRICE: "cheap"}, "2026-03-01", None, "feature:1"),
            ({DECORATED: "maybe"}, "2026-03-01", None, "feature:3"),
            ({5: "Chess"}, "2026-03-01", None, "feature:5"),
            ({PRICE: "1"}, "2026-03-11", None, "observed_on"),
            ({PRICE: "1", NOTE: "x"}, "2026-03-01", "javascript:alert(1)", "source_url"),
            ({PRICE: "1"}, "2026-03-01", "ftp://example.com", "source_url"),
            ({PRICE: "1"}, "2026-03-01", "https://", "source_url"),
            ({PRICE: "1"}, "2026-03-01", "https://user:pw@example.com", "source_url"),
            ({PRICE: "1"}, "2026-03-01", "https://example.com/a b", "source_url"),
            ({PRICE: "1"}, "2026-03-01", "example.com", "source_url"),
            ({PRICE: "1"}, "2026-03-01", "http://[::1", "source_url"),
            ({NOTE: "x" * 501}, "2026-03-01", None, "feature:4"),
        ],
    )
    def test_that_do_not_fit_leave_nothing(self, market, values, day, url, column):
        with pytest.raises(Invalid) as caught:
            market.see(11, {**values, DISCOUNT: "1"}, day, url)
        assert {problem.column for problem in caught.value.problems} == {column}
        assert market.compare().newest == {}

    def test_without_any_value(self, market):
        with pytest.raises(Refused, match="at least one"):
            market.see(11, {PRICE: " ", DISCOUNT: None})
        with pytest.raises(NotFound):
            market.see(99, {PRICE: "1"})

    def test_are_marketings_to_write(self, market):
        with pytest.raises(Forbidden):
            market.see(11, {PRICE: "1"}, who=market.seller)
        with writing(market.crm, market.seller, clock) as work, pytest.raises(Forbidden):
            competition.own_estate(work, 1)

    def test_of_our_own_estate_belong_to_one_row(self, market):
        assert market.own() == market.own()
        assert market.compare().own.name == "滨江*壹号*"
        with pytest.raises(Invalid), writing(market.crm, market.clerk, clock) as work:
            records.update(work, "competitor_project", 11, {"is_own": True}, None)

    @given(st.text(max_size=60))
    @settings(max_examples=300, deadline=None)
    def test_an_address_is_kept_or_refused(self, text):
        for address in (text, f"https://{text}", f"https://example.com/{text}"):
            try:
                kept = competition.kept_address(address)
            except Wrong:
                continue
            assert re.fullmatch(r"https?://\S+", kept)
            shown = MarkdownIt("commonmark").renderInline(guidance.link(kept))
            assert shown.count("<a ") <= 1
            assert "<script" not in shown


class TestComparison:
    def test_shows_the_newest_with_its_age_and_the_value_before(self, observed):
        found = observed.compare()
        seen = found.newest[11, PRICE]
        assert (seen.number, seen.age, seen.is_stale, seen.author) == (26600, 5, False, "Clerk")
        assert seen.before.number == 28000
        assert found.newest[12, PRICE].is_stale
        assert found.newest[12, DECORATED].number == 0
        assert found.estates[0].name == "滨江*壹号*"
        assert found.middle(PRICE) == 28300
        assert found.middle(NOTE) is None
        assert found.of_own(PRICE).number == 27000
        assert [s.number for s in found.series[11, PRICE]] == [28000, 26600]

    def test_knows_nothing_of_other_estates(self, observed):
        observed.see(13, {PRICE: "1"})
        found = observed.compare(2)
        assert list(found.newest) == [(13, PRICE)]
        assert found.own is None

    def test_leaves_out_what_was_deleted(self, observed):
        key = observed.compare().newest[11, PRICE].id
        with writing(observed.crm, observed.clerk, clock) as work:
            records.delete(work, "competitor_observation", key)
        assert observed.compare().newest[11, PRICE].number == 28000

    def test_is_open_to_sales(self, observed):
        with reading(observed.crm, observed.seller, clock) as work:
            assert competition.compare(work, 1).newest
            assert [p[:3] for p in competition.projects(work)] == [(2, "Other", 1), (1, "滨江*壹号*", 2)]

    def test_offers_what_the_crm_knows_of_our_own(self, market):
        with Session(market.crm) as session:
            session.add(Building(id=1, project_id=1, name="B"))
            session.flush()
            for number, price, area, status in [
                ("1", 1_000_000, 100, "available"), ("2", 3_000_000, 100, "reserved"), ("3", 9_000_000, 90, "sold"),
            ]:  # fmt: skip
                session.add(
                    Unit(building_id=1, number=number, list_price=Decimal(price), area_sqm=Decimal(area), status=status)
                )
            session.commit()
        with reading(market.crm, market.clerk, clock) as work:
            assert competition.own_figures(work, 1) == competition.OwnFigures(Decimal(20000), Decimal(100), 0)
            assert competition.own_figures(work, 2) == competition.OwnFigures(None, None, 0)


def sections(found):
    return {section: [s for s in found.statements if s.section == section] for section in guidance.SECTIONS}


class TestGuidance:
    def test_says_nothing_without_data(self, market):
        assert market.make().statements == []
        assert "nothing to say" in guidance.render(market.make(), "en")
        with pytest.raises(Refused):
            market.publish()
        assert market.versions() == []

    def test_guesses_the_price_and_what_is_better(self, market):
        chosen = guidance.default_choices(market.compare())
        assert chosen == guidance.Choices(PRICE, {PRICE: -1, DISCOUNT: 1, DECORATED: 1})

    def test_cites_what_each_statement_rests_on(self, observed):
        found, compared = observed.make(), observed.compare()
        for statement in found.statements:
            assert statement.cites
            assert {seen.id for seen in statement.cites} <= {s.id for line in compared.series.values() for s in line}
        by = sections(found)
        own = compared.of_own(PRICE)
        price = by["price"][0]
        assert price.cites == (own, compared.newest[11, PRICE], compared.newest[12, PRICE])
        assert price.values["gap"] == pytest.approx(Decimal(1300) / 28300)
        assert "below the middle" in price.message
        (strength,) = by["strengths"]
        assert "we have it" in strength.message
        assert [seen.estate for seen in strength.values["rivals"]] == ["Alpha", "Beta <b>"]
        (weakness,) = by["weaknesses"]
        assert weakness.cites == (compared.of_own(DISCOUNT), compared.newest[11, DISCOUNT])
        (change,) = by["changes"]
        assert change.values["change"] == Decimal("0.05")
        assert [seen.number for seen in change.cites] == [28000, 26600]
        assert [s.values["estate"] for s in by["renew"]] == ["Beta <b>"]

    def test_is_written_in_both_languages_with_its_sources(self, observed):
        english, chinese = (guidance.render(observed.make(), language) for language in ("en", "zh"))
        assert "ours is 27,000, 4.6% below the middle of 2 competing estates (26,600 to 30,000)" in english
        assert "fell by 5.0%, from 28,000 (1 Feb 2026) to 26,600 (5 Mar 2026)" in english
        assert "⚠ Rests on something seen more than 90 days ago." in english
        assert "价格" in chinese
        assert "⚠" in chinese
        assert not re.search(r"\{\w+\}", english + chinese)
        for text in (english, chinese):
            assert "[example\\.org](http://example.org/x?a=1&b=%282%29)" in text
            numbers = {int(n) for n in re.findall(r"\\\[(\d+)\\\]", text)}
            listed = [int(n) for n in re.findall(r"^- \\\[(\d+)\\\]", text, re.MULTILINE)]
            assert listed == sorted(numbers) == list(range(1, len(listed) + 1))
            html = MarkdownIt("commonmark").render(text)
            assert "Beta &lt;b&gt;" in html
            assert "<em>" not in html
        assert set(re.findall(r"observation (\d+)", english)) == {
            str(seen.id) for statement in observed.make().statements for seen in statement.cites
        }

    def test_without_our_own_values_compares_the_others_only(self, market):
        market.see(11, {PRICE: "1", DISCOUNT: "2"})
        by = sections(market.make())
        assert [len(by[name]) for name in guidance.SECTIONS] == [1, 0, 0, 0, 0, 0]
        assert "stand between" in by["price"][0].message

    @pytest.mark.parametrize(("own", "words"), [("28300", "in the middle"), ("28000", "below"), ("29000", "above")])
    def test_price_position(self, observed, own, words):
        observed.see(observed.own(), {PRICE: own}, "2026-03-09")
        assert words in sections(observed.make())["price"][0].message

    def test_follows_the_choices(self, observed):
        by = sections(observed.make(guidance.Choices(None, {DISCOUNT: -1})))
        assert not by["price"]
        assert not by["weaknesses"]
        assert [s.values["feature"] for s in by["strengths"]] == ["优惠幅度（%）"]


class TestPublishing:
    def test_makes_an_article_in_each_language(self, observed):
        english, chinese = observed.publish()
        assert (english.language, english.version, english.is_new) == ("en", 1, True)
        assert (chinese.language, chinese.version, chinese.is_new) == ("zh", 1, True)
        (first, second) = observed.versions()
        assert first[0] == "Guidance for sales: 滨江*壹号*"
        assert second[0] != first[0]
        rests = json.loads(first[3])
        assert (rests["kind"], rests["project_id"], rests["language"]) == ("competition_guidance", 1, "en")
        made = observed.make()
        assert rests["observations"] == sorted({seen.id for s in made.statements for seen in s.cites})
        assert all(statement["observations"] for statement in rests["statements"])
        with reading(observed.crm, observed.seller, clock) as work:
            assert [a.version for a in guidance.articles(work, 1)] == [1, 1]
            assert guidance.articles(work, 2) == []

    def test_makes_no_version_of_the_same(self, observed):
        observed.publish()
        later = lambda: NOW + dt.timedelta(days=2)  # noqa: E731
        assert [article.is_new for article in observed.publish(later)] == [False, False]
        assert len(observed.versions()) == 2

    def test_makes_a_version_of_what_changed_and_tells_it_from_the_last(self, observed):
        observed.publish()
        observed.see(12, {PRICE: "29000", NOTE: "No 5"}, "2026-03-10")
        assert [article.version for article in observed.publish()] == [2, 2]
        by = sections(observed.make())  # published already, and still told from the version before
        told = [(s.values["estate"], s.values["feature"]) for s in by["changes"]]
        assert told == [("Beta <b>", "均价（元/㎡）"), ("Beta <b>", "School")]
        assert [article.is_new for article in observed.publish()] == [False, False]
        assert len(observed.versions()) == 4

    def test_what_becomes_stale_is_a_change(self, observed):
        observed.publish()
        later = lambda: NOW + dt.timedelta(days=120)  # noqa: E731
        assert [article.version for article in observed.publish(later)] == [2, 2]

    def test_keeps_the_choices(self, observed):
        chosen = guidance.Choices(PRICE, {DISCOUNT: -1})
        observed.publish(chosen=chosen)
        assert observed.make().choices == chosen

    def test_goes_on_where_the_article_was_changed_by_hand(self, observed):
        article = observed.publish()[0].article_id
        with Session(observed.crm) as session:
            session.add(ArticleVersion(article_id=article, version=2, body="by hand"))
            session.commit()
        assert [a.version for a in observed.publish()] == [3, 1]

    def test_starts_anew_where_the_article_was_deleted(self, observed):
        first = observed.publish()[0].article_id
        with Session(observed.crm) as session:
            session.get(Article, first).deleted_at = NOW
            session.commit()
        english, chinese = observed.publish()
        assert english.article_id != first
        assert (english.version, chinese.version) == (1, 1)

    def test_is_not_for_everybody(self, observed):
        for who in (observed.seller, hire(observed.crm, "chief", "executive")):
            with pytest.raises(Forbidden), writing(observed.crm, who, clock) as work:
                guidance.publish(work, 1)
        assert observed.versions() == []


@given(st.text(max_size=60) | st.text(alphabet=string.punctuation + "a\n ", max_size=40))
@settings(max_examples=500, deadline=None)
def test_names_stay_themselves_in_markdown(name):
    html = MarkdownIt("commonmark").render(f"- {guidance.safe(name)} x")
    assert not re.search(r"<(?!/?(ul|li)>)", html)
    assert TODAY
