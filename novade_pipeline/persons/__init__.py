"""Who a row is about: marks, names, how names of one person are connected, and how it is forgotten.

Nothing here reads or writes the lake. A table says by marks which of its columns name a person, so
that a domain that is added later is erased from without editing anything central.
"""
