"""A made-up Salesforce organisation: its records and how they change, and its HTTP interface.

`api` is the way in. Records: `schema` and `fields` say what objects have, `generation` and the
modules `…_rows` make them up, `tables`, `bulk_data`, `deletions` and `org` hold and change them.
Answers: `rest` with `describe`, `bulk` and `jobs`, `replication`, `composite` and `limits`, made
with `soql`, `wire`, `java_numbers` and `responses`; `versions` and `transport` refuse what no
resource answers; `log_in`, and what goes wrong in `faults`.

It answers as the documentation says the real one does, and where that is silent as people report:
each module names the page or the thread for its rules, and says what is made up.
"""
