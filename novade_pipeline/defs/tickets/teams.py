"""Which team answers which request type: a CSV file of the landing zone, or the default.

The file is `landing/tickets/teams.csv` with the columns request_type, team and, optionally,
variants: other words for the type, separated by `|`. The team of `other` answers all other types.
"""

import csv
import io
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from novade_pipeline.errors import UserError

FOLDER, NAME = "tickets", "teams.csv"
OTHER = "other"
COLUMNS = ("request_type", "team")
MAX_BYTES = 2**20


@dataclass(frozen=True)
class Route:
    """A request type, its team, and other words for the type."""

    request_type: str
    team: str
    variants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Teams:
    """All routes; one is that of `other`."""

    routes: tuple[Route, ...]

    @cached_property
    def by_type(self) -> Mapping[str, str]:
        """Request type -> team."""
        return {route.request_type: route.team for route in self.routes}

    @cached_property
    def types_by_variant(self) -> Mapping[str, str]:
        """Another word -> request type."""
        return {word: route.request_type for route in self.routes for word in route.variants}

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `tickets/teams`."""
        return [
            {"request_type": r.request_type, "team": r.team, "variants": list(r.variants)}
            for r in sorted(self.routes, key=lambda route: route.request_type)
        ]


DEFAULT = Teams(
    (
        Route(
            "technical",
            "Tech Support",
            ("technique", "tech", "probleme technique", "technical support", "bug", "incident"),
        ),
        Route("billing", "Billing Team", ("facturation", "facture", "invoice", "payment")),
        Route("support", "Customer Service", ("assistance", "aide", "help", "service client")),
        Route(OTHER, "General Support", ("autre", "autres", "divers", "misc")),
    )
)


def folded(text: str) -> str:
    """A text in the form in which it is compared: small letters, without accents, single spaces.

    Hyphens and underscores are spaces.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(plain.casefold().replace("_", " ").replace("-", " ").split())


def of_rows(rows: Sequence[Mapping[str, Any]]) -> Teams:
    """The routes that `tickets/teams` has."""
    return Teams(tuple(Route(r["request_type"], r["team"], tuple(r["variants"])) for r in rows))


def parse_teams(content: bytes, file: str) -> Teams:
    """The routes of a CSV file.

    Args:
        content: UTF-8, with or without a byte order mark; separated by commas or semicolons.
        file: its name, for messages.

    Raises:
        UserError: it is no such file, a type or variant comes twice, or `other` is missing.
    """
    if len(content) > MAX_BYTES:
        raise _unfit(file, f"at most {MAX_BYTES >> 10} KiB", f"{len(content) >> 10} KiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unfit(file, "UTF-8", f"another byte at {error.start}") from None
    first = text.partition("\n")[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        if missing := [name for name in COLUMNS if name not in names]:
            raise _unfit(file, f"the column {missing[0]}", ", ".join(names) or "no columns")
        reader.fieldnames = names
        routes = tuple(_route(file, line, row) for line, row in enumerate(reader, 2))
    except csv.Error as error:
        raise _unfit(file, "CSV", str(error)) from None
    _refuse_repeats(file, routes)
    return Teams(routes)


def _route(file: str, line: int, row: Mapping[str | None, Any]) -> Route:
    if None in row:
        raise _unfit(f"{file} line {line}", "as many values as columns", "more")
    values = {name: (row.get(name) or "").strip() for name in (*COLUMNS, "variants")}
    request_type = folded(values["request_type"])
    for name, value in (("request_type", request_type), ("team", values["team"])):
        if not value:
            raise _unfit(f"{file} line {line}", f"a {name}", "none")
    words = (folded(word) for word in values["variants"].split("|"))
    variants = tuple(dict.fromkeys(w for w in words if w and w != request_type))
    return Route(request_type, values["team"], variants)


def _refuse_repeats(file: str, routes: Sequence[Route]) -> None:
    known: set[str] = set()
    for word in [w for route in routes for w in (route.request_type, *route.variants)]:
        if word in known:
            raise _unfit(file, "each request type and variant once", f"{word!r} twice")
        known.add(word)
    if OTHER not in {route.request_type for route in routes}:
        raise _unfit(file, f"a team for {OTHER!r}, which answers all other types", "none")


def _unfit(place: str, expected: str, actual: str) -> UserError:
    return UserError(f"{place}: expected {expected}, found {actual}; correct the file.")
