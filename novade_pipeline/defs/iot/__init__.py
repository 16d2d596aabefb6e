"""Sensor readings, from the topic `iot_readings`.

Belongs here, in reading order: the row models (`tables`), units and physical ranges (`units`), how
a value becomes a row (`topic`), repeats, devices and gaps (`sequences`); the wiring.
"""
