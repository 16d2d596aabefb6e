"""Avro values, with the schemas of a registry."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fastavro
import pytest

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.streams.registry import Registry
from novade_pipeline.streams.topic import AvroValues
from novade_pipeline_tests.streams.world import World

FIRST = {
    "type": "record",
    "name": "play",
    "fields": [
        {"name": "song", "type": "string"},
        {"name": "count", "type": ["null", "long"]},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    ],
}
SECOND = {
    "type": "record",
    "name": "play",
    "fields": [
        {"name": "song", "type": "string"},
        {"name": "share", "type": "double"},
        {
            "name": "price",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 2},
        },
    ],
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "1": {"schema": json.dumps(FIRST)},
    "2": {"schema": json.dumps(SECOND)},
    "3": {"schema": "message A {}", "schemaType": "PROTOBUF"},
}


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.headers["Authorization"] != "Basic dTpw":
            status, body = 401, {}
        else:
            number = self.path.rpartition("/")[2]
            status, body = (200, SCHEMAS[number]) if number in SCHEMAS else (404, {})
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Registry(f"http://127.0.0.1:{server.server_port}", "u", "p")
        server.shutdown()


def avro(number: int, schema: dict[str, Any], datum: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    fastavro.schemaless_writer(content, fastavro.parse_schema(schema), datum)
    return b"\0" + number.to_bytes(4, "big") + content.getvalue()


def test_each_value_is_read_with_its_own_schema_and_what_cannot_be_is_in_quarantine(
    new: Callable[..., World], registry: Registry
) -> None:
    from decimal import Decimal

    world = new(format=AvroValues())
    at = datetime(2026, 11, 28, 10, 0, 0, 1, tzinfo=UTC)
    first = avro(1, FIRST, {"song": "a\n", "count": 2**60, "at": at})
    price = Decimal("12345678901234567890.12")
    second = avro(2, SECOND, {"song": "b", "share": 0.5, "price": price})
    infinite = avro(2, SECOND, {"song": "b", "share": float("inf"), "price": price})
    bad = [b"{}", b"", first[:-1], first + b"x", avro(9, FIRST, {"song": "", "count": 1, "at": at})]
    world.produce(first, second, *bad, b"\0\0\0\0\3", infinite)

    world.load(registry=registry)

    assert world.rows("song", "count", "share", "at", "other_fields") == [
        ("a\n", 2**60, None, at, None),
        ("b", None, 0.5, None, '{"price":"12345678901234567890.12"}'),
    ]
    assert world.quarantined("raw") == [*bad, b"\0\0\0\0\3", infinite]
    reasons = world.quarantined("reason")
    assert reasons[0] == reasons[1] == "expected Avro with the id of its schema, found other bytes"
    assert reasons[2].startswith("expected Avro of schema 1, found other bytes")
    assert reasons[3:] == [
        "expected Avro of schema 1, found more bytes behind it",
        "expected an id of the registry, found the unknown one 9",
        "expected Avro, found a schema of PROTOBUF",
        "expected finite numbers, found another",
    ]


def test_a_registry_that_refuses_or_is_away_is_one_sentence_and_nothing_is_loaded(
    new: Callable[..., World], registry: Registry
) -> None:
    world = new(format=AvroValues())
    world.produce(avro(1, FIRST, {"song": "a", "count": 1, "at": datetime.now(UTC)}))
    with pytest.raises(UserError, match="NOVADE_STREAMS_REGISTRY_PASSWORD") as refused:
        world.load(registry=replace(registry, password="secret-one"))
    assert "secret-one" not in str(refused.value)
    with pytest.raises(TransientFailure, match=r"found no answer \(ConnectError\)"):
        world.load(registry=Registry("http://127.0.0.1:1"))
    with pytest.raises(UserError, match="set NOVADE_STREAMS_REGISTRY_URL"):
        world.load()
    assert world.rows("song") == []
