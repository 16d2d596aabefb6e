"""httpx logs each request's URL at INFO; a key in a query string must not be in it."""

import logging
from urllib.parse import urlsplit, urlunsplit


class _WithoutQueries(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Pass every record on, its URLs without query and user."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                _redacted(str(arg)) if "://" in str(arg) else arg for arg in record.args
            )
        return True


_FILTER = _WithoutQueries()


def redact_queries() -> None:
    """Remove query strings from httpx's log; idempotent."""
    logging.getLogger("httpx").addFilter(_FILTER)


def _redacted(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
