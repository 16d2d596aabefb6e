"""Which drugs are mentioned by which publications and journals, from files in landing.

Belongs here: what the files are called and hold (`landed_files`, `rows`, `repairs`,
`split_trials`), which names occur in a title (`folding`, `matcher`), the mentions
(`title_mentions`, `drug_mentions`), the graph that they make (`graph`, `graph_page`) and the
questions that it answers (`graph_queries`).
"""
