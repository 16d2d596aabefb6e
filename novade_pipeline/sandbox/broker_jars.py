"""Apache Kafka's jars, from Maven's central repository once, into a cache folder.

Run as a program it downloads them unless they are there.
"""

import fcntl
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from novade_pipeline.errors import UserError

VERSION = "4.4.0"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>novade</groupId><artifactId>broker</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>{VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId>
<version>2.0.17</version></dependency>
</dependencies></project>
"""


def install(jars: Path | None = None) -> Path:
    """Download the broker's jars unless they are there, and return their folder.

    Args:
        jars: the folder; where None, one below `.cache/novade` of the user's home.

    Raises:
        UserError: Maven is missing or cannot download them.
    """
    target = jars or Path.home() / ".cache" / "novade" / f"kafka-{VERSION}"
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    # Of several processes one downloads; the folder gets its name when it is whole.
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            _download(target)
    return target


def _download(target: Path) -> None:
    maven = program("mvn", "Maven (Debian: maven)")
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        pom = Path(name) / "pom.xml"
        pom.write_text(_POM)
        copied = Path(name) / "jars"
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={copied}"]
        done = subprocess.run(  # noqa: S603
            [maven, "-q", "-B", "-f", str(pom), *goal, "-DincludeScope=runtime"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not copied.is_dir():
            lines = (done.stdout + done.stderr).strip().splitlines()
            reason = lines[0] if lines else f"exit code {done.returncode}"
            raise UserError(
                f"expected Maven to download Apache Kafka {VERSION} to {target}, found: {reason}; "
                "check the connection and Maven's settings, and try again."
            )
        copied.rename(target)


def program(name: str, what: str) -> str:
    """The path of a program.

    Raises:
        UserError: it is missing, which is said with its description.
    """
    path = shutil.which(name)
    if path is None:
        raise UserError(f"{what} is needed for the sandbox's broker; no `{name}` is on the PATH.")
    return path


if __name__ == "__main__":
    try:
        install()
    except UserError as error:
        sys.exit(str(error))
