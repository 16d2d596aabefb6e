"""Sensor readings, from the topic `iot_readings`.

Belongs here, in reading order: the row models (`tables`), units and physical ranges (`units`), how
a value becomes a row (`topic`), readings without repeats (`readings`), devices and gaps
(`devices`); the wiring.
"""
