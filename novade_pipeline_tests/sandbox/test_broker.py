"""The sandbox's broker is a real one, and is gone when its user is."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from novade_pipeline.errors import UserError
from novade_pipeline.sandbox import broker_jars
from novade_pipeline.sandbox.broker import SCRAM, Broker, running_broker
from novade_pipeline.sandbox.broker_jars import install
from novade_pipeline.sandbox.processes import is_running
from novade_pipeline_tests.brokers import new_topic, shared_broker
from novade_pipeline_tests.commands import NOVADE, novade
from novade_pipeline_tests.waiting import wait_until


def _consumer(broker: Broker, password: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": broker.addresses[SCRAM],
            "group.id": uuid.uuid4().hex,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": broker.user,
            "sasl.password": password,
            "log_level": 0,
        }
    )


def test_what_is_produced_is_consumed_with_the_right_password_alone(broker: Broker) -> None:
    topic = new_topic(broker, partitions=2)
    producer = broker.producer(linger_ms=0)
    producer.produce(topic, b"value", key=b"key", partition=1)
    assert producer.flush(30) == 0
    consumer = _consumer(broker, broker.password)
    consumer.assign([TopicPartition(topic, 1, 0)])
    message = consumer.poll(30)
    assert message is not None
    assert (message.key(), message.value(), message.offset()) == (b"key", b"value", 0)
    consumer.close()
    stranger = _consumer(broker, "wrong")
    with pytest.raises(KafkaException):
        stranger.list_topics(timeout=1)
    stranger.close()


def test_users_share_a_broker_until_the_last_is_gone(broker: Broker) -> None:
    with shared_broker(broker.folder, os.getpid()) as second:
        assert second.pid == broker.pid
    assert is_running(broker.pid)


def test_the_command_keeps_its_topics_and_takes_the_broker_with_it(tmp_path: Path) -> None:
    arguments = ("sandbox", "broker", "--port", "0", "--scram-port", "0")

    def run(number: signal.Signals) -> str:
        with subprocess.Popen(
            [*NOVADE, *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "300"},
        ) as process:
            assert process.stdout is not None
            listens = process.stdout.readline()
            assert "listens at 127.0.0.1:" in listens
            host, port = listens.split("listens at ")[1].split(",")[0].split(":")
            process.send_signal(number)
        wait_until("the broker is gone", lambda: _is_refused(host, int(port)))
        return (tmp_path / "data" / "broker" / "data" / "meta.properties").read_text()

    assert run(signal.SIGKILL) == run(signal.SIGTERM)
    assert (tmp_path / "data" / "broker" / "data" / "client_tickets-2").is_dir()


def _is_refused(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_port_in_use_is_reported_by_the_command(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = novade(tmp_path, "sandbox", "broker", "--port", str(port))
    assert done.returncode == 2
    assert f"port {port} for the sandbox: Address already in use" in done.stderr


@pytest.mark.parametrize(("missing", "what"), [("java", "Java 17 or newer"), ("mvn", "Maven")])
def test_a_missing_program_is_one_sentence(
    missing: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = broker_jars.shutil.which
    monkeypatch.setattr(
        broker_jars.shutil, "which", lambda name: None if name == missing else which(name)
    )
    with (
        pytest.raises(UserError, match=f"{what}.*no `{missing}` is on the PATH"),
        running_broker(tmp_path, jars=tmp_path / "jars" if missing == "mvn" else None),
    ):
        pass


def test_a_failed_download_leaves_nothing_and_names_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maven = tmp_path / "mvn"
    maven.write_text(f"#!{sys.executable}\nprint('[ERROR] no connection')\nraise SystemExit(1)\n")
    maven.chmod(0o755)
    monkeypatch.setattr(broker_jars.shutil, "which", lambda _: str(maven))
    with pytest.raises(UserError, match=r"found: \[ERROR\] no connection; check the connection"):
        install(tmp_path / "jars")
    assert {path.name for path in tmp_path.iterdir()} == {"mvn", "jars.lock"}
