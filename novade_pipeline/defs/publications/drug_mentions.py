"""Deduplicates mentions: each drug once per publication, however many copies landed."""

import tempfile

from novade_pipeline.defs.publications.tables import DRUG_MENTIONS, TITLE_MENTIONS
from novade_pipeline.lake.delta import WriteReceipt, replace
from novade_pipeline.lake.derived import is_current, source_of
from novade_pipeline.lake.query import open_database, sql_literal
from novade_pipeline.lake.read import stream
from novade_pipeline.storage.store import Store

MEMORY = "1GB"

_DEDUPLICATE = """
WITH named AS (
    SELECT *, coalesce(
        id,
        min(id) OVER (PARTITION BY kind, folded_title, date),
        'title:' || left(sha256(folded_title || ' ' || date::VARCHAR), 16)
    ) AS publication
    FROM mentions
),
last_copies AS (
    SELECT * FROM named
    QUALIFY rank() OVER (
        PARTITION BY kind, publication
        ORDER BY (id IS NOT NULL) DESC, file DESC, record DESC
    ) = 1
),
spelt AS (
    SELECT folded_journal, journal FROM last_copies
    WHERE journal IS NOT NULL
    GROUP BY folded_journal, journal
    QUALIFY row_number() OVER (
        PARTITION BY folded_journal ORDER BY count(*) DESC, journal
    ) = 1
)
SELECT drug, atccode, kind, publication, id, title, date, spelt.journal AS journal, found, file,
    line
FROM last_copies LEFT JOIN spelt USING (folded_journal)
ORDER BY drug, date, kind, publication
"""


def deduplicate(lake: Store) -> list[WriteReceipt]:
    """Rewrite the table if the mentions have changed; returns no receipt if they have not."""
    name, version = source_of(lake, TITLE_MENTIONS)
    sources = {name: version}
    if is_current(lake, DRUG_MENTIONS, sources, [TITLE_MENTIONS]):
        return []
    with (
        tempfile.TemporaryDirectory(prefix="novade-spool-") as spool,
        open_database(":memory:") as connection,
    ):
        connection.execute(
            f"SET memory_limit = {sql_literal(MEMORY)}; SET temp_directory = {sql_literal(spool)}"
        )
        mentions = stream(lake, TITLE_MENTIONS, version=None if version < 0 else version)
        # A stream can be read only once, and the query reads its source twice.
        connection.register("streamed", mentions)
        connection.execute("CREATE TABLE mentions AS FROM streamed")
        rows = connection.execute(_DEDUPLICATE).to_arrow_reader(16_384)
        return [replace(lake, DRUG_MENTIONS, rows, transactions=sources)]
