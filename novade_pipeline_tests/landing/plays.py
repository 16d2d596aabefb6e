"""Lines of the small domain in `conftest.py`."""

import json
from typing import Any


def play(uuid: str, **fields: Any) -> bytes:
    """A line of one play, without its newline."""
    return json.dumps({"uuid": uuid, **fields}, separators=(",", ":")).encode()
