"""Units and physical ranges of metrics: a small table.

A range is what a sensor of that kind can measure; a value outside is a fault of the device.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

GREATEST = 1e15
"""No sensor measures more, whatever the metric."""


@dataclass(frozen=True)
class Metric:
    """What is measured.

    Attributes:
        unit: in which its values are stored.
        low: the least value in that unit.
        high: the greatest value.
    """

    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class Conversion:
    """From a unit as it is sent to a metric's: `value * factor + shift`.

    Attributes:
        unit: of the result.
        kind: `standard`, `converted`, `missing`, `unknown`.
        low: the least value of the result that is physically possible.
        high: the greatest.
    """

    unit: str | None
    kind: str
    factor: float = 1.0
    shift: float = 0.0
    low: float = -GREATEST
    high: float = GREATEST


METRICS: Mapping[str, Metric] = {
    "temperature": Metric("°C", -100, 200),
    "humidity": Metric("%", 0, 100),
    "pressure": Metric("hPa", 300, 1200),
    "co2": Metric("ppm", 0, 50_000),
    "battery": Metric("%", 0, 100),
    "voltage": Metric("V", -1_000, 1_000),
    "current": Metric("A", -1_000, 1_000),
    "power": Metric("W", -1_000_000, 1_000_000),
    "energy": Metric("kWh", 0, 1_000_000_000),
    "illuminance": Metric("lx", 0, 200_000),
    "noise": Metric("dB", 0, 200),
    "speed": Metric("m/s", -500, 500),
    "distance": Metric("m", 0, 100_000),
}
_NAMES: Mapping[str, str] = {"temp": "temperature", "rh": "humidity", "light": "illuminance"}

# As it is sent, in small letters -> (the metric's unit, factor, shift).
_UNITS: Mapping[str, tuple[str, float, float]] = {
    **dict.fromkeys(("°c", "c", "degc", "celsius"), ("°C", 1, 0)),
    **dict.fromkeys(("°f", "f", "degf", "fahrenheit"), ("°C", 5 / 9, -160 / 9)),
    **dict.fromkeys(("k", "kelvin"), ("°C", 1, -273.15)),
    **dict.fromkeys(("%", "percent", "%rh", "pct"), ("%", 1, 0)),
    **dict.fromkeys(("hpa", "mbar", "mb"), ("hPa", 1, 0)),
    "pa": ("hPa", 0.01, 0),
    "kpa": ("hPa", 10, 0),
    "bar": ("hPa", 1_000, 0),
    "psi": ("hPa", 68.947572931783, 0),
    "ppm": ("ppm", 1, 0),
    "ppb": ("ppm", 0.001, 0),
    **dict.fromkeys(("v", "volt"), ("V", 1, 0)),
    "mv": ("V", 0.001, 0),
    **dict.fromkeys(("a", "ampere"), ("A", 1, 0)),
    "ma": ("A", 0.001, 0),
    **dict.fromkeys(("w", "watt"), ("W", 1, 0)),
    "kw": ("W", 1_000, 0),
    "kwh": ("kWh", 1, 0),
    "wh": ("kWh", 0.001, 0),
    "mwh": ("kWh", 1_000, 0),
    "j": ("kWh", 1 / 3_600_000, 0),
    **dict.fromkeys(("lx", "lux"), ("lx", 1, 0)),
    **dict.fromkeys(("db", "dba", "db(a)"), ("dB", 1, 0)),
    "m/s": ("m/s", 1, 0),
    "km/h": ("m/s", 1 / 3.6, 0),
    "mph": ("m/s", 0.44704, 0),
    "m": ("m", 1, 0),
    "cm": ("m", 0.01, 0),
    "mm": ("m", 0.001, 0),
    "km": ("m", 1_000, 0),
    "ft": ("m", 0.3048, 0),
}


def metric_of(sent: str | None) -> str | None:
    """A metric's name in small letters, its short names written out; None for a blank one."""
    name = "_".join((sent or "").casefold().split())
    return _NAMES.get(name, name) or None


@cache
def conversion(metric: str | None, unit_sent: str | None) -> Conversion:
    """How values of a metric in a unit become values in the metric's unit.

    Args:
        metric: as `metric_of` returns it.
        unit_sent: as it was sent.
    """
    known = METRICS.get(metric or "")
    text = "".join((unit_sent or "").casefold().replace("º", "°").split())
    low, high = (known.low, known.high) if known else (-GREATEST, GREATEST)
    if not text:
        return Conversion(known.unit if known else None, "missing", low=low, high=high)
    if text not in _UNITS or (known and _UNITS[text][0] != known.unit):
        return Conversion(unit_sent, "unknown")
    unit, factor, shift = _UNITS[text]
    kind = "standard" if (factor, shift) == (1, 0) else "converted"
    return Conversion(unit, kind, factor, shift, low, high)
