"""Dagster's daemon looks every minute whether something is wrong, and tells who is to be told."""

import datetime as dt

import dagster as dg

from loupan.settings import Settings

# No postponed annotations here: Dagster reads those of the functions inside functions.

EVERY_SECONDS = 60


def build_alerts_sensor(settings: Settings) -> dg.SensorDefinition:
    """Return the sensor; it starts no runs, and its log in Dagster's UI says what it did."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Evaluates what is wrong every minute, and sends the alerts that are due (`loupan alerts`).",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        # Not at the top: it brings pandas along, which a refresh may do without.
        from loupan import alerts

        report = alerts.check(settings, dt.datetime.now(dt.UTC))
        if report.is_busy:
            return dg.SkipReason("Another process is evaluating.")
        for problem in report.problems:
            context.log.warning(problem)
        for delivery in report.deliveries:
            if delivery.error:
                context.log.warning(f"{delivery.recipient}: {delivery.error}")
        told = sum(delivery.error is None for delivery in report.deliveries)
        return dg.SkipReason(f"{len(report.open)} open, {told} of {len(report.deliveries)} messages taken.")

    return sensor
