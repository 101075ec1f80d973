"""Build the marts of an installation once, with the engine that the settings name."""

from loupan.settings import get_settings
from pipelines import dbt_runner, spark

if __name__ == "__main__":
    settings = get_settings()
    build = spark.build if settings.engine == "spark" else dbt_runner.build
    broken = build(settings, lambda node: None).broken
    if broken:
        raise SystemExit("; ".join(broken))
