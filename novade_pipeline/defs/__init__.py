"""One folder a domain, and nothing else: each is discovered by `graph.domains`.

To read in this order: a domain's `tables`, then its `assets`; its `__init__` says the rest. A
domain imports nothing of another but its `tables`, and nothing of `execution` or `definitions`.
"""
