"""Who may do what, and to which rows: accounts' permissions and the rows each scope reaches."""

from data_entry.access.actor import SYSTEM, Actor, load_actor
from data_entry.access.reach import reach, reach_by_keys
from data_entry.access.roles import ensure_roles

__all__ = ["SYSTEM", "Actor", "ensure_roles", "load_actor", "reach", "reach_by_keys"]
