"""The pages of statistics: address, words, and what draws each.

Whether a person may open one says the permission ``open`` on the resource ``page:<path>``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dashboards.pages import (
    campaign_return,
    changes,
    complaints,
    completeness,
    conversion,
    customer_structure,
    data_status,
    dictionary,
    explore,
    lead_list,
    lineage,
    models,
    overview,
    property_fees,
    quarantine,
    sales,
    staff,
)
from dashboards.view import View
from loupan.i18n import marked


@dataclass(frozen=True)
class Dashboard:
    """A page of statistics in the menu.

    Attributes:
        path: its address.
        title, lead: what it is called and, in one line, for.
        icon: a Material symbol.
        draw: draws what stands under the filters; given the view and whether tables are preferred.
        has_filters: whether period, project, source and department mean anything on it.
    """

    path: str
    title: str
    lead: str
    icon: str
    draw: Callable[[View, bool], None]
    has_filters: bool = True


DASHBOARDS: dict[str, tuple[Dashboard, ...]] = {
    marked("Sales"): (
        Dashboard(
            "lead-list",
            marked("Whom to call"),
            marked("Open leads, those to call today first, and why"),
            ":material/call:",
            lead_list.draw,
            has_filters=False,
        ),
    ),
    marked("Decision support"): (
        Dashboard(
            "overview",
            marked("Overview"),
            marked("Sales, prospects and complaints at a glance"),
            ":material/monitoring:",
            overview.draw,
        ),
        Dashboard(
            "changes",
            marked("What changed"),
            marked("Then and now: what is new since an earlier snapshot, and what became another number"),
            ":material/difference:",
            changes.draw,
            has_filters=False,
        ),
        Dashboard(
            "sales",
            marked("Sales"),
            marked("What was sold, what of it stands, what is still free, what has been paid"),
            ":material/real_estate_agent:",
            sales.draw,
        ),
        Dashboard(
            "customer-structure",
            marked("Customer structure"),
            marked("Who asks, who buys, and how well each group converts"),
            ":material/diversity_3:",
            customer_structure.draw,
        ),
        Dashboard(
            "conversion",
            marked("Conversion"),
            marked("How many prospects become customers, and where they are lost"),
            ":material/filter_alt:",
            conversion.draw,
        ),
        Dashboard(
            "complaints",
            marked("Complaints"),
            marked("How often customers complain, about what, and how we answer"),
            ":material/support_agent:",
            complaints.draw,
        ),
        Dashboard(
            "campaign-return",
            marked("Campaign return"),
            marked("What marketing costs and what it brings, under every attribution model"),
            ":material/campaign:",
            campaign_return.draw,
        ),
        Dashboard(
            "property-fees",
            marked("Property fees"),
            marked("What was billed, what came in, and what is owed"),
            ":material/receipt_long:",
            property_fees.draw,
        ),
        Dashboard(
            "staff",
            marked("Staff"),
            marked("A fair comparison: chance is shown, nobody is ranked"),
            ":material/groups:",
            staff.draw,
        ),
        Dashboard(
            "models",
            marked("Models"),
            marked("What the recorded data suggest doing, and how far to trust it"),
            ":material/model_training:",
            models.draw,
            has_filters=False,
        ),
        Dashboard(
            "explore",
            marked("Explore"),
            marked("Any figure, cut and filtered as you like"),
            ":material/query_stats:",
            explore.draw,
        ),
    ),
    marked("Data"): (
        Dashboard(
            "data-status",
            marked("Data status"),
            marked("How fresh and how sound the numbers are"),
            ":material/database:",
            data_status.draw,
            has_filters=False,
        ),
        Dashboard(
            "quarantine",
            marked("Quarantine"),
            marked("Records kept out of the statistics, why, and the way to mend them"),
            ":material/rule:",
            quarantine.draw,
            has_filters=False,
        ),
        Dashboard(
            "completeness",
            marked("Completeness"),
            marked("Which fields are left empty, and who enters how completely"),
            ":material/checklist:",
            completeness.draw,
        ),
        Dashboard(
            "dictionary",
            marked("Dictionary"),
            marked("What every number means, and where it is shown"),
            ":material/dictionary:",
            dictionary.draw,
            has_filters=False,
        ),
        Dashboard(
            "lineage",
            marked("Lineage"),
            marked("From the CRM's columns to the charts, and back"),
            ":material/account_tree:",
            lineage.draw,
            has_filters=False,
        ),
    ),
}
