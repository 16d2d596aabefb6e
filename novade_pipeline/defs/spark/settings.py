"""Settings of Spark."""

from novade_pipeline.graph.spark_sessions import SparkSettings

SETTINGS = SparkSettings
