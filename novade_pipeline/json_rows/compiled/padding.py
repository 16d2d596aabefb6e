"""How far compiled code may read past the end of the text that it is given."""

PADDING = 16
"""Bytes behind the last line of a chunk that belong to no line."""
