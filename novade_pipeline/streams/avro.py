"""Avro in Confluent's wire format: a zero byte, the schema's id in four, the datum.

Source: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/.
A datum becomes a line of JSON, so that types, unknown fields and required ones are treated as those
of any other value. Decimals become texts with all their digits, bytes base64, times ISO 8601.
"""

import base64
import io
import json
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.streams.lines import Lines
from novade_pipeline.streams.registry import Registry

_MAGIC = 0
_HEADER = 5
SECONDS = 15.0


class UnknownSchema(Exception):
    """A schema that the registry does not have, or that is no Avro: what was found."""


class AvroReader:
    """Makes lines of Avro values; schemas are fetched once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._schemas: dict[int, Any] = {}

    def __call__(self, values: Sequence[bytes]) -> Lines:
        """One line for each value; empty for a wrong one.

        Raises:
            TransientFailure: the registry does not answer.
            UserError: it refuses us.
        """
        lines, wrong = [], {}
        for number, value in enumerate(values):
            try:
                lines.append(self._line(value))
            except _Wrong as error:
                wrong[number] = str(error)
                lines.append(b"")
        return Lines(lines, wrong)

    def _line(self, value: bytes) -> bytes:
        import fastavro

        if len(value) < _HEADER or value[0] != _MAGIC:
            raise _Wrong("expected Avro with the id of its schema, found other bytes")
        number = int.from_bytes(value[1:_HEADER], "big")
        if number not in self._schemas:
            self._schemas[number] = self._fetched(number)
        schema = self._schemas[number]
        if isinstance(schema, UnknownSchema):
            raise _Wrong(str(schema))
        content = io.BytesIO(value[_HEADER:])
        try:
            datum = fastavro.schemaless_reader(content, schema, None)
        except Exception as error:
            # A damaged datum fails in any way: as its bytes happen to read.
            kind = type(error).__name__
            raise _Wrong(f"expected Avro of schema {number}, found other bytes ({kind})") from None
        if content.read(1):
            raise _Wrong(f"expected Avro of schema {number}, found more bytes behind it")
        try:
            text = json.dumps(datum, default=_plain, allow_nan=False, ensure_ascii=False)
            return text.encode()
        except ValueError:
            raise _Wrong("expected finite numbers, found another") from None

    def _fetched(self, number: int) -> Any:
        """A schema, ready to read with; an `UnknownSchema` where there is none."""
        import fastavro
        import httpx

        registry = self._registry
        auth = (registry.user, registry.password or "") if registry.user else None
        url = f"{registry.url.rstrip('/')}/schemas/ids/{number}"
        try:
            answer = httpx.get(url, auth=auth, timeout=SECONDS)
        except httpx.HTTPError as error:
            raise TransientFailure(
                f"schema registry {registry.url}: expected schema {number}, found no answer "
                f"({type(error).__name__}); set NOVADE_STREAMS_REGISTRY_URL, or try again."
            ) from None
        if answer.status_code in (401, 403):
            raise UserError(
                f"schema registry {registry.url}: expected the user and the password to be "
                f"accepted, found status {answer.status_code}; set NOVADE_STREAMS_REGISTRY_USER "
                "and NOVADE_STREAMS_REGISTRY_PASSWORD."
            )
        if answer.status_code == 404:
            return UnknownSchema(f"expected an id of the registry, found the unknown one {number}")
        if answer.status_code != 200:
            raise TransientFailure(
                f"schema registry {registry.url}: expected schema {number}, found status "
                f"{answer.status_code}; the step runs again."
            )
        described = answer.json()
        if described.get("schemaType", "AVRO") != "AVRO":
            return UnknownSchema(f"expected Avro, found a schema of {described['schemaType']}")
        return fastavro.parse_schema(json.loads(described["schema"]))


class _Wrong(Exception):
    """Why a value is in quarantine."""


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
