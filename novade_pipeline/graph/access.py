"""Probes of the rights that the graph needs; a probe changes no data.

`novade doctor`, the checks of `operations/access` and every step that writes run the same probes.
A system is added by a module `access` in its domain's folder, whose `probes(settings)` yields them,
and whose `not_configured(settings)` says what to set where there are none.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.graph.domains import modules
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

PROBE_OBJECT = "_probe"
"""The object below the lake's root that is written, read and deleted."""


@dataclass(frozen=True)
class Probe:
    """A right that the graph needs.

    Attributes:
        system: `lake`.
        right: `write`.
        purpose: what the graph needs it for.
        location: of the system, for messages; without secrets.
        remedy: what to do where the system's own error does not say what is missing.
        attempt: uses the right and describes the result; raises a UserError, TransientFailure or
            OSError where the right is missing. Gives up within seconds without an answer.
    """

    system: str
    right: str
    purpose: str
    location: str
    remedy: str
    attempt: Callable[[], str] = field(repr=False)

    @property
    def name(self) -> str:
        """Unique, and a valid name of a check."""
        return f"{self.system}_{self.right}"


@dataclass(frozen=True)
class ProbeResult:
    """The result of a probe.

    Attributes:
        message: one sentence; after a failure, what is missing and what to do.
        is_transient: the failure may pass by itself, for example a timeout.
    """

    probe: Probe
    passed: bool
    message: str
    is_transient: bool = False


def all_probes(settings: Settings) -> list[Probe]:
    """Returns the probes of every configured system, grouped by system, without running them."""
    return [probe for module in modules("access") for probe in module.probes(settings)]


def not_configured(settings: Settings) -> dict[str, str]:
    """Returns the systems that are not configured, which is no failure: system -> what to set."""
    return {
        system: remedy
        for module in modules("access")
        for system, remedy in module.not_configured(settings).items()
    }


def try_all(probes: Iterable[Probe]) -> list[ProbeResult]:
    """Run all probes, systems in parallel; a failure does not stop the rest."""
    by_system = [list(group) for _, group in groupby(probes, key=lambda probe: probe.system)]

    def try_system(group: Sequence[Probe]) -> list[ProbeResult]:
        return [_try(probe) for probe in group]

    with ThreadPoolExecutor(max(1, len(by_system))) as threads:
        return [result for results in threads.map(try_system, by_system) for result in results]


def require(*probes: Probe) -> None:
    """Run probes before a write.

    Raises:
        PermanentFailure: a right is missing.
        TransientFailure: a probe failed for a reason that may pass.
    """
    for probe in probes:
        result = _try(probe)
        if not result.passed:
            raise (TransientFailure if result.is_transient else PermanentFailure)(result.message)


def lake_probes(lake: Store) -> list[Probe]:
    """The rights that every table needs in the lake."""

    def listing() -> str:
        return "The lake has tables." if lake.any_entry() else "The lake is empty."

    def write() -> str:
        # The second write fails with a token that may create and not overwrite.
        for _ in range(2):
            lake.write(b"probe", PROBE_OBJECT)
        return "A probe object was written."

    def read() -> str:
        try:
            lake.read(PROBE_OBJECT)
        except FileNotFoundError:
            # Without the right to read, the error is another one.
            return "A probe object was requested."
        return "A probe object was read."

    def delete() -> str:
        lake.delete(PROBE_OBJECT)
        return "A probe object was deleted."

    location, remedy = f"Lake {lake.url}", "set NOVADE_LAKE_URL to a writable location"
    return [
        Probe("lake", "list", "Tables are discovered.", location, remedy, listing),
        Probe("lake", "write", "Tables are written.", location, remedy, write),
        Probe("lake", "read", "Tables are read.", location, remedy, read),
        Probe("lake", "delete", "Maintenance deletes unused files.", location, remedy, delete),
    ]


def landing_probes(landing: Store) -> list[Probe]:
    """The rights that loading needs in the landing zone, into which it never writes."""

    def listing() -> str:
        if not landing.exists():
            raise UserError(
                f"Landing zone: expected a folder at {landing.path()}, found none; set "
                "NOVADE_LANDING_URL, or write a sample with `novade sandbox land`."
            )
        return "The folder was listed."

    def read() -> str:
        entry = landing.any_entry()
        if entry is None:
            return "The landing zone has no file to read."
        with landing.open_version(entry.file, entry.etag) as stream:
            stream.read(1)
        return f"The first byte of {entry.file} was read."

    location, remedy = (
        f"Landing zone {landing.url}",
        "grant this user read access, or set NOVADE_LANDING_URL",
    )
    return [
        Probe("landing", "list", "New files are discovered.", location, remedy, listing),
        Probe("landing", "read", "Files are loaded.", location, remedy, read),
    ]


def _try(probe: Probe) -> ProbeResult:
    try:
        return ProbeResult(probe, True, probe.attempt())
    except (UserError, TransientFailure) as failure:
        return ProbeResult(probe, False, str(failure), isinstance(failure, TransientFailure))
    except OSError as error:
        message = (
            f"{probe.location}: expected to {probe.right} there, found: {error.strerror or error}; "
            f"{probe.remedy}."
        )
        return ProbeResult(probe, False, message)
