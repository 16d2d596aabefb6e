"""Spark: its settings, and the right to start a session. It has no tables of its own."""
