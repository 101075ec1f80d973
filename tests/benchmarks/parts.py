"""The parts of the benchmark: what each measures, in words, and the function that does."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.company import SOURCES
from tests.benchmarks.result import Measured


@dataclass(frozen=True)
class Part:
    """Something that is measured by itself.

    Attributes:
        name: as on the command line, and of the module with ``measure(folder, scale, source)``.
        title: heading on the page.
        about: what is measured and how, in Markdown.
        sources: the engines of the CRM that it can be asked for; none where it chooses by itself.
        module: below this package, where it is not named as the part is.
        needs: what has to be made first, as a command; parts that need something run only on request.
    """

    name: str
    title: str
    about: str
    sources: tuple[str, ...] = ()
    module: str = ""
    needs: str = ""

    def measure(self, folder: Path, scale: float, source: str) -> Measured:
        """Measure; the folder is the part's own, and empty but for what it left there the last time."""
        # Parts have different heavy libraries: one alone must not wait for those of all.
        found: Measured = importlib.import_module(f"tests.benchmarks.{self.module or self.name}").measure(
            folder, scale, source
        )
        return found


_ALL = (
    Part(
        "refresh",
        "Refreshes",
        "The floor is what no design can do without: every table read, and every compiled model run in order, in plain"
        " DuckDB, one process (`tests/benchmarks/bare.py`). It has no checks, no tests, no models of statistics and no"
        " publishing, so full refreshes stand there with and without those models. Memory is that of all processes"
        " together, shared pages by halves. Between a full refresh and the next 0.1 % of the rows are changed with"
        " plain SQL, spread over all customers.",
        SOURCES,
    ),
    Part(
        "startup",
        "What start-up takes",
        "Of a small company a refresh is mostly start-up, so all of it happens in one process: one Python, one import"
        " of each library, one (partial) parse of the dbt project. Refreshes are full ones without models of"
        " statistics, each a process of its own; the median of five counts. dbt as a program of its own has parsed"
        " before.",
    ),
    Part(
        "gateway",
        "Questions",
        "Metric queries through the gateway on a published snapshot, answers not cached: once with nothing compiled,"
        " then with the compiled SQL at hand.",
    ),
    Part(
        "reading",
        "What pages ask",
        "Every page of statistics is drawn in the states that readers leave it in, and each question that it asks of"
        " the gateway is asked again: with the compiled SQL at hand, but no answer remembered. Above scale 100 three"
        " companies of a third of the scale stand in one snapshot (`tests/benchmarks/threefold.py`): their keys and"
        " the names of their estates, people, plans and activities differ, their codes are the same.",
    ),
    Part(
        "pages",
        "The overview, beside a plain page of the same six charts",
        "The executive's overview, and the same charts on a Streamlit page that remembers nothing"
        " (`tests/benchmarks/plain_page.py`), served on the same machine in the same run. In headless Chromium: from"
        " asking for the page until its first and its sixth chart are drawn, with an empty browser, and the median of"
        " five warm openings in a new tab. Over websockets: a rerun with another period until the server has ended it,"
        " while so many people work at once. Ours has answered each period before. One process serves all.",
    ),
    Part(
        "web_processes",
        "One web process, and two",
        "People of logins of their own each change the overview's period again and again. One process is asked"
        " directly, two through HAProxy. Those who ask run on the same cores as what they ask.",
    ),
    Part(
        "lists",
        "Lists of the CRM",
        "Median / 95th percentile of a page turn, from the open connection to the rows with their captions. The roles"
        " differ in what bounds the rows they see: nothing, one estate of ten, the own customers, those of ten of"
        " fifty people.",
    ),
    Part(
        "recovery",
        "Recovery",
        "The work of a drill: the restore ends with a CRM that can be used, proven in its own transaction; the"
        " comparison from outside comes on top of it.",
    ),
    Part(
        "install",
        "Install and start",
        "A fresh environment from `requirements/run.txt`; what uv has downloaded before it takes from its cache, so the"
        " network is not measured. Commands are started nine times in processes of their own; the median counts.",
    ),
    Part(
        "peers",
        "Beside other tools",
        "The same data, the same questions, in one run; every answer is compared with ours before it counts. Each tool"
        " in the newest version that installs, in an environment of its own (`make peers`), with the settings its own"
        " documentation recommends.",
        SOURCES,
        module="peers.comparison",
        needs="make peers",
    ),
    Part(
        "engines",
        "What a row costs on each engine",
        "Builds of two sizes of the sample company with DuckDB and with Spark, and the line through them.",
        needs="make spark",
    ),
)  # fmt: skip
PARTS: dict[str, Part] = {part.name: part for part in _ALL}
