"""A music streaming service that is read through its paged REST API.

Belongs here: what the service says (`tables`, `service_rows`), reading all of it although it
changes meanwhile (`stable_read`), what that changes in the lake (`load`), what the
lake held at some moment (`as_of`), and their wiring. How an API is asked belongs to
`novade_pipeline.api`.
"""
