"""A Salesforce organisation: its objects as tables, with the fields that its describe names.

Belongs here: what a table must have of each object (`records`, `tables`), the fields that the
organisation has (`fields`) and its answers as rows (`rows`), how it is logged in to and asked
(`log_in`, `session`, `organisation`), what a load does (`slices`, `load`, `sweep`, `watermark`),
and their wiring.
"""
