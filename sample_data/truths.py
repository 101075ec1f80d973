"""The planted truths: the model behind the sample company, so that statistics can be checked against it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODEL = {
    "conversion": (
        "P(a collapsed lead ever signs a contract) = 1 / (1 + exp(-eta)), eta = intercept + source + project + "
        "staff of "
        "the owner at entry + intent level + customer class + assist of each market type met by a touchpoint before "
        "the lead. All terms are log-odds. The lead is the earliest of a surviving customer in a project. intent_level "
        "is empty at random in some leads, the effect is that of the true level."
    ),
    "timing": (
        "Stages follow with lognormal lags (median days and sigma under lags). A contract later than as_of has not "
        "happened yet: the rate to date understates the eventual rate of recent leads."
    ),
    "supply": "A lead that finds no free unit with a pre-sale permit when it books signs nothing "
    "(supply_limited counts these).",
    "cancellation": "Each signed deal is cancelled with probability cancel_probability, whatever its source, "
    "staff or project.",
    "case_mix": (
        "The two employees of simpson_pair work in one project. The first is better by the log-odds given, but "
        "is handed "
        "mostly leads of hard sources; the second mostly leads of easy ones. Crude conversion ranks the second first, "
        "within sources the first. Their signings are drawn by systematic sampling, so that the reversal does not "
        "hang on luck; it is to be expected from scale 1 on."
    ),
    "complaints": (
        "The rate of sales-phase complaints about a lead, per day it is looked after, is proportional to "
        "exp(staff_complaint of its owner at entry) "
        "times the multiplier of the project in the month. The multiplier is 1, except in the worsening "
        "project, where it "
        "grows in equal steps over the last twelve months to final_multiplier, in both phases."
    ),
    "handling": (
        "Time to first reply is lognormal with median = median_share x reply deadline x exp(staff_reply of the "
        "handler). "
        "Satisfaction at follow-up falls with late replies, complaints and reopening, and rises with "
        "staff_satisfaction."
    ),
}


@dataclass
class Truths:
    """Parameters of the model, filled in while the company is made. Keys of effects are names, or staff numbers."""

    parameters: dict[str, Any] = field(default_factory=dict)
    effects: dict[str, dict[str, float]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add_effects(self, name: str, keys: Any, values: Any) -> None:
        """Record the effect of each key under ``name``."""
        self.effects.setdefault(name, {}).update(
            {str(key): round(float(value), 6) for key, value in zip(keys, values, strict=True)}
        )

    def count(self, name: str, number: int) -> None:
        """Add ``number`` to a count."""
        self.counts[name] = self.counts.get(name, 0) + int(number)

    def write(self, path: Path, **made_with: Any) -> None:
        """Write everything to ``path`` as JSON, with what the company was made with."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "made_with": made_with,
            "model": MODEL,
            "parameters": self.parameters,
            "effects": self.effects,
            "counts": self.counts,
        }
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
