"""Whether the graph may do what it needs to: each right is tried, and nothing is changed by it.

A probe is a right of a system and a function that tries it. `novade doctor`, the checks of
`operations/access` and every step that writes first all try the same ones. A system is added by a
module `access` in its domain's folder, whose `probes(settings)` yields its probes.
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
        system: whose: `lake`.
        right: which: `write`.
        needed: what the graph needs it for.
        where: the place, as people name it; without secrets.
        mend: what to do where the system itself does not say what is missing.
        attempt: tries it and says what was found; raises a failure of ours or an OSError where the
            right is missing. It gives up within seconds where nobody answers.
    """

    system: str
    right: str
    needed: str
    where: str
    mend: str
    attempt: Callable[[], str] = field(repr=False)

    @property
    def name(self) -> str:
        """Unique, and of the characters that the name of a check may have."""
        return f"{self.system}_{self.right}"


@dataclass(frozen=True)
class Finding:
    """What a probe found.

    Attributes:
        probe: what was tried.
        passed: the right is there.
        told: one sentence; where it is not passed, what is missing and what to do.
        may_pass: it failed in a way that passes by itself: nobody answered, say.
    """

    probe: Probe
    passed: bool
    told: str
    may_pass: bool = False


def all_probes(settings: Settings) -> list[Probe]:
    """The probes of every configured system, system by system; nothing is tried yet."""
    return [probe for module in modules("access") for probe in module.probes(settings)]


def tried(probes: Iterable[Probe]) -> list[Finding]:
    """Try all of them, systems side by side; one that fails keeps no other from being tried."""
    by_system = [list(group) for _, group in groupby(probes, key=lambda probe: probe.system)]

    def of_one(group: Sequence[Probe]) -> list[Finding]:
        return [_found(probe) for probe in group]

    with ThreadPoolExecutor(max(1, len(by_system))) as threads:
        return [finding for findings in threads.map(of_one, by_system) for finding in findings]


def require(*probes: Probe) -> None:
    """Go on only with all of these rights; for what is about to write.

    Raises:
        PermanentFailure: a right is missing.
        TransientFailure: it could not be tried for a reason that passes.
    """
    for probe in probes:
        finding = _found(probe)
        if not finding.passed:
            raise (TransientFailure if finding.may_pass else PermanentFailure)(finding.told)


def lake_probes(lake: Store) -> list[Probe]:
    """What every table needs of the lake."""

    def listing() -> str:
        return "Tables are there." if lake.any_entry() else "Nothing is there yet."

    def write() -> str:
        # The second one finds a token that may create and not write.
        for _ in range(2):
            lake.write(b"probe", PROBE_OBJECT)
        return "A probe object was written."

    def read() -> str:
        try:
            lake.read(PROBE_OBJECT)
        except FileNotFoundError:
            # Who may not read is not told that there is nothing.
            return "A probe object was asked for."
        return "A probe object was read."

    def delete() -> str:
        lake.delete(PROBE_OBJECT)
        return "A probe object was deleted."

    where, mend = f"Lake {lake.url}", "set NOVADE_LAKE_URL to a place that can be written"
    return [
        Probe("lake", "list", "Tables are found in it.", where, mend, listing),
        Probe("lake", "write", "Tables are written.", where, mend, write),
        Probe("lake", "read", "Tables are read.", where, mend, read),
        Probe("lake", "delete", "Upkeep deletes what nobody needs.", where, mend, delete),
    ]


def landing_probes(landing: Store) -> list[Probe]:
    """What loading needs of the landing zone, into which it never writes."""

    def listing() -> str:
        if not landing.is_there():
            raise UserError(
                f"Landing zone: expected a folder at {landing.path()}, found none; set "
                "NOVADE_LANDING_URL, or write a sample with `novade sandbox land`."
            )
        return "It was listed."

    def read() -> str:
        found = landing.any_entry()
        if found is None:
            return "Nothing has landed that could be read."
        with landing.open_version(found.file, found.etag) as stream:
            stream.read(1)
        return f"The first byte of {found.file} was read."

    where, mend = f"Landing zone {landing.url}", "let this user read it, or set NOVADE_LANDING_URL"
    return [
        Probe("landing", "list", "New files are found.", where, mend, listing),
        Probe("landing", "read", "Files are loaded.", where, mend, read),
    ]


def _found(probe: Probe) -> Finding:
    try:
        return Finding(probe, True, probe.attempt())
    except (UserError, TransientFailure) as failure:
        return Finding(probe, False, str(failure), isinstance(failure, TransientFailure))
    except OSError as error:
        told = (
            f"{probe.where}: expected to {probe.right} there, found: {error.strerror or error}; "
            f"{probe.mend}."
        )
        return Finding(probe, False, told)
