"""Assets of publications: landed records, mentions, the drug graph and its answers."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pyarrow as pa

from novade_pipeline.defs.publications.drug_mentions import deduplicate
from novade_pipeline.defs.publications.graph import (
    PICTURE,
    SCHEMA_FILE,
    Graph,
    counts,
    drug_graph,
    violations,
)
from novade_pipeline.defs.publications.graph_page import graph_page
from novade_pipeline.defs.publications.graph_queries import (
    all_related_drugs,
    journals_by_drug_count,
    stored_graph,
)
from novade_pipeline.defs.publications.landed_files import CLINICAL_TRIALS, DRUGS, PUBMED_ARTICLES
from novade_pipeline.defs.publications.tables import (
    DRUG_MENTIONS,
    JOURNALS_BY_DRUG_COUNT,
    PUBLICATIONS,
    RELATED_DRUGS,
    TITLE_MENTIONS,
)
from novade_pipeline.defs.publications.tables import DRUGS as DRUGS_TABLE
from novade_pipeline.defs.publications.title_mentions import find_changed_mentions, known_drugs
from novade_pipeline.graph.derived_assets import derived_asset
from novade_pipeline.graph.landing_assets import landing_assets
from novade_pipeline.graph.table_assets import (
    check_columns,
    check_specs,
    dagster_failures,
    follows_its_sources,
    key_of,
    materialized,
    table_metadata,
    table_spec,
)
from novade_pipeline.lake.delta import current_version, replace
from novade_pipeline.lake.documents import write_document
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

SOURCES = (DRUGS, PUBMED_ARTICLES, CLINICAL_TRIALS)
GRAPH = dg.AssetKey(["publications", "drug_graph"])
SCHEMA_CHECK = "document_follows_its_schema"
_FIELDS = dg.TableSchema(
    columns=[
        dg.TableColumn("name", "string", "The drug, one object of the list `drugs`."),
        dg.TableColumn("atccode", "string", "Its code in the ATC classification."),
        dg.TableColumn("pubmed_articles", "list", "PubMed articles that mention it, dated."),
        dg.TableColumn("clinical_trials", "list", "Clinical trials that mention it, dated."),
        dg.TableColumn("journals", "list", "Journals that mention it, with each date."),
    ]
)


@dg.asset(
    key=GRAPH,
    metadata={"dagster/column_schema": _FIELDS},
    group_name="publications",
    kinds={"python", "json"},
    owners=["team:data-platform"],
    tags={"written": "document"},
    deps=[key_of(DRUG_MENTIONS), key_of(DRUGS_TABLE)],
    io_manager_key="documents",
    automation_condition=follows_its_sources(),
    check_specs=[
        dg.AssetCheckSpec(
            SCHEMA_CHECK,
            asset=GRAPH,
            blocking=True,
            description=f"The document conforms to {SCHEMA_FILE.name}.",
        )
    ],
    pool="publications_drug_graph",
)
def _drug_graph(lake: dg.ResourceParam[Store]) -> Iterator[dg.MaterializeResult[Any]]:
    """Drugs with the PubMed articles, clinical trials and journals that mention them, dated.

    A JSON document, whose JSON Schema ships with the package; beside it is the graph as a page.
    """
    with dagster_failures():
        drugs = [(names.drug, names.atccode) for names in known_drugs(lake)]
        graph = drug_graph(drugs, read(lake, DRUG_MENTIONS).to_pylist())
        write_document(lake, graph_page(graph).encode(), *PICTURE)
    broken = violations(graph)
    sizes = counts(graph)
    yield dg.MaterializeResult(
        value=graph,
        metadata={
            **sizes,
            "dagster/row_count": sizes["drug_publication_mentions"],
            "picture": dg.MetadataValue.url(lake.child(*PICTURE)),
            "picture_path": dg.MetadataValue.path(lake.path(*PICTURE)),
            "schema": dg.MetadataValue.path(str(SCHEMA_FILE)),
        },
        check_results=[
            dg.AssetCheckResult(
                passed=not broken,
                check_name=SCHEMA_CHECK,
                asset_key=GRAPH,
                severity=dg.AssetCheckSeverity.ERROR,
                description=f"The document breaks {SCHEMA_FILE.name} in "
                f"{counted(len(broken), 'place')}, first: {broken[0]}; correct the code that makes "
                "it, or the schema."
                if broken
                else None,
                metadata={"broken": dg.MetadataValue.json(broken)},
            )
        ],
    )


def _answer_asset(
    table: Table, rows_of: Callable[[Graph], list[dict[str, Any]]]
) -> dg.AssetsDefinition:
    """The asset of a table that is derived from the drug graph alone."""

    @dg.multi_asset(
        name=table.name.replace("/", "_"),
        specs=[
            table_spec(
                table, kinds={"python"}, automation_condition=follows_its_sources()
            ).replace_attributes(deps=[GRAPH])
        ],
        check_specs=check_specs(table),
        pool=table.name.replace("/", "_"),
    )
    def answers(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        receipts = []
        with dagster_failures():
            rows = pa.Table.from_pylist(rows_of(stored_graph(lake)), schema=table.schema)
            order = [(name, "ascending") for name in table.key]
            stored = read(lake, table).sort_by(order)
            if current_version(lake, table) is None or not rows.sort_by(order).equals(stored):
                receipts.append(replace(lake, table, rows))
        metadata = table_metadata(lake, table, receipts)
        yield materialized(context, key_of(table), metadata, [check_columns(lake, table)])

    return answers


def _journal_rows(graph: Graph) -> list[dict[str, Any]]:
    return [
        {
            "rank": journal.rank,
            "journal": journal.name,
            "drug_count": len(journal.drugs),
            "drugs": list(journal.drugs),
        }
        for journal in journals_by_drug_count(graph)
    ]


def _related_rows(graph: Graph) -> list[dict[str, Any]]:
    return [
        {"drug": drug, "related_drug": related.drug, "journals": list(related.journals)}
        for drug, related in all_related_drugs(graph)
    ]


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of publications."""
    return dg.Definitions(
        assets=[
            landing_assets(settings, "publications", SOURCES),
            derived_asset(
                TITLE_MENTIONS, find_changed_mentions, (DRUGS_TABLE, *PUBLICATIONS.values())
            ),
            derived_asset(DRUG_MENTIONS, lambda lake, _: deduplicate(lake), (TITLE_MENTIONS,)),
            _drug_graph,
            _answer_asset(JOURNALS_BY_DRUG_COUNT, _journal_rows),
            _answer_asset(RELATED_DRUGS, _related_rows),
        ]
    )
