"""The jars that Spark's own connectors need, resolved by Spark itself and kept for later sessions.

Spark's default settings also ask the local Maven repository, and fail where Maven has a project's
description there without its jar: the settings here ask the central repository alone. What pyspark
brings itself is left out, since it would come twice, in other versions.
"""

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

PACKAGES = {
    # Four jars: the connector, its tokens, the client and its pool. There is no 4.2.1.
    "kafka": (
        "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0",
        "org.apache.spark:spark-token-provider-kafka-0-10_2.13:4.2.0",
        "org.apache.kafka:kafka-clients:3.9.2",
        "org.apache.commons:commons-pool2:2.13.1",
    ),
    "delta": (
        "io.delta:delta-spark_4.2_2.13:4.4.0",
        "io.delta:delta-storage:4.4.0",
    ),
}
"""Short name -> Maven coordinates."""
EXCLUDED = (
    *("org.apache.hadoop:*", "org.apache.parquet:*", "org.scala-lang:*", "org.slf4j:*"),
    *("org.xerial.snappy:*", "org.lz4:*", "at.yawk.lz4:*", "com.github.luben:*"),
    *("com.google.code.findbugs:*", "org.scala-lang.modules:*", "org.antlr:*", "commons-logging:*"),
    *("com.fasterxml.jackson.core:*", "com.fasterxml.jackson.module:*"),
    *("org.apache.logging.log4j:*", "org.roaringbitmap:*"),
)
"""What pyspark brings."""
SETTINGS = """<ivysettings>
  <settings defaultResolver="central"/>
  <resolvers><ibiblio name="central" m2compatible="true"{root}/></resolvers>
</ivysettings>
"""


def packages_conf(packages: Sequence[str], repository: str | None, cache: Path) -> dict[str, str]:
    """The configuration that gives a session these packages; empty for none.

    Writes the settings of the resolution into the cache.

    Args:
        packages: Maven coordinates, or names of `PACKAGES`.
        repository: where they come from; None for the central repository.
        cache: a folder; what is in it is not fetched again.
    """
    coordinates = [c for name in packages for c in PACKAGES.get(name, (name,))]
    if not coordinates:
        return {}
    cache.mkdir(parents=True, exist_ok=True)
    settings = cache / "ivysettings.xml"
    root = f" root={quoteattr(repository.rstrip('/') + '/')}" if repository else ""
    settings.write_text(SETTINGS.format(root=root))
    return {
        "spark.jars.packages": ",".join(dict.fromkeys(coordinates)),
        "spark.jars.excludes": ",".join(EXCLUDED),
        "spark.jars.ivySettings": str(settings),
        "spark.jars.ivy": str(cache),
    }


def missing_jars(packages: Sequence[str], cache: Path) -> list[str]:
    """The coordinates whose jars are not in the cache yet."""
    coordinates = [c for name in packages for c in PACKAGES.get(name, (name,))]
    # Ivy names them group_artifact-version.jar.
    names = {c: "{}_{}-{}.jar".format(*c.split(":")) for c in coordinates}
    return [c for c, name in names.items() if not (cache / "jars" / name).exists()]
