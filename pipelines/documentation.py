"""What describes the data, made after publishing: dbt's documentation pages, and the way from CRM column to metric."""

import dagster as dg

from loupan.i18n import marked
from loupan.lineage import write_lineage
from loupan.settings import Settings
from pipelines import dbt_runner
from pipelines.dbt_docs import write_dbt_docs
from pipelines.lineage import whole_lineage
from pipelines.progress import Reporter
from pipelines.publish import SNAPSHOT
from pipelines.transform import OWNERS

# No postponed annotations here: Dagster reads those of the functions inside functions.


def build_documentation_asset(settings: Settings) -> dg.AssetsDefinition:
    """Return the asset of the documentation, downstream of the snapshot: nobody waits for it to see new numbers."""

    @dg.asset(
        deps=[SNAPSHOT],
        group_name="publish",
        owners=OWNERS,
        kinds={"json"},
        description="dbt's documentation pages, and the way from each column of the CRM to the metrics.",
    )
    def documentation(reporter: dg.ResourceParam[Reporter]) -> dg.MaterializeResult[None]:
        step = reporter.step(marked("Describing the data"))
        write_dbt_docs(settings.dbt_docs_dir, dbt_runner.read_manifest(settings))
        lineage = whole_lineage(settings)
        write_lineage(settings, lineage)
        step.finish()
        return dg.MaterializeResult(metadata={"tables": len(lineage.tables), "metrics": len(lineage.metrics)})

    return documentation
