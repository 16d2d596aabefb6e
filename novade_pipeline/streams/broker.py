"""The broker: how a client reaches it, what it has, and what its errors mean."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.plurals import counted

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

SECONDS = 15.0
"""How long an answer may take."""
# Unanswered requests are looked at that often: what the broker refused is known by then.
_STEP_SECONDS = 0.5


@dataclass(frozen=True)
class Broker:
    """How a cluster is reached; may be handed to other processes, and holds secrets.

    Attributes:
        servers: `host:port`, several between commas.
        cluster: its name in the offsets that tables record.
        protocol: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
        mechanism: of SASL: `SCRAM-SHA-256`, `SCRAM-SHA-512`, `PLAIN` or `OAUTHBEARER`.
        user: of SASL; for OAUTHBEARER the client's id.
        password: of SASL; for OAUTHBEARER the client's secret.
        token_url: where OAUTHBEARER gets its tokens (OpenID Connect, client credentials).
        scope: of these tokens.
        ca_pem: the certificates that are trusted, as PEM; None: those of the system.
    """

    servers: str
    cluster: str = "default"
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token_url: str | None = None
    scope: str | None = None
    ca_pem: str | None = field(default=None, repr=False)

    def conf(self) -> dict[str, Any]:
        """The configuration of librdkafka; holds secrets."""
        conf: dict[str, Any] = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.protocol,
            # Its own lines on standard error would say again what we say.
            "log_level": 0,
        }
        if self.ca_pem is not None:
            conf["ssl.ca.pem"] = self.ca_pem
        if not self.protocol.startswith("SASL"):
            return conf
        conf["sasl.mechanism"] = self.mechanism
        names = ("sasl.username", "sasl.password")
        if self.mechanism == "OAUTHBEARER":
            conf["sasl.oauthbearer.method"] = "oidc"
            conf["sasl.oauthbearer.token.endpoint.url"] = self.token_url
            names = ("sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret")
            if self.scope:
                conf["sasl.oauthbearer.scope"] = self.scope
        return conf | dict(zip(names, (self.user, self.password), strict=True))


@dataclass(frozen=True)
class TopicState:
    """What the broker has of a topic.

    Attributes:
        identity: of this cluster and of this topic in it; differs once the topic is made again.
        earliest: partition -> the first offset that is still there.
        latest: partition -> the offset after the last record that is committed.
    """

    identity: str
    earliest: Mapping[int, int]
    latest: Mapping[int, int]


class Reported:
    """The errors that a client reported by its callback, which say why it gets no answer."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._errors: list[KafkaError] = []

    def __call__(self, error: "KafkaError") -> None:
        """The callback of librdkafka."""
        self._errors.append(error)

    def raise_refusal(self) -> None:
        """Raise what would happen again: credentials or certificates that are refused."""
        for error in self._errors:
            failure = failure_of(self._broker, error)
            if isinstance(failure, UserError):
                raise failure

    def failure(self, error: "KafkaError") -> Exception:
        """The failure to report for an error; what was reported before it says more."""
        self.raise_refusal()
        return failure_of(self._broker, self._errors[-1] if self._errors else error)


class BrokerClient:
    """Asks a broker for its topics and offsets."""

    def __init__(self, broker: Broker, seconds: float = SECONDS) -> None:
        """Create a client; nothing is sent yet.

        Args:
            seconds: how long an answer may take.

        Raises:
            UserError: the configuration is not one that librdkafka accepts.
        """
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        self.broker = broker
        self._seconds = seconds
        self._reported = Reported(broker)
        try:
            conf: dict[str, Any] = {**broker.conf(), "error_cb": self._reported}
            self._admin = AdminClient(conf)
        except KafkaException as error:
            raise failure_of(broker, error.args[0]) from None

    def topics(self) -> list[str]:
        """The names of the topics that this user may see."""
        return sorted(self._metadata(None).topics)

    def state(self, topic: str) -> TopicState:
        """What the broker has of a topic.

        Raises:
            PermanentFailure: there is no such topic.
            UserError: the broker refuses us.
            TransientFailure: it does not answer, or a partition has no leader.
        """
        from confluent_kafka.admin import OffsetSpec

        metadata = self._metadata(topic)
        described = metadata.topics[topic]
        if described.error is not None:
            raise failure_of(self.broker, described.error, topic)
        leaderless = sorted(p.id for p in described.partitions.values() if p.leader < 0)
        if leaderless:
            numbers = ", ".join(map(str, leaderless))
            raise TransientFailure(
                f"topic {topic}: expected a leader for each partition, found none for "
                f"{counted(len(leaderless), 'partition')} ({numbers}); nothing is loaded until the "
                "broker has one."
            )
        partitions = sorted(described.partitions)
        # Its methods have no types.
        specs: Any = OffsetSpec
        return TopicState(
            f"{metadata.cluster_id}/{self._topic_id(topic)}",
            self._offsets(topic, partitions, specs.earliest()),
            self._offsets(topic, partitions, specs.latest()),
        )

    def _metadata(self, topic: str | None) -> Any:
        """Metadata of one topic or all; what the broker refuses is raised as soon as it does."""
        from confluent_kafka import KafkaException

        until = time.monotonic() + self._seconds
        while True:
            try:
                args = () if topic is None else (topic,)
                return self._admin.list_topics(*args, timeout=_STEP_SECONDS)
            except KafkaException as error:
                self._admin.poll(0)
                self._reported.raise_refusal()
                if time.monotonic() > until:
                    raise self._reported.failure(error.args[0]) from None

    def _topic_id(self, topic: str) -> str:
        """The topic's id; empty for a broker that has none."""
        from confluent_kafka import KafkaException, TopicCollection

        future = self._admin.describe_topics(
            TopicCollection([topic]), request_timeout=self._seconds
        )
        try:
            return str(future[topic].result().topic_id or "")
        except KafkaException as error:
            # Brokers of before 2.8 have no ids, and some others refuse to describe.
            if error.args[0].retriable():
                raise self._reported.failure(error.args[0]) from None
            return ""

    def _offsets(self, topic: str, partitions: Iterable[int], spec: Any) -> dict[int, int]:
        from confluent_kafka import IsolationLevel, KafkaException, TopicPartition

        futures = self._admin.list_offsets(
            {TopicPartition(topic, partition): spec for partition in partitions},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=self._seconds,
        )
        try:
            return {at.partition: future.result().offset for at, future in futures.items()}
        except KafkaException as error:
            raise failure_of(self.broker, error.args[0], topic) from None


@contextmanager
def consumer(broker: Broker) -> Iterator[tuple[Any, Reported]]:
    """A consumer without a group, which reads what is committed from where it is assigned.

    Yields:
        The consumer, and the errors that it reports.
    """
    from confluent_kafka import Consumer

    reported = Reported(broker)
    client = Consumer(
        {
            **broker.conf(),
            "error_cb": reported,
            # librdkafka wants a name; no group is joined, since partitions are assigned.
            "group.id": "novade",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "allow.auto.create.topics": False,
            # By default a full queue waits for a second.
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 32 * 2**10,
            # Larger than any record that a broker may be set to accept by chance.
            "receive.message.max.bytes": 512 * 2**20,
        }
    )
    try:
        yield client, reported
    finally:
        client.close()


def failure_of(broker: Broker, error: "KafkaError", topic: str | None = None) -> Exception:
    """What an error of librdkafka or of the broker means, in one sentence and without secrets."""
    from confluent_kafka import KafkaError

    code = error.code()
    subject = f"topic {topic}" if topic else f"broker {broker.servers}"
    if code in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
        return UserError(
            f"broker {broker.servers}: expected the user and the password to be accepted, found "
            f"that {broker.mechanism or broker.protocol} refused them; set NOVADE_STREAMS_USER, "
            "NOVADE_STREAMS_PASSWORD and NOVADE_STREAMS_SASL_MECHANISM to those of the broker."
        )
    if code in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    ):
        return UserError(
            f"{subject}: expected the right to read and describe it, found that user "
            f"{broker.user or 'without a name'} lacks it; grant the user READ and DESCRIBE."
        )
    if code == KafkaError._SSL:
        return UserError(
            f"broker {broker.servers}: expected a certificate that is trusted, found none; set "
            "NOVADE_STREAMS_CA_FILE to the certificate of its authority, and "
            "NOVADE_STREAMS_PROTOCOL to the listener's."
        )
    if code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
        return PermanentFailure(
            f"{subject}: expected it on broker {broker.servers}, found that there is none of this "
            "name; create it, or correct its name in the settings."
        )
    if code == KafkaError.TOPIC_EXCEPTION:
        return PermanentFailure(f"{subject}: expected a valid name of a topic, found another.")
    if code in (
        KafkaError._INVALID_ARG,
        KafkaError._UNSUPPORTED_FEATURE,
        KafkaError._NOT_IMPLEMENTED,
    ):
        return UserError(
            f"{subject}: expected settings that a client accepts, found: {error.str()}; correct "
            "the variables NOVADE_STREAMS_…."
        )
    if code in (
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError.REQUEST_TIMED_OUT,
    ):
        return TransientFailure(
            f"broker {broker.servers}: expected an answer, found none ({error.name()}); start the "
            "broker, or set NOVADE_STREAMS_BROKERS and NOVADE_STREAMS_PROTOCOL to those of its "
            "listener."
        )
    return TransientFailure(f"{subject}: the broker failed ({error.name()}).")
