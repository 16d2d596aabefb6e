"""A Drift workspace, a chat service that is closing: read as long as it answers, then frozen.

Belongs here: what the service says (`tables`, `service_rows`), which conversations there are
(`listing`), reading what belongs to them (`reader`), what that changes in the lake (`writer`,
`load`), whether it fits together (`integrity`), the complete verified copy and what it freezes
(`final_export`, `spool`, `manifest`), persons who are erased from it (`copies`), and their wiring.
How an API is asked belongs to `novade_pipeline.api`.
"""
