"""The guidance for sales: a document made of observations, in English and Chinese, each statement with its evidence.

For an own estate it says where its price stands, what it has over its competitors and they over it, what changed since
the last guidance, and what to say. A statement is computed from the newest observations and cites them; where there is
nothing to rest on, nothing is said. What rests on old observations says so.

It is published into the knowledge base as one article per language (a reader wants one language, and so does the
search), each with a new version only when its text has changed. Dates stand in the text instead of ages, and the day of
making does not, so that the text changes only when the facts do. What a version rests on stands in ``generated_from``.
"""

from __future__ import annotations

import datetime as dt
import json
import string
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

import sqlalchemy as sa

from data_entry.schema.estate import Project
from data_entry.schema.office import Article, ArticleVersion
from data_entry.services.competition import STALE_DAYS, Comparison, Seen, compare
from data_entry.services.errors import Refused
from data_entry.services.work import Work
from loupan.formats import Formats
from loupan.i18n import LANGUAGES, Translator, marked, translator
from loupan.settings import get_settings

KIND = "competition_guidance"
CATEGORY = marked("Competition guidance")
TITLE = marked("Guidance for sales: {project}")
SECTIONS = {
    "price": marked("Price position"),
    "strengths": marked("Our strengths"),
    "weaknesses": marked("Where others are ahead"),
    "changes": marked("What has changed"),
    "say": marked("What to say"),
    "renew": marked("To be observed anew"),
}
# Words in a feature's name from which is guessed, at first, which way is better for who buys.
_PRICE_WORDS = ("均价", "单价", "售价", "价格", "price")
_LOWER_WORDS = ("费", "首付", "容积率", "距离", "fee", "distance", "plot ratio")
_HIGHER_WORDS = ("优惠", "折扣", "绿化", "得房", "成交", "discount", "green", "sales", "sold", "efficiency", "warranty")
# How far from the middle of the market a price counts as in the middle.
_MIDDLE = Decimal("0.01")
_MOST_SAID = 3


@dataclass(frozen=True)
class Choices:
    """What the guidance cannot know from observations.

    Attributes:
        price: feature that is the price, None where there is none.
        better: by feature, 1 where more is better for who buys, -1 where less is; others are not judged.
    """

    price: int | None = None
    better: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """A sentence of the guidance.

    Attributes:
        section: a key of `SECTIONS`.
        message: English template, marked for the catalogue.
        values: fill it: `Seen` as its value, a sequence of them as a list of estates with their values, a Decimal as a
            percentage, a date as a date, a `Name` as itself.
        cites: the observations it rests on.
    """

    section: str
    message: str
    values: Mapping[str, Any]
    cites: tuple[Seen, ...]


class Name(str):
    """A name typed by people."""


@dataclass(frozen=True)
class Guidance:
    """All that is to be said about an own estate and its competitors.

    Attributes:
        latest: keys of the newest observations of every estate and feature, said about or not.
        baseline: keys of the observations that the last guidance knew, which the changes are told from; None where
            there was none.
    """

    project_id: int
    project: str
    statements: list[Statement]
    choices: Choices
    latest: frozenset[int]
    baseline: frozenset[int] | None


@dataclass(frozen=True)
class Published:
    """An article of the guidance: its newest version, and whether it was made just now."""

    language: str
    article_id: int
    version: int
    is_new: bool


def default_choices(comparison: Comparison) -> Choices:
    """Guess from the features' names which is the price, and which way is better; yes is better than no."""
    price = None
    better: dict[int, int] = {}
    for feature in comparison.features:
        name = feature.name.lower()
        if feature.data_type == "boolean":
            better[feature.id] = 1
        elif feature.data_type == "number":
            if any(word in name for word in _HIGHER_WORDS):
                better[feature.id] = 1
            elif any(word in name for word in _PRICE_WORDS):
                better[feature.id] = -1
                price = price or feature.id
            elif any(word in name for word in _LOWER_WORDS):
                better[feature.id] = -1
    return Choices(price, better)


def choices(work: Work, comparison: Comparison) -> Choices:
    """Return the choices of the last guidance about an estate, or what is guessed before the first."""
    last = _last(work, comparison.project_id)
    if last is None:
        return default_choices(comparison)
    said = last["choices"]
    return Choices(said["price"], {int(key): way for key, way in said["better"].items()})


def make(work: Work, project_id: int, chosen: Choices | None = None) -> Guidance:
    """Compute the guidance for an own estate.

    Args:
        work: the transaction.
        project_id: key of the estate.
        chosen: None for those of the last guidance.

    Raises:
        NotFound, Forbidden: if the actor may not see the estate, or not read observations.
    """
    comparison = compare(work, project_id)
    chosen = chosen or choices(work, comparison)
    last = _last(work, project_id)
    latest = frozenset(seen.id for seen in comparison.newest.values())
    baseline = None
    if last is not None:
        # Nothing new since: what is told is still what was new then, or the text would change by being published.
        is_same = frozenset(last["latest"]) == latest
        known = last["baseline"] if is_same else last["latest"]
        baseline = None if known is None else frozenset(known)
    statements = [
        *_price(comparison, chosen),
        *(strengths := _judged(comparison, chosen, 1)),
        *(weaknesses := _judged(comparison, chosen, -1)),
        *(changes := _changes(comparison, baseline)),
        *_say(comparison, chosen, strengths, weaknesses, changes),
        *_renew(comparison),
    ]
    return Guidance(comparison.project_id, comparison.project, statements, chosen, latest, baseline)


def _price(comparison: Comparison, chosen: Choices) -> list[Statement]:
    if chosen.price is None:
        return []
    own = comparison.of_own(chosen.price)
    rivals = sorted(
        (seen for seen in comparison.of_rivals(chosen.price) if seen.number is not None), key=lambda s: s.number or 0
    )
    if not rivals:
        return []
    values: dict[str, Any] = {"feature": Name(rivals[0].feature), "low": rivals[0], "high": rivals[-1]}
    values["count"] = len(rivals)
    if own is None or not own.number:
        return [
            Statement(
                "price", marked("{feature}: {count} competing estates stand between {low} and {high}."), values,
                tuple(rivals),
            )
        ]  # fmt: skip
    gap = _gap(comparison, chosen.price)
    if gap is None:
        return []
    message = marked("{feature}: ours is {own}, in the middle of {count} competing estates ({low} to {high}).")
    if gap > _MIDDLE:
        message = marked(
            "{feature}: ours is {own}, {gap} above the middle of {count} competing estates ({low} to {high})."
        )
    elif gap < -_MIDDLE:
        message = marked(
            "{feature}: ours is {own}, {gap} below the middle of {count} competing estates ({low} to {high})."
        )
    statements = [Statement("price", message, {**values, "own": own, "gap": abs(gap)}, (own, *rivals))]
    dearer = [seen for seen in rivals if seen.number is not None and seen.number > own.number]
    cheaper = [seen for seen in rivals if seen.number is not None and seen.number < own.number]
    if cheaper:
        statements.append(Statement("price", marked("Cheaper: {rivals}."), {"rivals": cheaper}, tuple(cheaper)))
    if dearer:
        statements.append(Statement("price", marked("Dearer: {rivals}."), {"rivals": dearer}, tuple(dearer)))
    return statements


def _gap(comparison: Comparison, feature_id: int) -> Decimal | None:
    """Return how far our own number is above the competitors' middle, as a share of it."""
    own, middle = comparison.of_own(feature_id), comparison.middle(feature_id)
    if own is None or own.number is None or not middle:
        return None
    return (own.number - middle) / middle


def _judged(comparison: Comparison, chosen: Choices, way: int) -> list[Statement]:
    """Return where our own value is better (way 1) or worse (way -1) than some competitors'; the price stands apart."""
    statements = []
    for feature in comparison.features:
        own, direction = comparison.of_own(feature.id), chosen.better.get(feature.id, 0)
        if feature.id == chosen.price or own is None or own.number is None or not direction:
            continue
        beaten = [
            seen
            for seen in comparison.of_rivals(feature.id)
            if seen.number is not None and (own.number - seen.number) * direction * way > 0
        ]
        if not beaten:
            continue
        beaten.sort(key=lambda seen: ((seen.number or 0) * direction * way, seen.estate))
        section = "strengths" if way > 0 else "weaknesses"
        if feature.data_type == "boolean":
            has = own.number > 0
            message = (
                marked("{feature}: we have it, these do not: {rivals}.")
                if has
                else marked("{feature}: we do not have it, these do: {rivals}.")
            )
            if direction < 0:
                message = marked("{feature}: ours is {own}, others' is {rivals}.")
        elif way > 0:
            message = marked("{feature}: ours is {own}, better than {rivals}.")
        else:
            message = marked("{feature}: ours is {own}, behind {rivals}.")
        values = {"feature": Name(feature.name), "own": own, "rivals": beaten}
        statements.append(Statement(section, message, values, (own, *beaten)))
    return statements


def _changes(comparison: Comparison, baseline: frozenset[int] | None) -> list[Statement]:
    statements = []
    for estate in comparison.rivals:
        for feature in comparison.features:
            new = comparison.newest.get((estate.id, feature.id))
            if new is None:
                continue
            old = new.before
            if baseline is not None:
                known = [seen for seen in comparison.series[estate.id, feature.id] if seen.id in baseline]
                old = known[-1] if known else None
                if old is None and new.id not in baseline:
                    message = marked("{estate}: {feature} is now known: {new}.")
                    values: dict[str, Any] = {"estate": Name(estate.name), "feature": Name(feature.name), "new": new}
                    statements.append(Statement("changes", message, values, (new,)))
                    continue
            if old is None or _same(old, new):
                continue
            values = {
                "estate": Name(estate.name), "feature": Name(feature.name), "old": old, "old_day": old.observed_on,
                "new": new, "new_day": new.observed_on,
            }  # fmt: skip
            message = marked("{estate}: {feature} went from {old} ({old_day}) to {new} ({new_day}).")
            if new.data_type == "number" and new.number is not None and old.number:
                change = (new.number - old.number) / abs(old.number)
                values["change"] = abs(change)
                message = (
                    marked("{estate}: {feature} rose by {change}, from {old} ({old_day}) to {new} ({new_day}).")
                    if change > 0
                    else marked("{estate}: {feature} fell by {change}, from {old} ({old_day}) to {new} ({new_day}).")
                )
            statements.append(Statement("changes", message, values, (old, new)))
    return statements


def _same(one: Seen, other: Seen) -> bool:
    return one.number == other.number if one.number is not None else one.value == other.value


def _say(
    comparison: Comparison,
    chosen: Choices,
    strengths: Sequence[Statement],
    weaknesses: Sequence[Statement],
    changes: Sequence[Statement],
) -> list[Statement]:
    statements = []
    if chosen.price is not None:
        own, gap = comparison.of_own(chosen.price), _gap(comparison, chosen.price)
        rivals = tuple(seen for seen in comparison.of_rivals(chosen.price) if seen.number is not None)
        if own is not None and gap is not None:
            values: dict[str, Any] = {"own": own, "gap": abs(gap)}
            cites: tuple[Seen, ...] = (own, *rivals)
            message = marked("On price: we are where the market is ({own}). Lead with what the buyer gets for it.")
            if gap < -_MIDDLE:
                message = marked("On price: name {own}, and that it is {gap} below the middle of the market.")
            elif gap > _MIDDLE and strengths:
                best = strengths[0]
                values["feature"] = best.values["feature"]
                cites = (*cites, *best.cites)
                message = marked("On price: we are {gap} above the middle. Do not open with it: first show {feature}.")
            elif gap > _MIDDLE:
                message = marked("On price: we are {gap} above the middle. Say what it includes before it is asked.")
            statements.append(Statement("say", message, values, cites))
    for strength in strengths[:_MOST_SAID]:
        message = marked("Say of {feature}: ours is {own}; compare with {rivals}.")
        statements.append(Statement("say", message, strength.values, strength.cites))
    for weakness in weaknesses[:_MOST_SAID]:
        message = marked(
            "When asked about {feature}: admit that ours is {own} and theirs {rivals}; do not argue it away."
        )
        statements.append(Statement("say", message, weakness.values, weakness.cites))
    for change in changes:
        new = change.cites[-1]
        if new.feature_id == chosen.price and "change" in change.values:
            fell = new.number is not None and (change.cites[0].number or 0) > new.number
            message = (
                marked("{estate} has become cheaper: expect to be asked, and give {new} as of {new_day}.")
                if fell
                else marked("{estate} has become dearer: {new} as of {new_day}.")
            )
            statements.append(Statement("say", message, change.values, change.cites))
    return statements


def _renew(comparison: Comparison) -> list[Statement]:
    statements = []
    for estate in comparison.estates:
        old = [
            seen
            for feature in comparison.features
            if (seen := comparison.newest.get((estate.id, feature.id))) is not None and seen.is_stale
        ]
        if old:
            message = marked("{estate}: last seen on {day}: {features}.")
            values = {
                "estate": Name(estate.name), "day": min(seen.observed_on for seen in old),
                "features": tuple(Name(seen.feature) for seen in old),
            }  # fmt: skip
            statements.append(Statement("renew", message, values, tuple(old)))
    return statements


def render(guidance: Guidance, language: str) -> str:
    """Write a guidance as Markdown in a language of `loupan.i18n.LANGUAGES`; what people typed is escaped in it."""
    t, formats = translator(language), Formats(language, get_settings().currency)
    numbers: dict[int, int] = {}
    cited: list[Seen] = []
    lines = [f"# {t(TITLE, project=safe(guidance.project))}", ""]
    if not guidance.statements:
        return "\n".join([*lines, t(marked("Nothing has been observed yet, so there is nothing to say.")), ""])
    for section, title in SECTIONS.items():
        own = [statement for statement in guidance.statements if statement.section == section]
        if not own:
            continue
        lines += [f"## {t(title)}", ""]
        for statement in own:
            for seen in statement.cites:
                if seen.id not in numbers:
                    numbers[seen.id] = len(numbers) + 1
                    cited.append(seen)
            marks = "".join(f"\\[{numbers[key]}\\]" for key in dict.fromkeys(seen.id for seen in statement.cites))
            text = t(statement.message, **{n: _shown(t, formats, v) for n, v in statement.values.items()})
            stale = ""
            if section != "renew" and any(seen.is_stale for seen in statement.cites):
                stale = f" ⚠ {t(marked('Rests on something seen more than {days} days ago.'), days=STALE_DAYS)}"
            lines.append(f"- {text} {marks}{stale}")
        lines.append("")
    lines += [f"## {t(marked('What this rests on'))}", ""]
    for seen in cited:
        lines.append(f"- \\[{numbers[seen.id]}\\] {_source(t, formats, seen)}")
    return "\n".join([*lines, ""])


def _shown(t: Translator, formats: Formats, value: Any) -> str:
    if isinstance(value, Seen):
        return value_text(t, formats, value)
    if isinstance(value, Name):
        return safe(value)
    if isinstance(value, (list, tuple)):
        return t(marked(", ")).join(_item(t, formats, item) for item in value)
    if isinstance(value, Decimal):
        return formats.value(float(value), "percent")
    if isinstance(value, dt.date):
        return formats.day(value)
    return str(value)


def _item(t: Translator, formats: Formats, item: Seen | Name) -> str:
    if isinstance(item, Name):
        return safe(item)
    return t(marked("{estate} ({value})"), estate=safe(item.estate), value=value_text(t, formats, item))


def value_text(t: Translator, formats: Formats, seen: Seen) -> str:
    """Write an observed value for a reader, safe in Markdown."""
    if seen.data_type == "boolean" and seen.number is not None:
        return t(marked("yes")) if seen.number else t(marked("no"))
    if seen.data_type == "number" and seen.number is not None:
        return f"{seen.number:,f}".replace("-", "−")
    if seen.data_type == "date":
        try:
            return formats.day(dt.date.fromisoformat(seen.value))
        except ValueError:
            return safe(seen.value)
    return safe(seen.value)


def _source(t: Translator, formats: Formats, seen: Seen) -> str:
    parts = [
        formats.day(seen.observed_on),
        safe(seen.estate),
        t(marked("{feature}: {value}"), feature=safe(seen.feature), value=value_text(t, formats, seen)),
        safe(seen.author) if seen.author else t(marked("author unknown")),
        link(seen.source_url) if seen.source_url else t(marked("seen in person")),
        t(marked("observation {number}"), number=seen.id),
    ]
    return " · ".join(parts)


def safe(text: str) -> str:
    """Escape text for Markdown: it stands there as itself, on one line, and turns nothing into a link or a heading."""
    kept = " ".join("".join(" " if unicodedata.category(c)[0] == "C" else c for c in text).split())
    return "".join(f"\\{c}" if c in string.punctuation else c for c in kept)


def link(address: str) -> str:
    """Write a web address as a link that shows its host."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return safe(address)
    return f"[{safe(parts.hostname)}]({quote(address, safe='/:?#@&=+,;%-._~')})"


def publish(work: Work, project_id: int, chosen: Choices | None = None) -> list[Published]:
    """Publish the guidance for an own estate into the knowledge base, in every language, and return its articles.

    An article whose text is the same gets no new version.

    Raises:
        Refused: if there is nothing to say.
        Forbidden: if the actor may not write the knowledge base.
    """
    for resource in ("article", "article_version"):
        work.require("create", resource)
    work.get(Project, project_id, lock=True)  # two people at once make one version
    guidance = make(work, project_id, chosen)
    if not guidance.statements:
        raise Refused(marked("Nothing has been observed yet, so there is nothing to publish."))
    return [_publish(work, guidance, language) for language in LANGUAGES]


def _publish(work: Work, guidance: Guidance, language: str) -> Published:
    t, body = translator(language), render(guidance, language)
    title = t(TITLE, project=guidance.project)[:300]
    version = _version(work, guidance.project_id, language)
    if version is None:
        article = work.add(Article(category=t(CATEGORY), title=title))
    else:
        article = work.get(Article, version.article_id, "update", lock=True)
        if article.title != title:
            article.title = title
    newest = work.session.scalar(
        sa.select(ArticleVersion)
        .where(ArticleVersion.article_id == article.id, ArticleVersion.deleted_at.is_(None))
        .order_by(ArticleVersion.version.desc())
        .limit(1)
    )
    if newest is not None and newest.body == body:
        return Published(language, article.id, newest.version, False)
    highest = work.session.scalar(
        sa.select(sa.func.max(ArticleVersion.version)).where(ArticleVersion.article_id == article.id)
    )
    row = work.add(
        ArticleVersion(
            article_id=article.id, version=(highest or 0) + 1, body=body,
            generated_from=json.dumps(provenance(work, guidance, language), ensure_ascii=False),
        )
    )  # fmt: skip
    return Published(language, article.id, row.version, True)


def provenance(work: Work, guidance: Guidance, language: str) -> dict[str, Any]:
    """Return what a version rests on, as kept in ``generated_from``; `_version` finds it by the first three."""
    return {
        "kind": KIND,
        "project_id": guidance.project_id,
        "language": language,
        "made_at": work.now.isoformat(),
        "observations": sorted({seen.id for statement in guidance.statements for seen in statement.cites}),
        "statements": [
            {
                "section": statement.section,
                "message": statement.message,
                "observations": [s.id for s in statement.cites],
            }
            for statement in guidance.statements
        ],
        "latest": sorted(guidance.latest),
        "baseline": None if guidance.baseline is None else sorted(guidance.baseline),
        "choices": {"price": guidance.choices.price, "better": {str(k): v for k, v in guidance.choices.better.items()}},
        "stale_days": STALE_DAYS,
    }


def _version(work: Work, project_id: int, language: str) -> ArticleVersion | None:
    """Return the newest generated version about an estate in a language, whose article is not deleted."""
    start = json.dumps({"kind": KIND, "project_id": project_id, "language": language})[:-1]
    return work.session.scalar(
        sa.select(ArticleVersion)
        .join(Article, Article.id == ArticleVersion.article_id)
        .where(
            ArticleVersion.generated_from.startswith(start, autoescape=True), ArticleVersion.deleted_at.is_(None),
            Article.deleted_at.is_(None),
        )
        .order_by(ArticleVersion.id.desc())
        .limit(1)
    )  # fmt: skip


def _last(work: Work, project_id: int) -> dict[str, Any] | None:
    """Return the provenance of the last guidance about an estate."""
    versions = [_version(work, project_id, language) for language in LANGUAGES]
    newest = max((version for version in versions if version is not None), key=lambda v: v.id, default=None)
    return json.loads(newest.generated_from or "{}") if newest is not None else None


def articles(work: Work, project_id: int) -> list[Published]:
    """Return the articles of the guidance about an estate that the actor may read, one per language."""
    if not (work.actor.may("read", "article") and work.actor.may("read", "article_version")):
        return []
    found = ((language, _version(work, project_id, language)) for language in LANGUAGES)
    return [Published(language, row.article_id, row.version, False) for language, row in found if row is not None]
