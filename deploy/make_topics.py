"""Makes topics in the broker of NOVADE_STREAMS_BROKERS, where they are not there yet."""

import sys

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from novade_pipeline.graph.stream_settings import StreamSettings
from novade_pipeline.settings import load_settings

PARTITIONS = 3

admin = AdminClient(load_settings().of(StreamSettings).broker.conf())
topics = [NewTopic(name, PARTITIONS) for name in sys.argv[1:]]
for name, made in admin.create_topics(topics).items():
    try:
        made.result()
        print(f"{name}: made")
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        print(f"{name}: there already")
