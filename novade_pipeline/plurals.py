"""Counts in messages, in singular and plural."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Returns a number with its noun: `1 row`, `2,000 rows`.

    Args:
        noun: in singular.
        plural: where it is not the singular with an `s`.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
