"""Tell people when something is wrong: once when it begins, once when it is over, and again while it lasts.

What is wrong follows from what is recorded and published (`loupan.alerts.conditions`); who is told what is set in
``alerts.toml``. Whoever evaluates (Dagster's sensor every minute, ``loupan alerts check`` from cron) does it under one
lock.
"""

from loupan.alerts.config import AlertsConfig, AlertsError, read_config
from loupan.alerts.finding import Kind, Severity
from loupan.alerts.run import Alert, Report, check, last_checked, open_alerts, recent_alerts, try_recipients

__all__ = [
    "Alert",
    "AlertsConfig",
    "AlertsError",
    "Kind",
    "Report",
    "Severity",
    "check",
    "last_checked",
    "open_alerts",
    "read_config",
    "recent_alerts",
    "try_recipients",
]
