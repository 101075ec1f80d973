"""The study of control limits runs, and a few seeds show what many do."""

import numpy as np

from tests.validation.company import make_company
from tests.validation.study_control import complaints_by_month, sales_complaints_by_month, study


def test_the_study_holds_with_few_seeds():
    results = study(5)
    assert len(results) == 11
    assert all(result.holds for result in results), [r for r in results if not r.holds]


def test_the_complaints_of_a_company_are_counted_once():
    company = make_company(1, 1.0)
    demands, kinds = company.demands, company.master.categories.kind
    complaints = (kinds[demands.category] == "complaint") & (demands.duplicate_of < 0)
    in_time = demands.received_at >= np.datetime64(company.world.clock.today, "M") - 35
    data = complaints_by_month(company)
    assert data["complaints"].sum() == (complaints & in_time).sum()
    assert sales_complaints_by_month(company)["complaints"].sum() < data["complaints"].sum()
    assert data.groupby("project").size().eq(36).all()
