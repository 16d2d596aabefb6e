"""Amplitude: product events and merged users, from hourly export files in landing."""
