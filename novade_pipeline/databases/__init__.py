"""Tables of relational databases: what is declared, full and incremental reads, deletions.

A table is read as Arrow in bounded memory and merged into the lake by its key; how far it was read
is recorded in the commit that has the rows. Read in this order: `declaration` and `kinds` (what is
declared, and the lake's table of it), `database` (the URL, statements, what errors mean), `sql`
(the statements of each dialect), `reader` (rows as Arrow), `feeds` with `logical_decoding` and
`change_tracking` (the keys of what changed), `comparison` and `differences`, `sweep`, `load`.
Columns are compared with the database's in `reflection`.
"""
