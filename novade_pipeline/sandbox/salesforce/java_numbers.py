"""Numbers as both APIs write them: those of type double, currency and percent are Java doubles.

`1234567.0`, but `1.2345678E7` from ten million on. Source:
https://help.salesforce.com/s/articleView?id=000385889 (REST, SOAP and SOQL) and
https://github.com/forcedotcom/cli/issues/3367 (CSV of the Bulk API 2.0); the rule itself is that of
`java.lang.Double.toString`.
"""

from decimal import Decimal

_PLAIN_FROM, _EXPONENT_FROM = 0.001, 10_000_000


def has_exponent(value: float | Decimal) -> bool:
    """Whether Java writes the number with an exponent."""
    return value != 0 and not _PLAIN_FROM <= abs(float(value)) < _EXPONENT_FROM


def java_number(value: float | Decimal) -> str:
    """A finite number as `java.lang.Double.toString` writes it, with all its digits."""
    if isinstance(value, float) and not has_exponent(value):
        return repr(value)
    sign, digits, exponent = Decimal(repr(value) if isinstance(value, float) else value).as_tuple()
    assert isinstance(exponent, int), "a record holds no number that is not finite"
    text = "".join(map(str, digits)).lstrip("0")
    point = len(text) + exponent
    minus, text = "-" * sign, text.rstrip("0")
    if not text:
        return f"{minus}0.0"
    if has_exponent(value):
        return f"{minus}{text[0]}.{text[1:] or 0}E{point - 1}"
    whole, fraction = text[: max(0, point)].ljust(point, "0"), text[max(0, point) :]
    return f"{minus}{whole or 0}.{'0' * -point}{fraction or 0}"
