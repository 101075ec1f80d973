"""The lists that the whole company shares: sources, classes, features, categories, reasons, policies, fees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sample_data import vocabulary as v
from sample_data.organisation import Group
from sample_data.rows import NONE, Array
from sample_data.world import World

SEVERITIES = ("low", "normal", "high", "urgent")
# Minutes to reply and to resolve by severity: company-wide, and for complaints.
REPLY_MINUTES = {"low": 2880, "normal": 1440, "high": 480, "urgent": 120}
COMPLAINT_REPLY_MINUTES = {"low": 1440, "normal": 480, "high": 240, "urgent": 60}
# True effects of the leaf sources on conversion, in log-odds, and how many leads they bring, in the order of v.SOURCES.
SOURCE_EFFECTS = (
    0.10,
    0.00,
    -0.75,
    -0.30,
    -0.50,
    -0.60,
    -0.35,
    -0.40,
    -0.10,
    -0.15,
    0.35,
    0.10,
    0.80,
    0.60,
    0.50,
    0.25,
    -0.30,
)
SOURCE_SHARES = (6, 9, 15, 8, 2, 1.5, 6, 4, 5, 5, 13, 6, 6, 1.5, 7, 4, 1)
MONTHS_OF_A_BILL = 3
HARD_MARKETS = ("online", "media", "outdoor")


@dataclass
class Sources:
    """The leaf sources: keys, names, market types, true effects and shares, all of one length."""

    ids: Array
    names: Array
    market: Array
    effect: Array
    share: Array

    @property
    def is_hard(self) -> Array:
        """Say which sources bring leads that seldom sign."""
        return np.isin(self.market, HARD_MARKETS)


@dataclass
class DemandCategories:
    """All demand categories: keys, kinds, depth (0 = top), and index of the parent (-1 at the top)."""

    ids: Array
    kind: Array
    depth: Array
    parent: Array
    names: list[v.Word]

    def index_of(self, word: v.Word) -> int:
        """Return the index of the category with this name."""
        return self.names.index(word)


@dataclass
class SlaPolicies:
    """Reply minutes by version (two), kind of category (0 any, 1 complaint) and severity."""

    second_from: np.datetime64
    minutes: Array


@dataclass
class MasterData:
    """Keys of everything that the whole company shares."""

    sources: Sources
    class_ids: Array
    company_class_ids: Array
    class_effect: Array
    feature_ids: dict[v.Word, int]
    categories: DemandCategories
    sla: SlaPolicies
    loss_reason_ids: Array
    cancel_reason_ids: Array
    lost_to_competitor_id: int
    plan_class_ids: Array
    activity_class_ids: Array
    expense_category_ids: Array
    care_rule_ids: Array
    fee_type_ids: Array
    report_class_ids: Array
    approval_step_ids: list[Array]


# True effects of the individual customer classes, and of companies, on conversion.
CLASS_EFFECTS = (0.10, 0.25, -0.20, 0.05)


def make_master_data(world: World, group: Group) -> MasterData:
    """Make all shared lists and return their keys."""
    entered = world.clock.start.astype("datetime64[s]") - np.timedelta64(300, "D")
    make = _Maker(world, entered)
    class_ids, company_class_ids = make.customer_classes()
    loss, cancel, competitor = make.reasons()
    categories = make.demand_categories()
    report_class_ids, steps = make.report_classes(group)
    make.service_items()
    return MasterData(
        sources=make.sources(),
        class_ids=class_ids,
        company_class_ids=company_class_ids,
        class_effect=np.array(CLASS_EFFECTS),
        feature_ids=make.features(int(company_class_ids[0])),
        categories=categories,
        sla=make.sla_policies(categories),
        loss_reason_ids=loss,
        cancel_reason_ids=cancel,
        lost_to_competitor_id=competitor,
        plan_class_ids=make.names("plan_class", v.PLAN_CLASSES),
        activity_class_ids=make.names("activity_class", v.ACTIVITY_CLASSES),
        expense_category_ids=make.expense_categories(),
        care_rule_ids=make.care_rules(),
        fee_type_ids=make.fee_types(),
        report_class_ids=report_class_ids,
        approval_step_ids=steps,
    )


class _Maker:
    def __init__(self, world: World, entered: np.datetime64) -> None:
        self.world, self.batch, self.words, self.entered = world, world.batch, world.words, entered

    def add(self, table: str, **columns: Any) -> Array:
        return self.batch.add(table, self.entered, **columns)

    def names(self, table: str, words: Iterable[v.Word]) -> Array:
        return self.add(table, name=self.words.all(words))

    def sources(self) -> Sources:
        ids: list[int] = []
        names: list[str] = []
        markets: list[str] = []
        for market, root, leaves in v.SOURCES:
            root_id = int(self.add("source", name=[self.words(root)], market_type=[market])[0])
            if leaves:
                keys = self.add(
                    "source", parent_id=[root_id] * len(leaves), name=self.words.all(leaves), market_type=market
                )
            ids += keys.tolist() if leaves else [root_id]
            names += [self.words(leaf) for leaf in leaves] or [self.words(root)]
            markets += [market] * max(1, len(leaves))
        share = np.array(SOURCE_SHARES) / sum(SOURCE_SHARES)
        self.world.truths.add_effects("source", names, SOURCE_EFFECTS)
        return Sources(
            np.array(ids), np.array(names, object), np.array(markets, object), np.array(SOURCE_EFFECTS), share
        )

    def customer_classes(self) -> tuple[Array, Array]:
        people, companies = self.names("customer_class", (v.INDIVIDUAL_CUSTOMERS, v.COMPANY_CUSTOMERS)).tolist()
        classes = self.words.all(v.INDIVIDUAL_CLASSES)
        self.world.truths.add_effects("customer_class", classes, CLASS_EFFECTS)
        return (
            self.add("customer_class", parent_id=[people] * len(classes), name=classes),
            self.add(
                "customer_class", parent_id=[companies] * len(v.COMPANY_CLASSES), name=self.words.all(v.COMPANY_CLASSES)
            ),
        )

    def features(self, group_purchase_class: int) -> dict[v.Word, int]:
        rows: list[tuple[v.Word, str, str, bool, Sequence[v.Word]]] = [
            (name, "customer", kind, multi, answers) for name, kind, multi, answers in v.CUSTOMER_FEATURES
        ]
        rows += [(name, "plan", "choice", False, answers) for name, answers in v.PLAN_FEATURES]
        rows += [(name, "activity", "choice", False, answers) for name, answers in v.ACTIVITY_FEATURES]
        rows += [(name, "competitor_project", kind, False, ()) for name, kind in v.COMPETITOR_FEATURES]
        words, entities, kinds, multi, answers = zip(*rows, strict=True)
        group_purchase = self.add(
            "feature", entity=["customer"], name=[self.words(v.GROUP_PURCHASE_FEATURE)], data_type="number", is_multi=0,
            class_id=[group_purchase_class],
        )  # fmt: skip
        keys = self.add(
            "feature", entity=list(entities), name=self.words.all(words), data_type=list(kinds), is_multi=list(multi),
            options=np.array(["\n".join(self.words.all(choices)) or None for choices in answers], dtype=object),
            sequence=[entities[:place].count(entity) + 1 for place, entity in enumerate(entities)],
        )  # fmt: skip
        return dict(zip(words, keys.tolist(), strict=True)) | {v.GROUP_PURCHASE_FEATURE: int(group_purchase[0])}

    def demand_categories(self) -> DemandCategories:
        ids: list[int] = []
        kinds: list[str] = []
        depths: list[int] = []
        parents: list[int] = []
        names: list[v.Word] = []

        def category(kind: str, word: v.Word, parent: int, depth: int) -> int:
            parent_id = ids[parent] if parent >= 0 else NONE
            ids.append(int(self.add("demand_category", parent_id=[parent_id], kind=[kind], name=[self.words(word)])[0]))
            kinds.append(kind)
            depths.append(depth)
            parents.append(parent)
            names.append(word)
            return len(ids) - 1

        for kind, root_word, branches in v.DEMAND_CATEGORIES:
            root = category(kind, root_word, -1, 0)
            for branch_word, leaves in branches:
                branch = category(kind, branch_word, root, 1)
                for leaf in leaves:
                    category(kind, leaf, branch, 2)
        parent = np.array(parents)
        return DemandCategories(np.array(ids), np.array(kinds, object), np.array(depths), parent, names)

    def sla_policies(self, categories: DemandCategories) -> SlaPolicies:
        clock = self.world.clock
        first, second = clock.start - 30, clock.start + 540
        complaint = int(categories.ids[np.flatnonzero(categories.kind == "complaint")[0]])
        minutes = np.empty((2, 2, len(SEVERITIES)), dtype=np.int64)
        for version, (valid_from, share) in enumerate(((first, 1.0), (second, 0.75))):
            for kind, table in enumerate((REPLY_MINUTES, COMPLAINT_REPLY_MINUTES)):
                minutes[version, kind] = [round(table[s] * share) for s in SEVERITIES]
                entered = np.minimum(valid_from, clock.today - 1).astype("datetime64[s]") - np.timedelta64(5, "D")
                self.batch.add(
                    "sla_policy",
                    entered,
                    demand_category_id=[complaint if kind else NONE] * len(SEVERITIES),
                    severity=list(SEVERITIES),
                    reply_minutes=minutes[version, kind],
                    resolve_minutes=minutes[version, kind] * 6,
                    valid_from_on=valid_from,
                )
        return SlaPolicies(second, minutes)

    def reasons(self) -> tuple[Array, Array, int]:
        loss = self.add("reason", kind="loss", name=self.words.all(v.LOSS_REASONS))
        competitor = int(self.add("reason", kind=["loss"], name=[self.words(v.LOST_TO_COMPETITOR)])[0])
        return loss, self.add("reason", kind="cancel", name=self.words.all(v.CANCEL_REASONS)), competitor

    def expense_categories(self) -> Array:
        leaves: list[int] = []
        for root, children in v.EXPENSE_CATEGORIES:
            root_id = int(self.names("expense_category", [root])[0])
            keys = [root_id]
            if children:
                parents = [root_id] * len(children)
                keys = self.add("expense_category", parent_id=parents, name=self.words.all(children)).tolist()
            leaves += keys
        return np.array(leaves)

    def care_rules(self) -> Array:
        rules = v.CARE_RULES
        return self.add(
            "care_rule",
            name=self.words.all([r[0] for r in rules]),
            calendar=[r[1] for r in rules],
            month=[NONE if r[2] is None else r[2] for r in rules],
            day=[NONE if r[3] is None else r[3] for r in rules],
            lead_days=[r[4] for r in rules],
            greeting=self.words.all([r[5] for r in rules]),
        )

    def service_items(self) -> None:
        for service_class, items in v.SERVICE_ITEMS:
            key = int(self.names("service_class", [service_class])[0])
            self.add(
                "service_item",
                service_class_id=[key] * len(items),
                name=self.words.all([i[0] for i in items]),
                unit=self.words.all([i[1] for i in items]),
                rate=[i[2] for i in items],
                is_active=1,
            )

    def fee_types(self) -> Array:
        return self.add(
            "fee_type",
            name=self.words.all([f[0] for f in v.FEE_TYPES]),
            unit=self.words.all([f[1] for f in v.FEE_TYPES]),
            rate=[f[2] for f in v.FEE_TYPES],
            basis=[f[3] for f in v.FEE_TYPES],
            period_months=MONTHS_OF_A_BILL,
        )

    def report_classes(self, group: Group) -> tuple[Array, list[Array]]:
        keys = self.names("report_class", [r[0] for r in v.REPORT_CLASSES])
        steps = [
            self.add(
                "approval_step",
                report_class_id=[key] * len(approvers),
                sequence=np.arange(1, len(approvers) + 1),
                position_id=[group.position_ids[word] for word in approvers],
            )
            for key, (_, approvers) in zip(keys.tolist(), v.REPORT_CLASSES, strict=True)
        ]
        return keys, steps
