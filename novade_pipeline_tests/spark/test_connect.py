"""A load over Spark Connect: a server of its own, a client that starts no Java."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest

from novade_pipeline.sandbox.broker import Broker as Server
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.streams.world import World, new_world

ROOT = Path(__file__).parents[2]
SECONDS = 180
CLIENT = """
import json, sys
from novade_pipeline.errors import UserError
from novade_pipeline.graph.spark_sessions import SparkSessions
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.settings import load_settings
from novade_pipeline.storage.locations import store
from novade_pipeline.streams import load as loading
from novade_pipeline.streams.broker import Broker
from novade_pipeline.streams.load import Loader
from novade_pipeline.streams.topic import Topic
from novade_pipeline_tests.spark.work import double
from novade_pipeline_tests.streams.world import PLAYS, QUARANTINE

remote, servers, name, lake = sys.argv[1:]
spark = SparkSessions(load_settings(spark_remote=remote))
executors = spark.executors()
loading.ITEM_LEAST = 100

def refuse(item):
    raise UserError("mend this")

results = executors.map(double, [1, 2, 3], "double")
try:
    executors.map(refuse, [1], "refuse")
    refusal = None
except UserError as failure:
    refusal = f"{type(failure).__name__}: {failure}"
loader = Loader(Broker(servers), store(lake), PersonalDataPolicy(), lambda _: executors)
report = loader.load(Topic(name, PLAYS, QUARANTINE))
page = spark.web_address
spark.stop()
print(json.dumps([results, refusal, report.work.rows, len(report.work.files), page]))
"""


@pytest.fixture(scope="module")
def remote() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    conf = {
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.pyspark.python": sys.executable,
    }
    options = [word for name, value in conf.items() for word in ("--conf", f"{name}={value}")]
    server = subprocess.Popen(
        [
            *(
                str(Path(pyspark.__file__).with_name("bin") / "spark-submit"),
                "--master",
                "local[2]",
            ),
            *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
            *(*options, "spark-internal"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + SECONDS
    try:
        while time.monotonic() < until:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"sc://127.0.0.1:{port}"
    finally:
        # It keeps nothing, and its end waits for what its clients left open.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_a_load_over_spark_connect_is_the_same(remote: str, broker: Server, tmp_path: Path) -> None:
    world: World = new_world(broker, store(str(tmp_path / "lake")), 2)
    world.produce(*({"count": number} for number in range(200)))
    world.produce(b"{", {"count": 200}, partition=1)
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, remote, broker.address, world.topic.name, world.lake.url],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results, refusal, rows, files, page = json.loads(done.stdout.splitlines()[-1])
    assert (results, refusal) == ([2, 4, 6], "UserError: mend this")
    assert (rows, files, page) == (201, 3, remote)
    assert world.rows("count") == [*range(201)]
    assert world.quarantined("partition", "offset", "raw") == [(1, 0, b"{")]
    assert world.load().receipt is None
