"""``/metrics`` in the format of Prometheus: how the web app and the data it shows do.

For whoever asks on this machine, and for who brings the token of ``LOUPAN_METRICS_TOKEN``. Names of people, of
customers and of what they look for are in no label. Where several processes serve the web app, whichever is asked tells
the sums over all, those that have died included.
"""

from __future__ import annotations

import datetime as dt
import hmac
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

import psutil
import sqlalchemy as sa
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards import condition
from dashboards.gate import ready_engine
from dashboards.local import is_local
from data_entry.access import SYSTEM
from data_entry.services import sessions
from data_entry.services.work import reading
from loupan import web_worker
from loupan.errors import LoupanError
from loupan.refresh_state import last_refresh, read_history
from loupan.settings import Settings, get_settings
from loupan.snapshot import SnapshotError, current

PATH = "/metrics"
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)
REQUESTS = Counter("loupan_http_requests", "Answered HTTP requests.", ["route", "status"], registry=REGISTRY)
CONNECTIONS = Gauge(
    "loupan_open_pages", "Open websockets, one for each open page.", registry=REGISTRY, multiprocess_mode="livesum"
)
PAGE_SECONDS = Histogram(
    "loupan_page_run_seconds",
    "How long the script took to draw a page.",
    ["page"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
INCIDENTS = Counter("loupan_incidents", "Errors that nobody foresaw.", registry=REGISTRY)
_STATIC = ("static", "media", "component", "_stcore", "favicon.ico")


@cache
def _pages() -> frozenset[str]:
    from dashboards.menu import DASHBOARDS
    from data_entry.pages.menu import MENU

    shown = (entry.path for group in DASHBOARDS.values() for entry in group)
    worked_on = (entry.path for group in MENU.values() for entry in group)
    return frozenset((*shown, *worked_on, "start"))


def route_class(path: str, known: frozenset[str]) -> str:
    """Return the class of an address: its first part where it is one of ours. Whatever people type makes no new one."""
    first = path.strip("/").partition("/")[0]
    if first in _STATIC:
        return "static"
    if first in _pages() or not first:
        return "page"
    return first if first in known else "other"


class Telemetry:
    """Counts requests and open websockets.

    Args:
        app: what stands behind.
        known: first parts of the addresses of our routes.
    """

    def __init__(self, app: ASGIApp, known: frozenset[str]) -> None:
        self.app, self._known = app, known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one websocket."""
        if scope["type"] == "websocket":
            with CONNECTIONS.track_inprogress():
                await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._count(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 500  # what the server answers where nothing was answered

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_noting)
        finally:
            REQUESTS.labels(route_class(scope["path"], self._known), str(status)).inc()


@contextmanager
def page_run(page: str) -> Iterator[None]:
    """Measure a run of the script for a page, also one that ends early."""
    began = time.perf_counter()
    try:
        yield
    finally:
        PAGE_SECONDS.labels(page or "start").observe(time.perf_counter() - began)


class _Installation(Collector):
    """What is looked at when somebody asks: the snapshot, refreshes, backups, sessions, the disk."""

    def collect(self) -> Iterable[Metric]:
        settings, now = get_settings(), dt.datetime.now(dt.UTC)
        yield from _snapshot(settings, now)
        yield from _refreshes(settings)
        age = condition.backup_age(settings, now)
        if age is not None:
            yield _gauge("backup_age_seconds", "Seconds since the newest backup was written.", age.total_seconds())
        open_sessions = _open_sessions()
        if open_sessions is not None:
            yield _gauge("sessions", "Sessions that are signed in.", open_sessions)
        yield _gauge("crm_up", "Whether the CRM answers at the right version.", open_sessions is not None)
        yield _gauge("disk_free_bytes", "Free on the disk of the data folder.", _free(settings))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"loupan_{name}", text, value=float(value))


def _snapshot(settings: Settings, now: dt.datetime) -> Iterable[Metric]:
    try:
        snapshot = current(settings)
        report = snapshot.report
    except SnapshotError:
        yield _gauge("snapshot_up", "Whether a snapshot can be read.", 0)
        return
    yield _gauge("snapshot_up", "Whether a snapshot can be read.", 1)
    yield _gauge(
        "snapshot_age_seconds", "Seconds since the current snapshot was published.",
        condition.snapshot_age(snapshot, now).total_seconds(),
    )  # fmt: skip
    yield _gauge("snapshot_promised_seconds", "How old it may become.", settings.fresh_hours * 3600)
    yield InfoMetricFamily("loupan_snapshot", "The current snapshot.", value={"version": snapshot.version})
    yield _gauge("snapshot_rows", "Rows loaded for it.", sum(report.get("rows", {}).values()))
    yield _gauge("snapshot_quarantined_rows", "Rows kept out of it.", sum(report.get("quarantined", {}).values()))


def _refreshes(settings: Settings) -> Iterable[Metric]:
    ended = read_history(settings)
    last = last_refresh(settings)
    running = float(last is not None and last.outcome == "running")
    yield _gauge("refresh_running", "Whether the last refresh has not ended.", running)
    if not ended:
        return
    state = ended[-1]
    outcome = GaugeMetricFamily(
        "loupan_refresh_outcome", "What became of the last refresh that ended.", labels=["outcome"]
    )
    for known in dict.fromkeys(("published", "unchanged", "refused", "error", state.outcome)):
        outcome.add_metric([known], float(known == state.outcome))
    yield outcome
    yield _gauge("refresh_failed_checks", "Checks that failed in it.", len(state.failed_checks))
    yield _gauge("refresh_quarantined_rows", "Rows it kept out.", sum(state.quarantined.values()))
    if state.finished_at and state.seconds is not None:
        finished = dt.datetime.fromisoformat(state.finished_at)
        yield _gauge("refresh_seconds", "How long it took.", state.seconds)
        yield _gauge("refresh_end_timestamp_seconds", "When it ended.", finished.timestamp())


def _open_sessions() -> int | None:
    try:
        with reading(ready_engine(), SYSTEM) as work:
            return sessions.count_open(work.session, work.now)
    except (LoupanError, sa.exc.SQLAlchemyError):
        return None


def _free(settings: Settings) -> float:
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


class _Processes(Collector):
    """The processes that serve the web app, where there are several.

    Args:
        shared: what they share.
    """

    def __init__(self, shared: web_worker.Shared) -> None:
        self._shared = shared

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("loupan_web_process_up", "Whether the process lives.", labels=["process"])
        memory = GaugeMetricFamily(
            "loupan_web_process_resident_memory_bytes", "Memory in use, what is shared included.", labels=["process"]
        )
        cpu = CounterMetricFamily("loupan_web_process_cpu_seconds", "CPU time used.", labels=["process"])
        for name, pid in self._shared.pids().items():
            try:
                process = psutil.Process(pid)
                with process.oneshot():
                    times = process.cpu_times()
                    cpu.add_metric([name], times.user + times.system)
                    memory.add_metric([name], float(process.memory_info().rss))
                up.add_metric([name], 1.0)
            except psutil.Error:
                up.add_metric([name], 0.0)
        yield from (up, memory, cpu)


def _together(shared: web_worker.Shared) -> CollectorRegistry:
    """Return the numbers of all processes; open pages of those that died are open no more."""
    for file in shared.metrics.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not psutil.pid_exists(pid):
            multiprocess.mark_process_dead(pid, str(shared.metrics))
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, str(shared.metrics))
    registry.register(_Processes(shared))
    PlatformCollector(registry=registry)
    return registry


def routes() -> list[BaseRoute]:
    """Return the route of the metrics."""
    registry = CollectorRegistry()
    registry.register(_Installation())
    worker = web_worker.current()

    def metrics(request: Request) -> Response:  # no coroutine: Starlette runs it in a thread of its own
        if not _may_read(request):
            # As if there were nothing: a stranger need not know.
            return PlainTextResponse("Not found.", 404, {"cache-control": "no-store"})
        counted = _together(worker.shared) if worker else REGISTRY
        text = generate_latest(counted) + generate_latest(registry)
        return Response(text, 200, {"cache-control": "no-store"}, CONTENT_TYPE_LATEST)

    return [Route(PATH, metrics)]


def _may_read(request: Request) -> bool:
    wanted = get_settings().metrics_token.get_secret_value()
    kind, _, brought = request.headers.get("authorization", "").partition(" ")
    is_right = kind.lower() == "bearer" and hmac.compare_digest(brought.strip().encode(), wanted.encode())
    return (bool(wanted) and is_right) or is_local(request)
