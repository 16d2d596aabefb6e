"""A made-up Salesforce organisation: its records, their changes, and its HTTP API.

Begin with `api`. Records: `fields`, `objects` and `schema` define objects, `generation` and the
modules `…_rows` generate records, `tables`, `bulk_data`, `deletions`, `schema_changes` and `org`
store and change them. Resources: `rest` with `describe`, `bulk` and `jobs`, `replication`,
`composite` and `limits`, based on `soql`, `wire`, `java_numbers` and `responses`. Every request:
`versions`, `transport`, `log_in`, and `faults`.

Responses follow the documentation, and where that is silent what people report: each module cites
its sources, and says what is made up.
"""
