"""What the customers of open leads look for, and what their consultants mean to do next."""

from __future__ import annotations

import numpy as np

from sample_data import vocabulary as v
from sample_data.agreed_words import PURPOSES
from sample_data.company import Company
from sample_data.estate import AREAS_SQM
from sample_data.rows import NO_DAY, NONE, ONE_DAY, Array, text_where, where_known

# A lead without a deal is followed up for so long; then it has gone quiet, with no next step.
FOLLOWED_UP_DAYS = 120
WITH_NEXT_STEP_SHARE, ASKED_SHARE = 0.8, 0.6


def add_intentions(company: Company) -> None:
    """Fill in layout, area, budget and purpose of some leads, and the next step of those that are open."""
    rng = company.random("intention")
    words, clock = company.world.words, company.world.clock
    rows = company.batch.rows("lead")
    count = len(rows["id"])
    if not count:
        return
    asked = rng.random(count) < ASKED_SHARE
    layout = rng.integers(0, len(v.LAYOUTS), count)
    rows["intended_layout"] = text_where(asked, words.all(v.LAYOUTS)[layout])
    rows["intended_area_sqm"] = where_known(asked, np.round(AREAS_SQM[layout] / 5).astype(np.int64) * 500)
    rows["budget"] = where_known(
        asked & (rng.random(count) < 0.7), rng.integers(16, 60, count) * 10_000_000  # 100,000 yuan, in cents
    )  # fmt: skip
    rows["purpose"] = text_where(rng.random(count) < ASKED_SHARE, words.all(PURPOSES)[rng.integers(0, 4, count)])

    planned = _is_open(company, rows["id"]) & (rng.random(count) < WITH_NEXT_STEP_SHARE)
    planned &= rows["opened_at"] > clock.now - np.timedelta64(FOLLOWED_UP_DAYS * ONE_DAY, "s")
    steps = words.all(v.NEXT_STEPS)
    rows["next_step"] = text_where(planned, steps[rng.integers(0, len(steps), count)])
    rows["next_step_on"] = np.where(planned, clock.today + rng.integers(-3, 11, count), NO_DAY)


def _is_open(company: Company, ids: Array) -> Array:
    """Say which leads have neither a deal nor a loss that was not taken back."""
    deals, events = company.batch.rows("deal"), company.batch.rows("lead_event")
    closed = np.array([], dtype=np.int64)
    if events:
        some = np.isin(events["kind"], ["lost", "reopened"])
        order = np.lexsort((events["occurred_at"][some], events["lead_id"][some]))
        lead, kind = events["lead_id"][some][order], events["kind"][some][order]
        last = np.append(lead[1:] != lead[:-1], True) if len(lead) else np.array([], dtype=bool)
        closed = lead[last & (kind == "lost")]
    with_deal = deals["lead_id"][deals["lead_id"] != NONE] if deals else closed
    return ~np.isin(ids, closed) & ~np.isin(ids, with_deal)
