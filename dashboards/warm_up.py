"""Work done once before the first reader comes, so that nobody waits for it."""

from __future__ import annotations

import gc
import logging
from pathlib import Path

from streamlit.testing.v1 import AppTest

from dashboards.seat import stand_in
from data_entry.access import SYSTEM

LOG = logging.getLogger(__name__)
# On a machine that is busy with all programs of a service at once.
_SECONDS = 300


def warm_up(script: Path) -> None:
    """Draw the start page once and take all that this left on the heap out of garbage collection.

    The drawing imports MetricFlow, pandas and Plotly, compiles the page's queries and fills the caches. A full
    collection holds the interpreter, and with it every reader, for as long as it looks through what is not frozen.
    """
    # AppTest asks for the context of a run outside of one, which Streamlit logs as a warning.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)
    with stand_in(SYSTEM):
        run = AppTest.from_file(str(script), default_timeout=_SECONDS).run()
    for error in run.exception:
        LOG.error("The start page could not be drawn ahead: %s", error.message)
    gc.collect()
    gc.freeze()
