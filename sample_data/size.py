"""How large the company is at a scale: more scale means more city companies, not fuller estates."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sample_data.errors import SampleArgumentError

SMALLEST_SCALE, LARGEST_SCALE = 0.01, 1000.0
ESTATES_OF_A_CITY_COMPANY = 8

# The company at scale 1.
ESTATES, UNITS, EMPLOYEES, CUSTOMERS, LEADS, DEMANDS = 8, 6_000, 80, 30_000, 40_000, 15_000


@dataclass(frozen=True)
class CityCompanySize:
    """How many of each a city company has; it is made, written and forgotten as one piece."""

    index: int
    first_estate: int
    estates: int
    units: int
    employees: int
    customers: int
    leads: int
    demands: int


def city_companies(scale: float) -> list[CityCompanySize]:
    """Return the sizes of all city companies at ``scale``.

    Raises:
        SampleArgumentError: if ``scale`` is outside of 0.01 to 1000.
    """
    if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
        raise SampleArgumentError(f"scale {scale:g} is outside of {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}")
    estates = max(3, round(ESTATES * scale))
    companies = math.ceil(estates / ESTATES_OF_A_CITY_COMPANY)
    sizes = []
    for index in range(companies):
        first, last = estates * index // companies, estates * (index + 1) // companies
        share = scale * (last - first) / estates
        sizes.append(
            CityCompanySize(
                index=index,
                first_estate=first,
                estates=last - first,
                units=max(20 * (last - first), round(UNITS * share)),
                employees=max(18, round(EMPLOYEES * share)),
                customers=round(CUSTOMERS * share),
                leads=round(LEADS * share),
                demands=round(DEMANDS * share),
            )
        )
    return sizes
