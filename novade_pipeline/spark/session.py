"""Sessions: what is wrong where one does not start, and where its page is."""

import subprocess
from pathlib import Path
from typing import Any

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.spark.executors import is_remote

JAVA = 17
"""The oldest Java that Spark 4 runs on."""


def start_failure(error: Exception, *, packages: bool) -> Exception:
    """What to report where a session does not start.

    Args:
        packages: whether it needs jars.
    """
    text = str(error)
    if "JAVA_GATEWAY_EXITED" in text or isinstance(error, FileNotFoundError):
        reason = java_problem()
        if reason is not None:
            return UserError(reason)
        if packages:
            return UserError(
                "Spark: expected to resolve the jars of NOVADE_SPARK_PACKAGES, found that this "
                "failed; reach the central repository or set NOVADE_SPARK_REPOSITORY to a mirror."
            )
    return TransientFailure(
        f"Spark: expected a session, found {type(error).__name__}: "
        f"{(text.strip() or 'no message').splitlines()[0][:200]}"
    )


def java_problem() -> str | None:
    """Why Spark finds no Java that it can use; None where it does. Takes a second or two."""
    import pyspark

    program = Path(pyspark.__file__).with_name("bin") / "spark-submit"
    try:
        done = subprocess.run(  # noqa: S603 - pyspark's own
            [str(program), "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return _no_java(type(error).__name__)
    if done.returncode == 0:
        return None
    is_old = "UnsupportedClassVersionError" in done.stderr
    return _no_java("an older one" if is_old else "none")


def web_address(session: Any) -> str:
    """Where a session's page is; empty for one of Spark Connect, whose server has it."""
    if is_remote(session):
        return ""
    return str(session.sparkContext.uiWebUrl or "")


def _no_java(reason: str) -> str:
    return (
        f"Spark: expected Java {JAVA} or newer, found {reason}; install one (for example Debian's "
        "default-jre-headless) or set JAVA_HOME. What needs no Spark works without."
    )
