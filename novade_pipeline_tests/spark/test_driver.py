"""The driver of a Spark session: it ends with the run, and may be killed in mid-load."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from novade_pipeline.sandbox.broker import Broker as Server
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.streams.world import World, new_world
from novade_pipeline_tests.waiting import wait_until

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
COUNT = 400
# A virtual machine that lives for seconds is not worth its optimising compiler, nor a page.
QUICK = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1", "spark.ui.enabled": "false"}
# A load of two items, whose driver says when it is in the middle and goes no further.
DRIVER = """
import signal, sys
from pathlib import Path
from novade_pipeline.graph.spark_sessions import SparkSessions
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.settings import load_settings
from novade_pipeline.storage.locations import store
from novade_pipeline.streams import load as loading
from novade_pipeline.streams.broker import Broker
from novade_pipeline.streams.topic import Topic
from novade_pipeline_tests.spark.work import staying
from novade_pipeline_tests.streams.world import PLAYS, QUARANTINE

where, servers, name, lake, folder, conf = sys.argv[1:]
if where == "executors":
    loading.run = staying(Path(folder), loading.run)
else:
    commit = loading.Loader._commit_quarantine

    def stay(*arguments):
        commit(*arguments)
        Path(folder, "committed").touch()
        signal.pause()

    loading.Loader._commit_quarantine = stay
loading.ITEM_LEAST = 100
spark = SparkSessions(load_settings(spark_master="local[2]", spark_conf=conf, memory=2**30))
executors = spark.executors()
loader = loading.Loader(Broker(servers), store(lake), PersonalDataPolicy(), lambda _: executors)
loader.load(Topic(name, PLAYS, QUARANTINE))
"""
# Two runs of a graph in one process, of which the second fails.
RUNS = """
import json, sys
from pathlib import Path
from novade_pipeline.errors import UserError
from novade_pipeline.sandbox.broker import Broker
from novade_pipeline.streams import load as loading
from novade_pipeline_tests.graph.test_topic_assets import Graph

server, folder, conf = Broker(json.loads(sys.argv[1]), 0, Path()), Path(sys.argv[2]), sys.argv[3]
options = {"streams_spark_records": 0, "spark_master": "local[1]", "spark_conf": conf}
graph = Graph(server, folder / "graph", **options)
log = folder / "log"

def sessions():
    return [len(list(log.iterdir())), len(list(log.rglob("*.inprogress")))]

def fail(work, ranges):
    raise UserError("mend this")

graph.world.produce({"song": "a"})
graph.run()
after = [sessions()]
loading.run = fail
graph.world.produce({"song": "b"})
graph.run(succeeds=False)
print(json.dumps([*after, sessions()]))
"""


@contextmanager
def driver(world: World, where: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A driver that loads, and that does not outlive the block."""
    places = [world.server.address, world.topic.name, world.lake.url, str(folder)]
    command = [sys.executable, "-c", DRIVER, where, *places, json.dumps(QUICK)]
    process = subprocess.Popen(command, env=ENVIRONMENT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def kill_driver(world: World, where: str, marks: int, folder: Path) -> None:
    """Kill a driver in mid-load, when it has left so many marks in a folder."""
    folder.mkdir()
    with driver(world, where, folder) as process:

        def is_there() -> bool:
            assert process.poll() is None, "the driver ended before it was killed"
            return len(list(folder.iterdir())) == marks

        wait_until(f"the driver is where its {where} are at work", is_there)
        virtual_machines = psutil.Process(process.pid).children()
        assert virtual_machines
        process.kill()
        assert process.wait() == -signal.SIGKILL
    # Without its driver it ends itself, and with it the executors.
    assert not psutil.wait_procs(virtual_machines, timeout=60)[1]


def test_a_driver_that_is_killed_in_mid_load_leaves_nothing_twice(
    broker: Server, tmp_path: Path
) -> None:
    world = new_world(broker, store(str(tmp_path / "lake")), 2)
    with world.producing() as producer:
        for number in range(COUNT):
            value = b"{" if number % 100 == 7 else json.dumps({"count": number}).encode()
            producer.produce(world.topic.name, value, partition=number % 2, key=str(number))
    bad = sorted(str(number) for number in range(7, COUNT, 100))
    good = sorted({str(number) for number in range(COUNT)} - {*bad})

    kill_driver(world, "executors", 2, tmp_path / "executors")
    assert (world.rows("key"), world.quarantined("key")) == ([], [])
    kill_driver(world, "commits", 1, tmp_path / "commits")
    assert (world.rows("key"), sorted(world.quarantined("key"))) == ([], bad)
    world.load()
    assert (sorted(world.rows("key")), sorted(world.quarantined("key"))) == (good, bad)
    assert world.load().receipt is None


def test_a_session_ends_with_the_run_that_started_it(broker: Server, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.mkdir()
    conf = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": log.as_uri(), **QUICK}
    addresses = json.dumps(dict(broker.addresses))
    done = subprocess.run(
        [sys.executable, "-c", RUNS, addresses, str(tmp_path), json.dumps(conf)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # After each run: all sessions so far, and those that have not ended.
    assert json.loads(done.stdout.splitlines()[-1]) == [[1, 0], [2, 0]]
