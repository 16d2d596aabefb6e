"""HTTP APIs: who we are to them, how they page, how often they may be asked, what is tried again.

Belongs here: `contract` (an API and its answers as plain data), `auth` (schemes), `request_budget`
(the request budget), `retry` (what passes, and how long to wait), `client` (one request and all
that can become of it), `paging` (from pages to items), `items` (an item as a row) and `quarantine`
(the quarantine of those that are none). What an API's items mean belongs to its domain. `client`
and `paging` import httpx and tenacity: what the graph loads imports them where it uses them.
"""
