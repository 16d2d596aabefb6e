"""Topics of a broker that speaks Kafka's protocol: offsets, bounded batches, quarantine.

A topic becomes a table exactly once, without a consumer group and without a checkpoint folder: the
next offset of each partition is recorded in the commit that holds the rows. Read in this order:
`topic` and `tables` (what is declared), `offsets` (what the table has and what the broker has),
`broker` (the client), `load`. What executors do: `work`, with `records`, `values` (`lines`,
`avro` and its `registry`) and `rows`.
"""
