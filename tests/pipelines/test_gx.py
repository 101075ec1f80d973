"""Great Expectations is imported without what no check of ours uses, in a process where nothing is imported yet."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT_DISTRIBUTIONS = """
import sys
from pipelines.gx import great_expectations

package = great_expectations()
assert package.expectations.ExpectColumnValuesToBeUnique(column="id")
# As dbt does.
import inspect
inspect.stack()
assert not {"scipy.stats", "altair"} & sys.modules.keys()
"""
# In either order: by others first, by who got the stand-in first.
USED_LATER = """
from scipy import stats
assert abs(stats.norm.cdf(0) - 0.5) < 1e-12
from great_expectations.expectations.core import expect_column_kl_divergence_to_be_less_than as user
assert user.stats.norm is stats.norm
"""
USED_BY_ITS_USER = """
from great_expectations.expectations.core import expect_column_kl_divergence_to_be_less_than as user
assert abs(user.stats.norm.cdf(0) - 0.5) < 1e-12
from scipy import stats
assert user.stats.norm is stats.norm
"""
USED_BEFORE = """
from scipy import stats
from pipelines.gx import great_expectations
great_expectations()
import scipy
assert scipy.stats is stats
"""
AHEAD = """
import threading
from pipelines.gx import great_expectations, import_ahead

import_ahead()
(importer,) = [thread for thread in threading.enumerate() if thread.name == "great_expectations"]
assert great_expectations().expectations.ExpectColumnValuesToBeUnique(column="id")
importer.join()
import_ahead()
assert threading.active_count() == 1
assert great_expectations() is great_expectations()
"""
BROKEN = """
import sys
from pipelines.gx import great_expectations, import_ahead

sys.modules["great_expectations"] = None
import_ahead()
try:
    great_expectations()
except ImportError as error:
    assert "great_expectations" in str(error)
    raise SystemExit(0)
raise AssertionError
"""


@pytest.mark.parametrize(
    "script",
    [
        WITHOUT_DISTRIBUTIONS,
        WITHOUT_DISTRIBUTIONS + USED_LATER,
        WITHOUT_DISTRIBUTIONS + USED_BY_ITS_USER,
        USED_BEFORE,
        AHEAD,
        BROKEN,
    ],
)
def test_in_a_process_of_its_own(script: str) -> None:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
