"""The agreed words that forms offer, one list for each field that takes a term of a list."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sample_data import leads, payments
from sample_data import vocabulary as v
from sample_data.demands import CHANNELS
from sample_data.master_data import SEVERITIES
from sample_data.world import World

TASK_KINDS = (*(kind for kind, _ in v.TASK_TITLES), "care", "demand")
PAYMENT_KINDS = tuple(dict.fromkeys(("deposit", *(kind for kinds in payments.KINDS for kind in kinds), "refund")))
PURPOSES = v.CUSTOMER_FEATURES[0][3]

# Field → its terms in order: words in two languages, or codes that are the same in both.
TERMS: dict[str, Sequence[v.Word | str]] = {
    "article.category": tuple(dict.fromkeys(category for category, _, _ in v.ARTICLES)),
    "competitor.class": v.COMPETITOR_CLASSES,
    "competitor_project.district": v.DISTRICTS,
    "competitor_project.level": v.COMPETITOR_LEVELS,
    "customer.education": v.EDUCATIONS,
    "customer.income_band": v.INCOME_BANDS,
    "customer.occupation": (*v.OCCUPATIONS, v.RETIRED),
    "customer.personality": v.PERSONALITIES,
    "demand.channel": tuple(channel for channel, _ in CHANNELS if channel),
    "demand.severity": SEVERITIES,
    "lead.intended_layout": v.LAYOUTS,
    "lead.intent_level": leads.INTENT_LEVELS,
    "lead.purpose": PURPOSES,
    "payment.kind": PAYMENT_KINDS,
    "project.district": v.DISTRICTS,
    "project.type": (v.RESIDENTIAL, v.MIXED),
    "sla_policy.severity": SEVERITIES,
    "task.kind": TASK_KINDS,
    "touchpoint.kind": tuple(dict.fromkeys(leads.TOUCH_KINDS.values())),
    "unit.layout": v.LAYOUTS,
}


def add_terms(world: World) -> None:
    """Make the terms of all fields."""
    entered = world.clock.start.astype("datetime64[s]") - np.timedelta64(300, "D")
    for field, terms in TERMS.items():
        world.batch.add(
            "vocabulary_term",
            entered,
            field=[field] * len(terms),
            value=[term if isinstance(term, str) else world.words(term) for term in terms],
            sequence=np.arange(1, len(terms) + 1),
        )
