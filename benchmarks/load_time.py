"""How long the graph takes to load, against what Dagster and its dbt library alone take.

    .venv/bin/python benchmarks/load_time.py [--repeat 5]

In turns, each time in a process of its own with a bare environment and an empty folder; the dbt
project is parsed beforehand. It is a benchmark, not a test: a missed goal ends with 0 too.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from statistics import median

from harness import verdict

GOAL = 1.25
BARE = "import dagster, dagster_dbt"
GRAPH = (
    "from novade_pipeline.definitions import build_definitions\n"
    "from novade_pipeline.settings import load_settings\n"
    "build_definitions(load_settings()).get_repository_def()"
)
HEAVY = ("dbt", "pandas", "matplotlib", "pyspark", "azure", "dagster_azure", "dagster_pyspark")
TOLD = "\nimport sys; print(*(name for name in {heavy} if name in sys.modules))"


def seconds(code: str) -> tuple[float, str]:
    """The wall time of an interpreter that runs the code, and the heavy modules it has then."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NOVADE_", "DAGSTER_"))}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code + TOLD.format(heavy=HEAVY)],
            cwd=folder,
            env=kept,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return time.perf_counter() - started, done.stdout.split("\n")[-2].strip()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeat", type=int, default=5, help="runs of each of the two")
    repeat = parser.parse_args().repeat
    seconds(BARE), seconds(GRAPH)
    runs = [(seconds(BARE), seconds(GRAPH)) for _ in range(repeat)]
    bare = median(bare[0] for bare, _ in runs)
    graph = median(graph[0] for _, graph in runs)
    ratio = graph / bare
    heavy = runs[-1][1][1] or "nothing"
    print(f"import dagster, dagster_dbt   {bare:6.2f} s   median of {repeat}")
    print(f"the graph, definitions built  {graph:6.2f} s")
    how = verdict(ratio <= GOAL)
    print(f"graph / bare                  {ratio:6.2f}     wanted <= {GOAL}   {how}")
    print(f"heavy modules in the graph: {heavy}")


if __name__ == "__main__":
    main()
