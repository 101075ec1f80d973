"""Words of demands that several pages show."""

from __future__ import annotations

from data_entry.pages.desk import Desk
from loupan.formats import NO_DATA
from loupan.i18n import marked

KINDS = {
    "complaint": marked("Complaint"),
    "suggestion": marked("Suggestion"),
    "service_request": marked("Service request"),
    "decoration": marked("Decoration"),
    "other": marked("Other"),
}
PHASES = {"sales": marked("Sales phase"), "property": marked("Property phase")}
STAGES = {
    "new": marked("New"),
    "given": marked("In hand"),
    "replied": marked("Answered"),
    "resolved": marked("Resolved"),
    "withdrawn": marked("Withdrawn"),
    "duplicate": marked("Repeated"),
}
TONES = {"new": "warn", "resolved": "good", "withdrawn": "quiet", "duplicate": "quiet"}
STEPS = {
    "assign": marked("{who} gave it to {to}."),
    "forward": marked("{who} forwarded it to {to}."),
    "reply": marked("{who} answered the customer."),
    "resolve": marked("{who} settled it."),
    "reopen": marked("{who} opened it again."),
    "follow_up": marked("{who} asked the customer how content they are."),
    "withdraw": marked("The customer withdrew it."),
}
# The codes that are offered where nobody has agreed on other words.
_CODES = {
    "low": marked("Low"), "normal": marked("Normal"), "high": marked("High"), "urgent": marked("Urgent"),
    "phone": marked("Telephone"), "visit": marked("Visit"), "wechat": marked("WeChat"), "app": marked("App"),
    "email": marked("E-mail"), "letter": marked("Letter"),
}  # fmt: skip


def word(desk: Desk, value: str | None) -> str:
    """Return a severity or channel in the reader's language; agreed words of one's own stay as they are."""
    if value is None:
        return NO_DATA
    return desk.t(_CODES[value]) if value in _CODES else value
