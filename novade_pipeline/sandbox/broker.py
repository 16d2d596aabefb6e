"""A real Apache Kafka broker on this machine: one node, without Docker or ZooKeeper.

Listeners: PLAINTEXT, and SASL_PLAINTEXT with SCRAM-SHA-256 for the user `novade`.
"""

import base64
import contextlib
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from novade_pipeline.errors import UserError
from novade_pipeline.sandbox.broker_jars import install, program
from novade_pipeline.sandbox.processes import free_ports, start_guarded, stop

if TYPE_CHECKING:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient

USER = "novade"
PASSWORD = "sandbox-secret"  # noqa: S105
PLAIN, SCRAM = "PLAINTEXT", "SASL_PLAINTEXT"
START_SECONDS = 90.0
LOG_LEVEL = 3
"""Of librdkafka: errors alone."""
NO_PORTS: Mapping[str, int] = MappingProxyType({})
NO_PROPERTIES: Mapping[str, str] = MappingProxyType({})

_JVM = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True)
class Broker:
    """A running broker.

    Attributes:
        addresses: `127.0.0.1:<port>` by listener.
        pid: of its process group.
        folder: where it keeps its data.
        user: who authenticates at the listener SASL_PLAINTEXT.
        password: the user's password.
    """

    addresses: Mapping[str, str]
    pid: int
    folder: Path
    user: str = USER
    password: str = PASSWORD

    @property
    def address(self) -> str:
        """Of the listener that needs no password."""
        return self.addresses[PLAIN]

    def admin(self) -> "AdminClient":
        """The broker's administrator; hold it in a variable while its futures run."""
        from confluent_kafka.admin import AdminClient

        return AdminClient({"bootstrap.servers": self.address, "log_level": LOG_LEVEL})

    def producer(self, **conf: object) -> "Producer":
        """A producer that needs no password; `linger_ms=5` sets librdkafka's `linger.ms`."""
        from confluent_kafka import Producer

        more = {name.replace("_", "."): value for name, value in conf.items()}
        return Producer({"bootstrap.servers": self.address, "log_level": LOG_LEVEL, **more})

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> str:
        """Create a topic, wait until it has leaders, and return its name.

        Args:
            name: of the topic.
            partitions: their number.
            config: of the topic; `retention_ms="1000"` sets Kafka's `retention.ms`.
        """
        from confluent_kafka.admin import NewTopic

        admin = self.admin()
        settings = {key.replace("_", "."): value for key, value in config.items()}
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=settings)
        admin.create_topics([topic])[name].result(START_SECONDS)
        self.wait_for_topic(name, partitions, admin)
        return name

    def wait_for_topic(
        self, name: str, partitions: int = 1, admin: "AdminClient | None" = None
    ) -> None:
        """Wait until a topic has this number of partitions, each with a leader."""
        client = admin or self.admin()
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            topic = client.list_topics(name, timeout=START_SECONDS).topics[name]
            if len(topic.partitions) == partitions and all(
                partition.leader >= 0 for partition in topic.partitions.values()
            ):
                return
            time.sleep(0.02)
        raise RuntimeError(f"topic {name}: no leaders within {START_SECONDS:.0f} s")


@contextlib.contextmanager
def running_broker(
    folder: Path | None = None,
    *,
    ports: Mapping[str, int] = NO_PORTS,
    properties: Mapping[str, str] = NO_PROPERTIES,
    jars: Path | None = None,
) -> Iterator[Broker]:
    """Run a broker until the block ends.

    Args:
        folder: where it keeps its data, which a later broker continues; a temporary one where None.
        ports: by listener, for example `{"PLAINTEXT": 9092}`; others are free ones.
        properties: of the broker, beside or instead of those here. A listener beside the two is a
            name in `ports` and its properties, `listener.name.<name in small letters>.…`.
        jars: see `install`.

    Raises:
        UserError: Java or Maven is missing, the jars cannot be downloaded, a port is in use, or the
            broker did not start.
    """
    with contextlib.ExitStack() as until_end:
        is_temporary = folder is None
        if folder is None:
            folder = Path(
                until_end.enter_context(tempfile.TemporaryDirectory(prefix="novade-broker-"))
            )
        broker = start(folder, ports=ports, properties=properties, jars=jars)
        until_end.callback(stop, broker.pid, at_once=is_temporary)
        yield broker


def start(
    folder: Path,
    *,
    ports: Mapping[str, int] = NO_PORTS,
    properties: Mapping[str, str] = NO_PROPERTIES,
    jars: Path | None = None,
    owner: int | None = None,
) -> Broker:
    """Start a broker, which is stopped by `stop`, or when its owner ends.

    Args:
        folder: see `running_broker`.
        ports: likewise.
        properties: likewise.
        jars: likewise.
        owner: the process (its id) whose end ends the broker; this process where None.

    Raises:
        UserError: see `running_broker`.
    """
    java = program("java", "Java 17 or newer")
    classes = install(jars) / "*"
    listeners = {PLAIN: 0, SCRAM: 0, **ports}
    chosen = free_ports([*listeners.values(), 0])
    addresses = {
        name: f"127.0.0.1:{port}" for name, port in zip(listeners, chosen[:-1], strict=True)
    }
    folder = folder.absolute()
    _format(folder)
    configured = _properties(folder, addresses, controller=chosen[-1]) | dict(properties)
    file = folder / "server.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in configured.items()))
    with (folder / "output.txt").open("wb") as output:
        command = [java, *_JVM, "-cp", str(classes), "kafka.Kafka", str(file)]
        process = start_guarded(command, output, owner)
    broker = Broker(addresses=addresses, pid=process.pid, folder=folder)
    try:
        _wait_until_started(process, broker)
        _create_user(broker)
    except BaseException:
        stop(process.pid)
        raise
    return broker


def _format(folder: Path) -> None:
    """Give a new data folder what Kafka's own `format` writes, without starting a second JVM."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    file = data / "meta.properties"
    if not file.exists():
        file.write_text(
            f"version=1\ncluster.id={_identifier()}\nnode.id=1\ndirectory.id={_identifier()}\n"
        )


def _identifier() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _properties(folder: Path, addresses: Mapping[str, str], controller: int) -> dict[str, str]:
    at = f"127.0.0.1:{controller}"
    listeners = [*(f"{name}://{address}" for name, address in addresses.items())]
    protocols = {"CONTROLLER": PLAIN, **{name: name for name in addresses}}
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@{at}",
        "listeners": ",".join([*listeners, f"CONTROLLER://{at}"]),
        "advertised.listeners": ",".join(listeners),
        "listener.security.protocol.map": ",".join(f"{n}:{p}" for n, p in protocols.items()),
        "inter.broker.listener.name": PLAIN,
        "sasl.enabled.mechanisms": "SCRAM-SHA-256",
        "listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config": f"{module} required;",
        # Rights can be tested: a topic with rules is only for those whom they allow.
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
        "super.users": "User:ANONYMOUS",
        "log.dirs": str(folder / "data"),
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(32 << 20),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "log.cleaner.threads": "1",
        "log.cleaner.dedupe.buffer.size": "2097152",
        # Records with old times stay, but in a topic whose own retention says otherwise; there they
        # go within a second.
        "log.retention.ms": "-1",
        "log.retention.check.interval.ms": "500",
        "log.segment.delete.delay.ms": "100",
        "num.io.threads": "2",
        "num.network.threads": "2",
    }


def _wait_until_started(process: "subprocess.Popen[bytes]", broker: Broker) -> None:
    """Wait until all listeners accept connections, and a client gets an answer."""
    until = time.monotonic() + START_SECONDS
    waiting = list(broker.addresses.values())
    while waiting and time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            host, port = waiting[0].split(":")
            socket.create_connection((host, int(port)), timeout=1).close()
            del waiting[0]
            continue
        time.sleep(0.05)
    if waiting:
        output = (broker.folder / "output.txt").read_text(errors="replace").strip().splitlines()
        raise UserError(
            f"expected the sandbox's broker to listen at {waiting[0]}, found: "
            f"{output[-1] if output else 'no output'}; its settings and output are in "
            f"{broker.folder}."
        )


def _create_user(broker: Broker) -> None:
    from confluent_kafka.admin import (
        ScramCredentialInfo,
        ScramMechanism,
        UserScramCredentialUpsertion,
    )

    admin: Any = broker.admin()
    credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    change = UserScramCredentialUpsertion(broker.user, credential, broker.password.encode())
    for pending in admin.alter_user_scram_credentials([change]).values():
        pending.result(START_SECONDS)
