"""Spark sessions of the graph: the resource `spark`, which starts one when a step needs it.

A session ends with the run that started it. The settings hold no secrets, since what is in a
session's configuration is shown in its page.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from novade_pipeline.settings import DomainSettings, Settings
from novade_pipeline.spark.conf import SparkOptions, session_conf
from novade_pipeline.spark.executors import SparkExecutors
from novade_pipeline.spark.session import start_failure, web_address


class SparkSettings(DomainSettings):
    """`NOVADE_SPARK_…`."""

    model_config = SettingsConfigDict(env_prefix="NOVADE_SPARK_")

    master: str = Field(
        "local[*]", description="Where Spark runs: local[*], spark://host:port, k8s://…, yarn."
    )
    remote: str | None = Field(
        None, description="A Spark Connect server in place of a master, sc://host:port."
    )
    conf: str = Field(
        "{}", description='Further configuration, JSON: {"spark.executor.memory": "2g"}.'
    )
    packages: str = Field(
        "",
        description="Maven packages for the session between commas; kafka and delta are those of "
        "Spark's own connectors. No load needs any.",
    )
    repository: str | None = Field(
        None, description="A mirror of the central repository, https://…, for these packages."
    )

    @field_validator("remote")
    @classmethod
    def _is_connect(cls, url: str | None) -> str | None:
        if url and not url.startswith("sc://"):
            raise ValueError("expected the address of a Spark Connect server, sc://host:port")
        return url or None

    @field_validator("conf")
    @classmethod
    def _is_an_object(cls, text: str) -> str:
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            raise ValueError('expected a JSON object of texts, as {"spark.executor.memory": "2g"}')
        return text


def spark_options(settings: Settings) -> SparkOptions:
    """Where Spark runs and how, as the settings say."""
    from novade_pipeline.lake.memory import budget

    spark = settings.of(SparkSettings)
    return SparkOptions(
        master=spark.master,
        remote=spark.remote,
        memory=budget(),
        packages=tuple(name.strip() for name in spark.packages.split(",") if name.strip()),
        repository=spark.repository,
        conf=json.loads(spark.conf),
    )


class SparkSessions:
    """One Spark session, which starts when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: Any = None
        self._is_ours = False

    def session(self) -> Any:
        """The session.

        Raises:
            UserError: there is no Java that can be used, or the jars cannot be resolved.
            TransientFailure: the session does not start.
        """
        if self._session is None:
            options = spark_options(self._settings)
            self._is_ours = options.remote is not None or not _is_active()
            self._session = _started(options)
        return self._session

    def executors(self) -> SparkExecutors:
        """The session's executors."""
        return SparkExecutors(self.session())

    @property
    def web_address(self) -> str | None:
        """Where the session's page is; None where none has started."""
        if self._session is None:
            return None
        # What follows the port of a Connect server may be a token.
        remote = (spark_options(self._settings).remote or "").partition(";")[0].rstrip("/")
        return remote or web_address(self._session)

    def stop(self) -> None:
        """End the session, if it was started here."""
        if self._session is not None and self._is_ours:
            self._session.stop()
        self._session = None


def spark_resource(settings: Settings) -> dg.ResourceDefinition:
    """The resource `spark`: `SparkSessions`, ended with the run."""

    @dg.resource(description="Spark: the session starts when a step needs it.")
    def spark(_: dg.InitResourceContext) -> Iterator[SparkSessions]:
        sessions = SparkSessions(settings)
        try:
            yield sessions
        finally:
            sessions.stop()

    return spark


def _is_active() -> bool:
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession() is not None


def _started(options: SparkOptions) -> Any:
    # pyspark takes a second to import, and few runs need it.
    from dagster_pyspark import LazyPySparkResource

    try:
        session = LazyPySparkResource(spark_config=session_conf(options)).spark_session
    except Exception as error:
        raise start_failure(error, packages=bool(options.packages)) from None
    if options.is_local:
        # Executors on this machine are of this Python, and not of the first one in the path.
        session.sparkContext.pythonExec = sys.executable
    return session
