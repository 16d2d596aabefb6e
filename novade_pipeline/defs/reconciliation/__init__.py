"""Segment and Amplitude side by side: what would be lost if Segment were switched off.

dbt compares the two (`dbt/models/marts/segment`); what is here reads its mart `reconciliation`.
Read in this order: `comparison` (what the mart says of some days, and what is wrong with it),
`report` (the page), `checks`, `assets` and `commands` (the wiring).
"""
