"""HTTP APIs: authentication, paging, request budgets, retries.

To read in this order: `contract` (an API and its answers as plain data), `auth`, `request_budget`,
`retry`, `urls`, `client` (one request), `paging` (from pages to items), `items` (an item as a row)
and `quarantine` (items that are not valid rows). What an API's items mean belongs to its domain.
`client` and `paging` import httpx and tenacity: what the graph loads imports them where it uses
them.
"""
