"""What the ready-made roles are called in the reader's language."""

from __future__ import annotations

from loupan.i18n import Translator, marked

_TITLES = {
    "admin": marked("Administrator"),
    "executive": marked("Executive"),
    "marketing": marked("Marketing"),
    "sales": marked("Salesperson"),
    "sales_manager": marked("Sales manager"),
    "property": marked("Property manager"),
    "service": marked("Customer service"),
    "data": marked("Data staff"),
}


def role_title(t: Translator, name: str) -> str:
    """Return what a role is called; one made here keeps the name it was given."""
    return t(_TITLES[name]) if name in _TITLES else name
