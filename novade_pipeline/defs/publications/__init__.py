"""Which drugs are mentioned by which publications and journals, from files in landing.

Belongs here: names and contents of the files (`landed_files`, `rows`, `repairs`, `split_trials`),
finding drug names in titles (`folding`, `matcher`), the mentions (`title_mentions`,
`drug_mentions`), the graph made of them (`graph`, `graph_page`) and its queries (`graph_queries`).
"""
