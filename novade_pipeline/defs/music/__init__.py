"""A music streaming service that is read through its paged REST API.

Belongs here: the service's lists as tables (`tables`, `service_rows`), reading a list completely
while it changes (`stable_read`), merging it into the lake (`load`), past versions of the tables
(`as_of`), and their wiring. Requests and paging belong to `novade_pipeline.api`.
"""
