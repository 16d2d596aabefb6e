"""The address of a schema registry, as executors get it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Registry:
    """A schema registry with Confluent's REST API.

    Attributes:
        url: its address.
        user: of basic authentication; None without.
        password: of the user.
    """

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
