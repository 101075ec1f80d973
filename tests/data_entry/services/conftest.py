"""Fixtures of the services' tests."""

from tests.data_entry.services.office_case import each_office, office, office_file
from tests.data_entry.services.sales_company import company, company_on_each

__all__ = ["company", "company_on_each", "each_office", "office", "office_file"]
