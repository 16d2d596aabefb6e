"""A Drift workspace, a chat service that is closing: read as long as it answers, then frozen.

Belongs here: what the service says (`tables`), reading it (`reading`), what that changes in the
lake (`load`), the complete verified copy and what it freezes (`final_export`), and their wiring.
How an API is asked belongs to `novade_pipeline.api`.
"""
