"""What is wrong at a moment, from what is recorded and published."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from zoneinfo import ZoneInfo

from loupan.alerts.config import AlertsConfig
from loupan.alerts.finding import Evaluation, Fact, Finding, Kind, Severity
from loupan.alerts.masking import masked, without_examples
from loupan.backups import LATE, standing
from loupan.errors import LoupanError
from loupan.kept_out import tolerated
from loupan.moments import moment_of
from loupan.refresh_state import INTERRUPTED, RefreshState, ended_and_running
from loupan.settings import Settings
from loupan.snapshot import NoSnapshot, Snapshot, current

CHECKS_TOLD = 5
"""So many failed checks are told; how many there are is told as well."""
# A refresh that a person cancelled says nothing about how things are.
_TELLING = ("published", "refused", "error")


class _Present:
    """How things are now, read once."""

    def __init__(self, settings: Settings, config: AlertsConfig, now: dt.datetime) -> None:
        self.settings, self.config, self.now = settings, config, now
        ended, self.running = ended_and_running(settings)
        self.all_ended = ended
        self.telling = [state for state in ended if state.outcome in _TELLING]
        self.snapshot: Snapshot | None = None
        self.damage: LoupanError | None = None
        try:
            self.snapshot = current(settings)
            self.as_of: dt.datetime | None = moment_of(str(self.snapshot.report["as_of"]))
            self.known_until: dt.datetime | None = self.snapshot.unchanged_until
            self.snapshot.check_sizes()
        except NoSnapshot:
            self.as_of = self.known_until = None
        except (LoupanError, KeyError, ValueError) as error:
            self.snapshot, self.as_of, self.known_until = None, None, None
            self.damage = error if isinstance(error, LoupanError) else LoupanError(f"its report lacks {error}")

    def finding(
        self, kind: Kind, since: dt.datetime, facts: dict[str, Fact], subject: str = "", edition: str = ""
    ) -> Finding:
        """Return what is wrong; beside its own facts it tells what readers see."""
        seen: dict[str, Fact] = {"readers_see": _text(self.as_of)}
        return Finding(kind, self.config.severity_of(kind), since, subject, edition, seen | facts)


def evaluate(settings: Settings, config: AlertsConfig, now: dt.datetime) -> Evaluation:
    """Return everything that is wrong.

    Args:
        settings: where everything lies.
        config: the rules.
        now: the present moment, aware.
    """
    present = _Present(settings, config, now)
    findings: list[Finding] = []
    unjudged: set[Kind] = set()
    problems: list[str] = []
    for judge in (_failed, _refused, _stale, _damaged, _quarantine, _volume, _backups):
        findings += judge(present)
    if present.damage is not None:
        # Of what cannot be read nobody knows whether it is in order.
        unjudged |= {Kind.STALE_DATA, Kind.METRIC}
    elif present.snapshot is not None and present.as_of is not None:
        try:
            found, lacking = _metrics(present, present.as_of)
            findings += found
            problems += lacking
        except LoupanError as error:
            unjudged.add(Kind.METRIC)
            problems.append(str(error))
    facts: dict[str, Fact] = {"readers_see": _text(present.as_of)}
    return Evaluation(tuple(findings), frozenset(unjudged), tuple(problems), facts)


def _failed(present: _Present) -> Iterator[Finding]:
    row = _row_of(present.telling, "error")
    if not row:
        return
    last = row[-1]
    yield present.finding(
        Kind.REFRESH_FAILED,
        _ended(row[0]),
        facts={
            "times": len(row),
            "error": masked(last.error or ""),
            "started": last.started_at,
            "interrupted": int((last.error or "").startswith(INTERRUPTED)),
        },
    )


def _refused(present: _Present) -> Iterator[Finding]:
    row = _row_of(present.telling, "refused")
    if not row:
        return
    last = row[-1]
    yield present.finding(
        Kind.PUBLISHING_REFUSED,
        _ended(row[0]),
        facts={
            "times": len(row),
            "checks": [without_examples(check) for check in last.failed_checks[:CHECKS_TOLD]],
            "failed": len(last.failed_checks),
        },
    )


def _row_of(states: list[RefreshState], outcome: str) -> list[RefreshState]:
    """Return the last refreshes in a row that ended alike."""
    row: list[RefreshState] = []
    for state in reversed(states):
        if state.outcome != outcome:
            break
        row.insert(0, state)
    return row


def _stale(present: _Present) -> Iterator[Finding]:
    if present.known_until is None:
        return
    promised = dt.timedelta(hours=present.settings.fresh_hours)
    age = present.now - present.known_until
    if age <= promised:
        return
    newest = present.running or (present.all_ended[-1] if present.all_ended else None)
    yield present.finding(
        Kind.STALE_DATA,
        present.known_until + promised,
        facts={
            "hours": round(age / dt.timedelta(hours=1), 1),
            "promised": present.settings.fresh_hours,
            "last_started": newest.started_at if newest else None,
            "last_outcome": newest.outcome if newest else None,
        },
    )


def _damaged(present: _Present) -> Iterator[Finding]:
    if present.damage is not None:
        yield present.finding(Kind.SNAPSHOT_DAMAGED, present.now, facts={"error": masked(str(present.damage))})


def _quarantine(present: _Present) -> Iterator[Finding]:
    loaded = [state for state in present.telling if state.rows]
    if not loaded:
        return
    last, threshold = loaded[-1], present.settings.quarantine_threshold
    for table, count in sorted(last.quarantined.items()):
        allowed = tolerated(threshold, last.rows.get(table, 0) + count)
        # Soft-deleted rows, of which nothing is recorded, are tolerated for as well: who refused knows.
        is_crossed = count > allowed and last.outcome == "refused"
        # Of one or none that is tolerated nothing is near.
        if not is_crossed and (allowed < 2 or count < present.config.rules.quarantine_near * allowed):
            continue
        found = present.finding(
            Kind.QUARANTINE,
            _ended(last),
            subject=table,
            facts={
                "rows": last.rows.get(table, 0) + count,
                "quarantined": count,
                "allowed": allowed,
                "threshold": threshold,
                "crossed": int(is_crossed),
            },
        )
        yield found if is_crossed else _lowered(found)


def _lowered(found: Finding) -> Finding:
    """What is only near matters one step less."""
    lower = list(Severity)[max(found.severity.rank - 1, 0)]
    return replace(found, severity=lower)


def _volume(present: _Present) -> Iterator[Finding]:
    from loupan.alerts.volume import oddities

    for odd in oddities(present.telling, present.config.rules.volume_least_history):
        facts: dict[str, Fact] = {name: value for name, value in asdict(odd).items() if name not in ("table", "at")}
        yield present.finding(Kind.VOLUME, odd.at, subject=odd.table, facts=facts)


def _backups(present: _Present) -> Iterator[Finding]:
    backups = standing(present.settings, present.now)
    # Where there never was a backup nobody promised one.
    if backups.age is not None and backups.age > LATE:
        hours = round(backups.age / dt.timedelta(hours=1), 1)
        yield present.finding(Kind.BACKUP_OLD, present.now - backups.age + LATE, facts={"hours": hours})
    drill = backups.drill
    if drill is not None and not drill.passed:
        yield present.finding(
            Kind.DRILL_FAILED, moment_of(drill.at), edition=drill.at, facts={"error": masked(drill.problem or "")}
        )


def _metrics(present: _Present, as_of: dt.datetime) -> tuple[list[Finding], tuple[str, ...]]:
    from loupan.alerts.signals import beyond_limits
    from loupan.metrics import open_current

    rules = present.config.rules
    if not rules.metrics:
        return [], ()
    metrics = open_current(present.settings)
    zone = str(metrics.snapshot.report.get("time_zone", present.settings.time_zone))
    found, problems = beyond_limits(metrics, rules.metrics, rules.metric_period, as_of, zone)
    findings = []
    for one in found:
        facts: dict[str, Fact] = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(one).items()
            if name not in ("metric", "ended")
        }
        facts["currency"] = str(metrics.snapshot.report.get("currency", present.settings.currency))
        since = dt.datetime.combine(one.ended + dt.timedelta(days=1), dt.time(), ZoneInfo(zone))
        findings.append(present.finding(Kind.METRIC, since, subject=one.metric, edition=one.period, facts=facts))
    # Of the ready-made names another semantic layer may know none.
    return findings, problems if "metrics" in rules.model_fields_set else ()


def _ended(state: RefreshState) -> dt.datetime:
    """Return when a refresh ended; when it began where it was killed."""
    return moment_of(state.finished_at or state.started_at)


def _text(moment: dt.datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
