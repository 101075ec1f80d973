"""Makes one city company, part after part, each resting on those before."""

from __future__ import annotations

from collections.abc import Callable

from sample_data import (
    competition,
    customers,
    deals,
    deletion,
    demand_handling,
    demands,
    estate,
    fees,
    intentions,
    journey,
    leads,
    marketing,
    office,
    organisation,
    payments,
    planning,
    service,
    unit_assignment,
)
from sample_data.company import Company


def make_city_company(company: Company, progress: Callable[[float, str], None]) -> None:
    """Add all rows of one city company to the world's batch."""
    progress(0.0, "organisation and estates")
    names, opened_on = estate.estate_names(company), estate.opening_days(company)
    company.staff = organisation.make_staff(company, names, opened_on)
    company.estates = estate.make_estates(company, names, opened_on)
    organisation.add_employee_projects(company)
    company.activities = marketing.make_marketing(company)
    company.rival_reasons = competition.make_competition(company)

    progress(0.15, "customers and leads")
    company.customers = customers.draw_customers(company)
    company.leads = leads.draw_leads(company)
    customers.add_customers(company)
    leads.complete_leads(company)
    marketing.add_feedback(company)

    progress(0.4, "deals and payments")
    company.journeys = journey.draw_journeys(company)
    company.withheld = deals.draw_withheld(company)
    company.assignment = unit_assignment.assign_units(company, unit_assignment.plan_deals(company))
    company.deals = deals.make_deals(company)
    payments.make_payments(company)
    estate.add_units(company, *deals.unit_states(company))
    deals.add_unit_owners(company)
    company.worked_until = journey.add_lead_events(company, *deals.outcome_by_lead(company))
    intentions.add_intentions(company)

    progress(0.65, "demands")
    company.demands = demands.make_demands(company)
    company.handler = demand_handling.handle_demands(company)

    progress(0.8, "service and office")
    fees.make_fees(company)
    service.make_surveys(company)
    service.make_care(company)
    office.make_office(company)
    planning.make_planning(company)
    deletion.delete_some(company)
