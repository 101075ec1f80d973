"""Great Expectations is imported without what no check of ours uses, in a process where nothing is imported yet."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from pipelines.gx import great_expectations

package = great_expectations()
assert package.expectations.ExpectColumnValuesToBeUnique(column="id")
assert "scipy.stats._distn_infrastructure" not in sys.modules
from scipy import stats
assert abs(stats.norm.cdf(0) - 0.5) < 1e-12
"""


def test_distributions_are_imported_when_something_uses_them() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
