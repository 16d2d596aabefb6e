"""A Drift workspace, a chat service that is closing: read while it answers, then frozen.

Belongs here, in reading order: the row models and their parsing (`tables`, `service_rows`); the
list of conversations (`listing`), the items of each (`reader`), the load into the lake (`writer`,
`load`), its consistency (`integrity`); the verified copy that freezes the tables (`final_export`,
`spool`, `manifest`) and erasure from it (`copies`); the wiring.
"""
