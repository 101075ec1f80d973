"""The pages of the CRM: address, words, and the module that draws each.

Whether a person may open a page says the permission ``open`` on the resource ``page:<path>``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from data_entry.pages.desk import Desk
from loupan.i18n import marked


@dataclass(frozen=True)
class Entry:
    """A page.

    Attributes:
        path: its address.
        title, lead: what it is called and, in one line, for.
        icon: a Material symbol.
        functions: ids of the function list that are done here.
        is_listed: False for a page that others lead to, such as that of one customer.
    """

    path: str
    title: str
    lead: str
    icon: str
    functions: tuple[str, ...]
    is_listed: bool = True

    def draw(self, desk: Desk) -> None:
        """Draw what stands under the page's head."""
        import_module(f"data_entry.pages.{self.path.replace('-', '_')}").draw(desk)


MENU: dict[str, tuple[Entry, ...]] = {
    marked("My work"): (
        Entry("home", marked("Today"), marked("What is due, and what waits for you"), ":material/today:", ("7.b",)),
        Entry(
            "tasks", marked("Tasks"), marked("Work given and taken, tracked until it is done and checked"),
            ":material/task_alt:", ("2.vi", "3.vi", "7.b"),
        ),
        Entry(
            "reports", marked("Reports"), marked("Documents on their way through approval"),
            ":material/approval:", ("2.vii", "7.a"),
        ),
        Entry(
            "work", marked("Plans and logs"), marked("What is planned, what was done, and what the supervisor says"),
            ":material/event_note:", ("7.c",),
        ),
        Entry(
            "knowledge", marked("Knowledge base"), marked("Regulations, business, training: search, read, write"),
            ":material/menu_book:", ("1.iii.5", "2.iv-v", "3.v", "4.ix"),
        ),
        Entry(
            "discussion", marked("Discussion"), marked("Threads shared across departments"),
            ":material/forum:", ("2.viii", "3.vii", "4.x"),
        ),
    ),
    marked("Sales"): (
        Entry(
            "customers", marked("Customers"), marked("Your customers, their next steps, and who has gone quiet"),
            ":material/person:", ("2.i", "5.i"),
        ),
        Entry(
            "customer", marked("Customer"), marked("Everything about one customer"), ":material/person:",
            ("2.i", "2.ii", "5.i"), is_listed=False,
        ),
        Entry(
            "deals", marked("Deals"), marked("From small booking to contract and payment"),
            ":material/contract:", ("2.iii",),
        ),
        Entry(
            "estate-board", marked("Estate board"), marked("Every unit by building and floor, and its state"),
            ":material/grid_on:", ("2.iii", "1.i.3"),
        ),
        Entry(
            "targets", marked("Targets and events"),
            marked("What estates are to reach each month, and what charts mark"), ":material/flag:", ("6.v",),
        ),
        Entry(
            "estates", marked("Estates compared"), marked("Own and competing estates side by side"),
            ":material/apartment:", ("2.iv-v",),
        ),
    ),
    marked("Customer service"): (
        Entry(
            "demands", marked("Demands"), marked("Complaints, suggestions and requests, by deadline"),
            ":material/support_agent:", ("2.ii", "3.ii", "5.ii", "5.v"),
        ),
        Entry(
            "surveys", marked("Surveys"), marked("Build, issue, and read the answers"), ":material/ballot:", ("5.iii",),
        ),
        Entry(
            "care", marked("Customer care"), marked("Who is due for a greeting, and why"),
            ":material/volunteer_activism:", ("5.iv",),
        ),
    ),
    marked("Property"): (
        Entry("owners", marked("Owners"), marked("Who owns what, and what was promised"), ":material/key:", ("3.i",)),
        Entry(
            "fees", marked("Fees"), marked("Bills, payments and arrears"), ":material/receipt_long:", ("3.iv",),
        ),
        Entry(
            "service-items", marked("Service items"), marked("What the property company offers, and its rates"),
            ":material/home_repair_service:", ("3.iii", "1.iii.3-4"),
        ),
    ),
    marked("Marketing"): (
        Entry(
            "plans", marked("Plans and activities"), marked("Phases of marketing work, and the jobs inside them"),
            ":material/campaign:", ("4.iv", "4.v", "1.ii.3-4"),
        ),
        Entry(
            "expenses", marked("Expenses"), marked("Costs with their receipts, and their approval"),
            ":material/payments:", ("4.vi",),
        ),
        Entry(
            "feedback", marked("Feedback"), marked("What customers and non-customers said about activities"),
            ":material/reviews:", ("4.vii",),
        ),
        Entry(
            "competition-entry", marked("Competitor observations"), marked("What was seen, where, when and by whom"),
            ":material/visibility:", ("4.ii", "1.ii.5-6"),
        ),
        Entry(
            "competition-analysis", marked("Competition analysis"), marked("Comparison, and the guidance for sales"),
            ":material/compare:", ("4.iii",),
        ),
    ),
    marked("Settings"): (
        Entry(
            "records", marked("Records"), marked("Every table of the CRM: search, enter, change, restore"),
            ":material/table:",
            ("1.i.1", "1.i.3", "1.ii.1-2", "1.ii.3-4", "1.ii.5-6", "1.iii.3-4"),
        ),
        Entry(
            "categories", marked("Categories and approval"),
            marked("How articles, demands and expenses are sorted, and who approves reports"),
            ":material/account_tree:", ("1.i.4", "1.i.5", "1.i.6", "1.iii.2"),
        ),
        Entry(
            "imports", marked("Import"), marked("Paste or upload rows, and see what will happen before it does"),
            ":material/upload_file:", (),
        ),
        Entry(
            "accounts", marked("Accounts and roles"), marked("Who may sign in, and what they may do"),
            ":material/manage_accounts:", ("1.i.2",),
        ),
        Entry(
            "audit", marked("Audit trail"), marked("Who did what, when, and what it was before"),
            ":material/history:", (),
        ),
        Entry(
            "backups", marked("Backups"), marked("Copies of the CRM: make, check, restore"),
            ":material/backup:", ("1.iii.1",),
        ),
        Entry(
            "account", marked("My account"), marked("Password, language, and where you are signed in"),
            ":material/account_circle:", (),
        ),
    ),
    marked("Data"): (
        Entry(
            "refreshes", marked("Refreshes"), marked("Bring the figures up to date: start, watch, cancel, plan"),
            ":material/sync:", (),
        ),
    ),
}  # fmt: skip
