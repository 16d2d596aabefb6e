"""Settings of the broker."""

from novade_pipeline.graph.stream_settings import StreamSettings

SETTINGS = StreamSettings
