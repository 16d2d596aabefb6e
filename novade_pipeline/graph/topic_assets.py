"""Assets, checks, sensor and job of a domain whose data arrives as topics of a broker.

A domain's `topic.py` declares `TOPICS`, and its `assets.py` puts `topic_definitions` together with
what it derives from them. One step loads all topics of a domain: asset `<domain>/<table>` of each,
and their quarantine.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from novade_pipeline.graph.access import lake_probes, require
from novade_pipeline.graph.api_assets import require_configured, skipped_tables
from novade_pipeline.graph.load_jobs import load_job
from novade_pipeline.graph.spark_sessions import SparkSessions
from novade_pipeline.graph.stream_settings import NOT_CONFIGURED, StreamSettings
from novade_pipeline.graph.table_assets import (
    QUARANTINE_CHECK,
    check_columns,
    check_fresh,
    check_result,
    check_specs,
    dagster_failures,
    key_of,
    materialized,
    quarantine_checks,
    reasons_of,
    table_metadata,
    table_spec,
)
from novade_pipeline.graph.topic_loads import lag_of, loader_of
from novade_pipeline.graph.topic_sensor import topic_sensor
from novade_pipeline.lake.delta import WriteReceipt
from novade_pipeline.lake.read import count_by, newest, read
from novade_pipeline.lake.table import Table
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store
from novade_pipeline.streams.broker import BrokerClient
from novade_pipeline.streams.topic import Topic

if TYPE_CHECKING:
    from novade_pipeline.streams.load import LoadReport

LOST_CHECK = "no_offsets_lost"
LAG_CHECK = "lag_within_limit"


def topic_step(domain: str) -> str:
    """The name of the step that loads a domain's topics."""
    return f"{domain}_topics"


def topic_definitions(settings: Settings, domain: str, topics: Sequence[Topic]) -> dg.Definitions:
    """The assets (tables and quarantine), the sensor and the job `load_<domain>` of a domain.

    Without `NOVADE_STREAMS_BROKERS` the assets are there and are skipped by a load of everything.

    Args:
        topics: all of the domain's.
    """
    return dg.Definitions(
        assets=[topic_assets(settings, domain, topics)],
        jobs=[load_job(domain)],
        sensors=[topic_sensor(settings, domain, topics)],
    )


def topic_assets(settings: Settings, domain: str, topics: Sequence[Topic]) -> dg.AssetsDefinition:
    """Builds the step that loads a domain's topics."""
    streams = settings.of(StreamSettings)
    missing = NOT_CONFIGURED if streams.brokers is None else None
    quarantines = list(dict.fromkeys(topic.quarantine for topic in topics))
    tables = [topic.table for topic in topics]

    @dg.multi_asset(
        name=topic_step(domain),
        specs=[
            *(table_spec(table, kinds={"kafka", "pyspark"}) for table in tables),
            *(
                table_spec(q, deps=[t.table for t in topics if t.quarantine == q])
                for q in quarantines
            ),
        ],
        check_specs=[
            *(spec for topic in topics for spec in _check_specs(streams, topic)),
            *(
                spec
                for quarantine in quarantines
                for spec in quarantine_checks(
                    quarantine, "Every record could be read; warns with the reasons."
                )
            ),
        ],
        can_subset=True,
        pool=topic_step(domain),
    )
    def load_topics(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Store],
        spark: dg.ResourceParam[SparkSessions],
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """Load what is new in the topics that are selected."""
        require_configured(context, missing)
        selected = context.selected_asset_keys
        if missing:
            for table, metadata in skipped_tables(
                lake, [t for t in (*tables, *quarantines) if key_of(t) in selected], missing
            ):
                yield materialized(context, key_of(table), metadata, [check_columns(lake, table)])
            return
        with dagster_failures():
            require(*lake_probes(lake))
        loader = loader_of(settings, lake, spark)
        bad: dict[Table, list[WriteReceipt]] = {quarantine: [] for quarantine in quarantines}
        for topic in topics:
            if key_of(topic.table) not in selected:
                continue
            with dagster_failures():
                report = loader.load(topic, context.log.info)
                lag = lag_of(BrokerClient(loader.broker), lake, topic)
            bad[topic.quarantine] += _present(report.quarantine)
            metadata = topic_metadata(lake, topic, report) | _lag_metadata(lag)
            if spark.web_address is not None:
                metadata["spark_page"] = spark.web_address
            results = _check_results(settings, streams, lake, topic, lag)
            yield materialized(context, key_of(topic.table), metadata, results)
        for quarantine, receipts in bad.items():
            if key_of(quarantine) in selected:
                metadata = table_metadata(lake, quarantine, receipts)
                results = [check_columns(lake, quarantine), check_quarantined(lake, quarantine)]
                yield materialized(context, key_of(quarantine), metadata, results)

    return load_topics


def topic_metadata(lake: Store, topic: Topic, report: "LoadReport") -> dict[str, Any]:
    """The metadata of a load."""
    work = report.work
    seconds = report.receipt.seconds if report.receipt is not None else 0.0
    return table_metadata(lake, topic.table, _present(report.receipt)) | {
        "records_read": work.records,
        "records_quarantined": work.quarantined - work.repeated,
        "records_erased": work.erased,
        "records_remaining": report.remaining,
        "tombstones": work.tombstones,
        "offsets_lost": sum(part.size for part in report.lost),
        "value_bytes": work.value_bytes,
        "records_a_second": round(work.records / seconds) if seconds else 0,
    }


def check_lag(streams: StreamSettings, table: Table, lag: dict[str, Any]) -> dg.AssetCheckResult:
    """Warns if a table is further behind its topic than the settings allow."""
    records, seconds, problem = lag["lag_records"], lag["lag_seconds"], None
    if records > streams.max_lag_records or (records and seconds > streams.max_lag_seconds):
        problem = (
            f"{counted(records, 'offset')} are not read yet, and what is read ends {seconds:,.0f} "
            f"seconds ago; NOVADE_STREAMS_MAX_LAG_RECORDS allows {streams.max_lag_records:,} and "
            f"NOVADE_STREAMS_MAX_LAG_SECONDS {streams.max_lag_seconds:,g}. Load more often, or "
            "give the loads more cores."
        )
    return check_result(table, LAG_CHECK, problem, _lag_metadata(lag))


def check_lost(lake: Store, topic: Topic) -> dg.AssetCheckResult:
    """Fails if the broker had dropped offsets before they were read, and says which."""
    columns = ["topic", "generation", "partition", "offset", "lost"]
    rows = read(lake, topic.quarantine, columns=columns, where={"source": topic.source})
    ranges = [row for row in rows.to_pylist() if row["lost"]]
    problem = None
    if ranges:
        first = min(ranges, key=lambda row: (row["generation"], row["partition"], row["offset"]))
        more = f", and {counted(len(ranges) - 1, 'more range')}" if len(ranges) > 1 else ""
        problem = (
            f"The broker no longer had {counted(sum(r['lost'] for r in ranges), 'offset')} when "
            f"they were to be read: of topic {first['topic']}, partition {first['partition']}, "
            f"{first['offset']:,} to {first['offset'] + first['lost'] - 1:,}{more}. Load more "
            "often, or keep records longer; once this is understood, delete these rows of "
            f"{topic.quarantine.name}."
        )
    return check_result(
        topic.table,
        LOST_CHECK,
        problem,
        {"offsets_lost": sum(row["lost"] for row in ranges), "ranges": len(ranges)},
        severity=dg.AssetCheckSeverity.ERROR,
    )


def check_quarantined(lake: Store, quarantine: Table) -> dg.AssetCheckResult:
    """Warns if the quarantine has records."""
    counts = {k: n for k, n in count_by(lake, quarantine, "reason").items() if k is not None}
    rows, problem = sum(counts.values()), None
    if rows:
        problem = (
            f"{counted(rows, 'record')} could not be read: {reasons_of(counts)}. Correct them at "
            "their producer; all others are loaded."
        )
    return check_result(quarantine, QUARANTINE_CHECK, problem, {"rows": rows})


def _check_specs(streams: StreamSettings, topic: Topic) -> list[dg.AssetCheckSpec]:
    return [
        *check_specs(topic.table),
        dg.AssetCheckSpec(
            LOST_CHECK,
            asset=key_of(topic.table),
            description="The broker had every offset until it was read.",
        ),
        dg.AssetCheckSpec(
            LAG_CHECK,
            asset=key_of(topic.table),
            description="After a load the table is not further behind its topic than the settings "
            "allow, in records and in seconds.",
        ),
    ]


def _check_results(
    settings: Settings,
    streams: StreamSettings,
    lake: Store,
    topic: Topic,
    lag: dict[str, Any],
) -> Iterable[dg.AssetCheckResult]:
    yield check_columns(lake, topic.table)
    yield check_lost(lake, topic)
    yield check_lag(streams, topic.table, lag)
    if topic.table.data_time is not None:
        yield check_fresh(topic.table, newest(lake, topic.table), settings.freshness_hours)


def _lag_metadata(lag: dict[str, Any]) -> dict[str, Any]:
    return {**lag, "lag_partitions": dg.MetadataValue.json(lag["lag_partitions"])}


def _present(receipt: WriteReceipt | None) -> list[WriteReceipt]:
    return [] if receipt is None else [receipt]
