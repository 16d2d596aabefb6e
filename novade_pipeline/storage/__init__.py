"""Object storage: one contract for the local disk and Azure Data Lake Storage.

Read in this order: `store` (the contract), `locations` (from a URL to a store), `local`; then
`azure` with its credentials (`azure_access`, `azure_credentials`), its blobs as files
(`azure_objects`, `iterable_stream`) and what its errors mean (`azure_errors`).
Nothing here knows tables, landed files or Dagster. The Azure SDK is imported where it is used.
"""
