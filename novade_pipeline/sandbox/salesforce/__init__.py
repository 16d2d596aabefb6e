"""A made-up Salesforce organisation: its records and how they change, and its HTTP interface.

`api` is the way in. Records: `schema` and `fields` say what objects have, `generation` and the
modules `…_rows` make them up, `tables`, `many` and `org` hold and change them. Answers: `rest`,
`bulk` and `jobs` with `soql`, `wire` and `responses`; `log_in`, and what goes wrong in `mischief`.
"""
