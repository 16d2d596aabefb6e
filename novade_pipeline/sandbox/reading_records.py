"""Sensor readings as the topic `iot_readings` has them, and the faults of real devices.

A device measures once a minute, its metrics in turn, and counts its readings. What it measures is
a function of (seed, device, sequence).
"""

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from novade_pipeline.sandbox.producing import Record

TOPIC = "iot_readings"
BIG_BYTES = 20 * 2**20
# Metric: (mean, amplitude over a day, noise), and the units that firmwares send with their scale.
_METRICS: dict[str, tuple[float, float, float, tuple[tuple[str, float, float], ...]]] = {
    "temperature": (21.0, 4.0, 0.3, (("C", 1, 0), ("°F", 1.8, 32), ("K", 1, 273.15))),
    "humidity": (45.0, 10.0, 1.0, (("%", 1, 0),)),
    "pressure": (1013.0, 6.0, 0.5, (("hPa", 1, 0), ("kPa", 0.1, 0))),
    "battery": (80.0, 5.0, 0.2, (("%", 1, 0),)),
}
_OF_DEVICES = (("temperature", "humidity"), ("temperature",), ("pressure", "battery"))
_IMPOSSIBLE = {"temperature": -300.0, "humidity": 250.0, "pressure": -1.0, "battery": 900.0}
_BROKEN = ("no JSON", "no number", "no device", "the year 9999", "deleted")
LATE_READINGS = 40


def readings(
    seed: int, count: int, as_of: datetime, *, devices: int = 50, faults: bool = False, big: int = 0
) -> Iterator[Record]:
    """Records of `count` readings, the newest measured at `as_of`, in the order in which they come.

    Args:
        devices: how many; a device's readings are equally many.
        faults: with what real devices do: gaps, resent readings, late batches, numbers as texts,
            impossible values, wrong clocks, records that are none.
        big: so many records of 20 MB at the end.
    """
    rounds = math.ceil(count / devices)
    begin = as_of - timedelta(minutes=rounds - 1)
    late: dict[int, list[Record]] = {}
    rng = Random(f"{seed}:readings")
    for number in range(count):
        at, device = divmod(number, devices)
        record, reading = _reading(seed, device, at + 1, begin + timedelta(minutes=at))
        if not faults:
            yield record
            continue
        if device in late:
            late[device].append(record)
            if len(late[device]) >= LATE_READINGS:
                yield from late.pop(device)
            continue
        chance = rng.random()
        if chance < 0.01:
            # Never sent: a gap.
            continue
        if chance < 0.0105:
            late[device] = [_faulty(reading, "late")]
            continue
        yield from _with_faults(record, reading, device, rng)
    for batch in late.values():
        yield from batch
    for number in range(big):
        _, reading = _reading(seed, number % devices, rounds + 1, as_of)
        yield _faulty(reading | {"log": "x" * BIG_BYTES}, "20 MB")


def _reading(
    seed: int, device: int, sequence: int, measured_at: datetime
) -> tuple[Record, dict[str, Any]]:
    metrics = _OF_DEVICES[device % len(_OF_DEVICES)]
    metric = metrics[sequence % len(metrics)]
    mean, amplitude, noise, units = _METRICS[metric]
    unit, factor, shift = units[device % len(units)]
    rng = Random(f"{seed}:{device}:{sequence}")
    hour = measured_at.hour + measured_at.minute / 60
    value = mean + amplitude * math.sin(math.tau * (hour - 9) / 24) + rng.gauss(0, noise)
    reading = {
        "device_id": f"sensor-{device:04d}",
        "metric": metric,
        "value": round(value * factor + shift, 3),
        "unit": unit,
        "measured_at": measured_at.replace(tzinfo=None).isoformat(timespec="seconds") + "Z",
        "sequence": sequence,
        "firmware": f"{1 + device % 3}.{device % 10}",
        "rssi": -40 - rng.randrange(50),
    }
    return Record(str(reading["device_id"]), _json(reading)), reading


def _with_faults(
    record: Record, reading: dict[str, Any], device: int, rng: Random
) -> Iterator[Record]:
    if device % 7 == 3:
        # A firmware that sends numbers as texts, some with a comma.
        text = str(reading["value"])
        reading |= {"value": text.replace(".", ",") if device % 2 else text}
        record = _faulty(reading, "a number as a text")
    chance = rng.random()
    if chance < 0.02:
        yield record
        yield _faulty(reading, "resent")
    elif chance < 0.024:
        yield _faulty(reading | {"value": _IMPOSSIBLE[reading["metric"]]}, "an impossible value")
    elif chance < 0.027:
        ahead = datetime.fromisoformat(reading["measured_at"]) + timedelta(days=400)
        text = ahead.replace(tzinfo=None).isoformat() + "Z"
        yield _faulty(reading | {"measured_at": text}, "a clock ahead")
    elif chance < 0.03:
        yield _faulty(reading | {"unit": rng.choice(["furlong", ""])}, "an unknown unit")
    elif chance < 0.035:
        yield _broken(reading, rng.choice(_BROKEN))
        yield record
    else:
        yield record


def _broken(reading: dict[str, Any], fault: str) -> Record:
    key = str(reading["device_id"])
    if fault == "deleted":
        return Record(key, None, fault)
    values = {
        "no JSON": _json(reading)[:-5],
        "no number": _json(reading | {"value": "n/a"}),
        "no device": _json(reading | {"device_id": None}),
        "the year 9999": _json(reading | {"measured_at": "9999-12-31T23:59:59Z"}),
    }
    return Record(key, values[fault], fault)


def _faulty(reading: dict[str, Any], fault: str) -> Record:
    return Record(str(reading["device_id"]), _json(reading), fault)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
