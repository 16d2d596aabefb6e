"""The configuration of a session, as plain data; it holds no secrets."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import novade_pipeline
from novade_pipeline.spark.jars import packages_conf

ATTEMPTS = 4
"""How often Spark runs an item whose executor failed."""
REDACTED = (
    "(?i)secret|password|token|sasl|jaas|credential|connection.?string|webhook"
    "|(access|account|private|data|api|secret).?key|novade_.*url"
)
"""Names of settings whose values Spark shows nowhere; a database's URL has its password."""
MIB = 2**20
_LOCAL = re.compile(r"local(\[(\*|\d+)\])?")
_LOGGING = Path(__file__).with_name("log4j2.properties")


@dataclass(frozen=True)
class SparkOptions:
    """Where Spark runs and how.

    Attributes:
        master: `local[*]`, `spark://…`, `k8s://…`.
        remote: `sc://…` of a Spark Connect server, in place of a master.
        memory: of the driver, bytes.
        packages: Maven coordinates, or names of `jars.PACKAGES`.
        repository: where jars come from; None for the central repository.
        cache: a folder of the user's in which jars are kept.
        conf: further configuration, which wins.
    """

    master: str = "local[*]"
    remote: str | None = None
    memory: int = 1024 * MIB
    packages: tuple[str, ...] = ()
    repository: str | None = None
    cache: Path = field(default_factory=lambda: Path.home() / ".cache" / "novade" / "spark")
    conf: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether executors run in the driver's process, on this machine."""
        return self.remote is None and self.master.startswith("local")


def session_conf(options: SparkOptions) -> dict[str, str]:
    """The configuration of a session."""
    own = {
        "spark.app.name": "novade",
        "spark.sql.session.timeZone": "UTC",
        "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
    }
    if options.remote is not None:
        # All else is the server's.
        return own | {"spark.remote": options.remote} | dict(options.conf)
    own |= {
        "spark.master": _retrying(options.master),
        "spark.task.maxFailures": str(ATTEMPTS),
        "spark.redaction.regex": REDACTED,
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": f"{max(options.memory // MIB, 512)}m",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOGGING.as_uri()} "
        "-Duser.timezone=UTC -XX:+UseParallelGC",
        **packages_conf(options.packages, options.repository, options.cache),
    }
    if options.is_local:
        own |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.executorEnv.PYTHONPATH": ":".join(_import_path()),
        }
    return own | dict(options.conf)


def _retrying(master: str) -> str:
    """A local master that runs failed items again, which by itself it does not."""
    if (local := _LOCAL.fullmatch(master)) is None:
        return master
    return f"local[{local[2] or 1},{ATTEMPTS}]"


def _import_path() -> list[str]:
    """Where executors on this machine import from: as this process does."""
    root = str(Path(novade_pipeline.__file__).parents[1])
    return list(dict.fromkeys([root, *(path for path in sys.path if path)]))
