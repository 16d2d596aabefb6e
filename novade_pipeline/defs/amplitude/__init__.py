"""Amplitude: product events and merged users, from hourly export files in landing.

Belongs here, in reading order: the names of export files (`export_files`) and their row models
(`tables`); copies of events (`repeats`) and merged users (`identities`); the Export API
(`export_api`), from which hours of the past land (`history`); the wiring.
"""
