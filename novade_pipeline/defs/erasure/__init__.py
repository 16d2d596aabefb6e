"""Erasing a person: who it is in all systems, every trace of theirs, and that it stays away."""
