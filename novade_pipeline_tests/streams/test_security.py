"""Encrypted listeners, tokens, rights: what is refused is said in one sentence."""

import base64
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.sandbox.broker import Broker as Server
from novade_pipeline.sandbox.broker import running_broker
from novade_pipeline.storage.locations import store
from novade_pipeline.streams import broker as client
from novade_pipeline.streams.broker import Broker, BrokerClient
from novade_pipeline_tests.streams.world import SECONDS, World, new_world

LISTENER = "listener.name.sasl_ssl"
LOG_IN = "org.apache.kafka.common.security"


class _Tokens(BaseHTTPRequestHandler):
    """Gives a token to whoever has the right secret."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        known = base64.b64encode(b"reader:client-secret").decode()
        is_right = self.headers["Authorization"] == f"Basic {known}"
        now = int(time.time())
        claims = {"sub": "reader", "iat": now, "exp": now + 600}
        parts = [_part({"alg": "none", "typ": "JWT"}), _part(claims), ""]
        body = {"access_token": ".".join(parts), "token_type": "bearer", "expires_in": 600}
        self.send_response(200 if is_right else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body if is_right else {"error": "invalid_client"}).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.fixture(scope="module")
def tokens() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Tokens) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1; its key is beside it."""
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "certificate.pem"


@pytest.fixture(scope="module")
def server(certificate: Path) -> Iterator[Server]:
    pem = certificate.with_name("both.pem")
    pem.write_text(certificate.with_name("key.pem").read_text() + certificate.read_text())
    properties = {
        f"{LISTENER}.ssl.keystore.type": "PEM",
        f"{LISTENER}.ssl.keystore.location": str(pem),
        f"{LISTENER}.sasl.enabled.mechanisms": "SCRAM-SHA-256,OAUTHBEARER",
        f"{LISTENER}.scram-sha-256.sasl.jaas.config": f"{LOG_IN}.scram.ScramLoginModule required;",
        f"{LISTENER}.oauthbearer.sasl.jaas.config": f"{LOG_IN}.oauthbearer.OAuthBearerLoginModule "
        'required unsecuredLoginStringClaim_sub="broker";',
    }
    with running_broker(ports={"SASL_SSL": 0}, properties=properties) as running:
        yield running


@pytest.fixture
def world(server: Server, tmp_path: Path) -> World:
    return new_world(server, store(str(tmp_path / "lake")))


def secure(server: Server, certificate: Path, **changes: Any) -> Broker:
    broker = Broker(
        servers=server.addresses["SASL_SSL"],
        protocol="SASL_SSL",
        mechanism="SCRAM-SHA-256",
        user=server.user,
        password=server.password,
        ca_pem=certificate.read_text(),
    )
    return replace(broker, **changes)


def refusal(broker: Broker, topic: str, seconds: float = 5.0) -> str:
    with pytest.raises((UserError, TransientFailure)) as failure:
        BrokerClient(broker, seconds).state(topic)
    return f"{type(failure.value).__name__}: {failure.value}"


def test_an_encrypted_listener_is_read_with_its_certificate_and_a_password(
    world: World, certificate: Path
) -> None:
    world.produce({"song": "a"})
    right = secure(world.server, certificate)
    world.load(broker=right)
    assert world.rows("song") == ["a"]
    name = world.topic.name
    wrong = refusal(replace(right, password="not this"), name)
    assert wrong.startswith("UserError")
    assert "SCRAM-SHA-256 refused them" in wrong
    untrusted = refusal(replace(right, ca_pem=None), name)
    assert untrusted.startswith("UserError")
    assert "expected a certificate that is trusted" in untrusted


def test_a_token_of_client_credentials_is_accepted_and_a_wrong_secret_is_said(
    world: World, certificate: Path, tokens: str
) -> None:
    world.produce({"song": "a"})
    bearer = secure(
        world.server,
        certificate,
        mechanism="OAUTHBEARER",
        user="reader",
        password="client-secret",
        token_url=tokens,
    )
    world.load(broker=bearer)
    assert world.rows("song") == ["a"]
    wrong = refusal(replace(bearer, password="not this"), world.topic.name)
    assert wrong.startswith("UserError")
    assert "OAUTHBEARER" in wrong
    assert "not this" not in wrong


def test_a_topic_without_the_right_to_read_it_is_one_sentence(
    new: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new()
    world.produce({"song": "a"})
    rule = AclBinding(
        *(ResourceType.TOPIC, world.topic.name, ResourcePatternType.LITERAL, "User:another"),
        *("*", AclOperation.READ, AclPermissionType.ALLOW),
    )
    admin = world.server.admin()
    for future in admin.create_acls([rule]).values():
        future.result(SECONDS)
    user = Broker(
        servers=world.server.addresses["SASL_PLAINTEXT"],
        protocol="SASL_PLAINTEXT",
        mechanism="SCRAM-SHA-256",
        user=world.server.user,
        password=world.server.password,
    )
    monkeypatch.setattr(client.BrokerClient.__init__, "__defaults__", (5.0,))
    until, message = time.monotonic() + 20, ""
    while "lacks it" not in message and time.monotonic() < until:
        try:
            world.load(broker=user)
        except (UserError, TransientFailure) as failure:
            message = str(failure)
        world.produce({"song": "b"})
    assert f"user {world.server.user} lacks it; grant the user READ and DESCRIBE" in message
