"""The card of a model: what it is for, what it rests on, and when not to trust it (Mitchell et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """What a model looks at.

    Attributes:
        name: in words.
        reason: why it may be used, and as of when it is known.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Card:
    """What a reader must know before acting on a model; all texts in English, translated where they are shown.

    Attributes:
        title: what it is called.
        purpose: the decision it helps with, and for whom.
        action: what to do with a result.
        data: the rows it learns from.
        features: what it looks at, as known at the moment of prediction.
        excluded: what it must not look at, and why.
        baseline: the simple rule it is measured against.
        fails: where it is known to be wrong.
        abstains: when it gives no result.
        method: the technique and its source.
    """

    title: str
    purpose: str
    action: str
    data: str
    baseline: str
    fails: str
    abstains: str
    method: str
    features: tuple[Feature, ...] = ()
    excluded: str = ""
