"""Erasure of a person: their identifiers in all systems, their rows, and tombstones."""
