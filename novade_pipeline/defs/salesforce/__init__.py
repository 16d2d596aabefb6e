"""A Salesforce organisation: its objects as tables, with the fields that its describe names.

Belongs here: what a table must have of each object (`records`, `activity_records`,
`organisation_records`, `tables`), the fields that the organisation has (`fields`, `precision`) and
its answers as rows (`rows`); how it is logged in to (`log_in`), asked over HTTP (`session`) and by
simple-salesforce (`organisation`); what a load does (`load`: a `watermark` kept with the table,
`slices` of a long history, a `spool` on the disk, `quarantine`, `sweep` with its `reconciliation`
for hard deletes and what came late); and their wiring.
"""
