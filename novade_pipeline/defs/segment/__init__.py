"""Segment's history: the tables of its BigQuery warehouse, from files of `EXPORT DATA`.

Belongs here: the files' paths and sources (`landed_files`), which columns a row has and what of a
record becomes JSON (`shapes`), rows from Arrow batches of Parquet (`normalized`, `json_columns`,
`json_objects`, `columnar`) and from records of Avro and JSON (`records`), and the statements that
export a dataset (`export_sql`).
"""
