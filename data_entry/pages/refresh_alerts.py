"""What is wrong with refreshes, data and figures at the moment, as the alerts say it."""

from __future__ import annotations

import streamlit as st

from data_entry.pages.desk import Desk
from loupan import alerts, ui
from loupan.alerts import Severity
from loupan.errors import LoupanError
from loupan.settings import get_settings


def draw(desk: Desk) -> None:
    """Draw the open alerts; that all is well, and when that was found out, where there are none."""
    t, settings = desk.t, get_settings()
    ui.section(t("What is wrong"))
    try:
        checked = alerts.last_checked(settings)
        found = alerts.open_alerts(settings, desk.language)
    except LoupanError as error:
        st.error(ui.sentence(str(error)), icon=":material/error:")
        return
    if checked is None:
        ui.message(
            t(
                "Nobody has looked yet: alerts are evaluated while Dagster runs, or by the command "
                "“loupan alerts check”."
            )
        )
        return
    for alert in found:
        said = [f"**{ui.sentence(alert.headline)}**", *map(ui.sentence, alert.lines), ui.sentence(alert.remedy)]
        show = st.error if alert.severity == Severity.URGENT else st.warning
        show("  \n".join(said), icon=":material/notifications_active:")
    moment = desk.formats.moment(checked, desk.zone.key)
    ui.message(t("Looked at {moment}.", moment=moment) if found else t("Nothing. Looked at {moment}.", moment=moment))
