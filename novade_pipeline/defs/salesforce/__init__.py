"""A Salesforce organisation: its objects as tables, with the fields that its describe names.

Belongs here, in reading order: the row models (`records`, `person_records`, `activity_records`,
`organisation_records`) and `tables`; the organisation's fields (`fields`, `precision`) and the
parsing of its answers (`rows`); log-in (`log_in`), HTTP (`session`, `responses`) and
simple-salesforce (`organisation`); the load (`load`, with `watermark`, `slices`, `spool`,
`quarantine`; `sweep` and `reconciliation` for hard deletes and late changes); the wiring.
"""
