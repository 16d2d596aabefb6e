"""Personal data: what is marked as such, what becomes of it, who a row is about, and forgetting.

Read in this order: `policy` (marks of personal data and what becomes of it at the first write),
`identifiers` (of persons, in the form in which equal ones are equal), `marks` (columns that say who
a row is about), `closure` (all identifiers of a person), `lookup`, `forget` (rows without those of
erased persons); `json_text` reads and writes JSON so that only what is meant to changes.
Nothing here reads or writes the lake. A domain that is added later is erased from by its marks.
"""
