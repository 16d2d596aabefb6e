"""What a format makes of values: one line of JSON each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Lines:
    """Values as lines of JSON.

    Attributes:
        lines: one for each value, in their order, without a newline; empty for a wrong one.
        wrong: position -> why the value is not of its format.
    """

    lines: Sequence[bytes]
    wrong: dict[int, str] = field(default_factory=dict)


Reader = Callable[[Sequence[bytes]], Lines]
