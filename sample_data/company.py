"""One city company while it is made: every part finds here what the parts before it made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sample_data.rows import Array, Batch
from sample_data.size import CityCompanySize
from sample_data.world import World

if TYPE_CHECKING:
    from sample_data.customers import Customers
    from sample_data.deals import Deals
    from sample_data.demands import Demands
    from sample_data.estate import Estates
    from sample_data.journey import Journeys
    from sample_data.leads import Leads
    from sample_data.marketing import Activities
    from sample_data.master_data import MasterData
    from sample_data.organisation import Group, Staff
    from sample_data.unit_assignment import Assignment


@dataclass
class Company:
    """A city company; the fields after ``size`` are filled in the order in which they stand here."""

    world: World
    group: Group
    master: MasterData
    size: CityCompanySize
    staff: Staff = field(init=False)
    estates: Estates = field(init=False)
    activities: Activities = field(init=False)
    # Loss reason "bought elsewhere", estates x competing estates.
    rival_reasons: Array = field(init=False)
    customers: Customers = field(init=False)
    leads: Leads = field(init=False)
    journeys: Journeys = field(init=False)
    withheld: Array = field(init=False)
    assignment: Assignment = field(init=False)
    deals: Deals = field(init=False)
    # Moment, by lead, until which it was worked on.
    worked_until: Array = field(init=False)
    demands: Demands = field(init=False)
    # Employee index, by demand, of the person it was last given to; -1 where nobody was.
    handler: Array = field(init=False)

    @property
    def batch(self) -> Batch:
        """Return the rows made so far."""
        return self.world.batch

    def random(self, purpose: str) -> np.random.Generator:
        """Return random numbers of their own for ``purpose``."""
        return self.world.random(purpose, self.size.index)
