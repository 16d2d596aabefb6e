"""What the benchmarks share: measuring work in a process of its own, and the verdict on a figure.

Wall and CPU seconds, and the peak of its memory. A benchmark is no test: a missed goal ends with 0.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Sample:
    """One run of one piece of work.

    Attributes:
        events: how many it handled.
        seconds: wall time, imports and preparation excluded.
        cpu_seconds: of all threads, user and system.
        peak_mib: the process's greatest resident memory, imports and preparation included.
    """

    events: int
    seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Measured:
    """Several runs of the same work."""

    samples: tuple[Sample, ...]

    @property
    def seconds(self) -> float:
        """The best wall time: what disturbs a run only ever makes it slower."""
        return min(sample.seconds for sample in self.samples)

    @property
    def median_seconds(self) -> float:
        """The median wall time."""
        return median(sample.seconds for sample in self.samples)

    @property
    def cpu_seconds(self) -> float:
        """The least CPU time."""
        return min(sample.cpu_seconds for sample in self.samples)

    @property
    def rate(self) -> float:
        """Events a second, of the best run."""
        return self.samples[0].events / self.seconds

    @property
    def peak_mib(self) -> float:
        """The greatest peak of all runs."""
        return max(sample.peak_mib for sample in self.samples)

    def as_dict(self) -> dict[str, object]:
        """For JSON: the figures and each run."""
        return {
            "events": self.samples[0].events,
            "seconds": self.seconds,
            "median_seconds": self.median_seconds,
            "cpu_seconds": self.cpu_seconds,
            "events_per_second": self.rate,
            "peak_mib": self.peak_mib,
            "samples": [asdict(sample) for sample in self.samples],
        }


def timed(work: Callable[[], int]) -> Sample:
    """Do the work, which returns how many events it handled, once."""
    cpu, started = time.process_time(), time.perf_counter()
    events = work()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    return Sample(events, seconds, cpu_seconds, peak_mib())


def peak_mib() -> float:
    """The peak of this process's resident memory.

    Linux carries `ru_maxrss` over from the process that started this one; `VmHWM` is our own.
    """
    if STATUS.is_file():
        line = next(s for s in STATUS.read_text().splitlines() if s.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


def verdict(is_met: bool) -> str:
    """The word behind a figure: whether it reaches its goal."""
    return "ok" if is_met else "missed"


def report(sample: Sample) -> None:
    """Tell the process that waits in `sampled`."""
    print("\n" + json.dumps(asdict(sample)))


def sampled(script: Path, args: Iterable[str | Path], **options: object) -> Sample:
    """Run a script in a process of its own, which ends with `report`.

    Raises:
        RuntimeError: it failed, with the end of what it said.
    """
    return Sample(**run_script(script, args, **options))


def run_script(script: Path, args: Iterable[str | Path], **options: object) -> dict[str, Any]:
    """Run a script in a process of its own; the JSON object that is its last line.

    Raises:
        RuntimeError: it failed, with the end of what it said.
    """
    done = subprocess.run(
        [sys.executable, str(script), *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    if done.returncode:
        told = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise RuntimeError(f"{script.name} {' '.join(map(str, args))} failed:\n{told}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
