"""What the parsers of lines and those who hand lines to them agree on."""

from typing import Any

import numpy as np

Text = np.ndarray[Any, np.dtype[np.uint8]]

BOM = b"\xef\xbb\xbf"
OTHER_FIELDS = "other_fields"
"""The column of the fields that have none."""
RAW_BYTES = 64 * 2**10
"""How many bytes of a bad line or value its quarantine has."""
