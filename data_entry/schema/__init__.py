"""The CRM schema: SQLAlchemy tables, a module per area."""

from data_entry.schema import (
    competition,
    customer,
    deal,
    demand,
    estate,
    lead,
    marketing,
    office,
    organisation,
    planning,
    service,
)
from data_entry.schema.base import Base, Record

AREAS = (organisation, estate, customer, lead, deal, demand, marketing, competition, service, office, planning)

metadata = Base.metadata

__all__ = ["AREAS", "Base", "Record", "metadata"]
