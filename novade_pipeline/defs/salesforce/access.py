"""The rights that the Salesforce domain needs: log-in, API, objects with their fields, quota."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from novade_pipeline.defs.salesforce.settings import SalesforceSettings
from novade_pipeline.defs.salesforce.tables import OBJECTS, OPTIONAL_OBJECTS
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.graph.access import Probe
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings

if TYPE_CHECKING:
    from novade_pipeline.defs.salesforce.organisation import Organisation

SECONDS = 8.0


def probes(settings: Settings) -> Iterator[Probe]:
    """Probes the log-in, the API, each object and the quota, all with one token."""
    salesforce = settings.of(SalesforceSettings)
    if salesforce.url is None:
        return
    where, remedy = f"Salesforce {salesforce.url}", "look at NOVADE_SALESFORCE_URL"

    @cache
    def organisation() -> "Organisation":
        from novade_pipeline.api.retry import Retry
        from novade_pipeline.defs.salesforce.organisation import Organisation
        from novade_pipeline.defs.salesforce.session import SalesforceSession

        if salesforce.missing:
            raise PermanentFailure(salesforce.missing)
        probe_settings = salesforce.model_copy(update={"timeout_seconds": SECONDS, "api_floor": 0})
        retry = Retry(attempts=2, longest_retry_after=1.0)
        return Organisation(probe_settings, SalesforceSession(probe_settings, retry))

    def probe(right: str, needed: str, attempt: Callable[[], str]) -> Probe:
        return Probe("salesforce", right, needed, where, remedy, attempt)

    def log_in() -> str:
        return f"Logged in at {organisation().session.token.instance_url}."

    yield probe("log_in", "The log-in succeeds.", log_in)
    yield probe("api", "The API answers.", lambda: _api(organisation()))
    for name in (name for name in OBJECTS if name not in OPTIONAL_OBJECTS | salesforce.left_out):
        needed = f"{name} is readable, with the fields that the marts use."
        attempt = _read_probe(organisation, name, salesforce.personal_of(name))
        yield probe(f"read_{OBJECTS[name].path[-1]}", needed, attempt)
    floor = salesforce.api_floor
    yield probe("quota", "API calls are left for loads.", lambda: _quota(organisation(), floor))


def not_configured(settings: Settings) -> dict[str, str]:
    """Says what to set where Salesforce is not read."""
    is_read = settings.of(SalesforceSettings).url is not None
    return {} if is_read else {"salesforce": "Set NOVADE_SALESFORCE_URL to read it."}


def _read_probe(
    organisation: Callable[[], "Organisation"], name: str, personal: frozenset[str]
) -> Callable[[], str]:
    def read() -> str:
        from novade_pipeline.defs.salesforce.fields import fields_of

        described = organisation().describe(name)["fields"]
        fields = fields_of(name, OBJECTS[name], described, None, personal)
        if fields.invisible:
            names = ", ".join(f"{name}.{field}" for field in fields.invisible)
            raise PermanentFailure(
                f"Salesforce: expected to see {names}, found that the user may not, or that the "
                "organisation has no such fields; give the user's permission set the field-level "
                "security 'Read' on them. Until then their columns are null."
            )
        return f"{name} is read, with {counted(len(fields.read), 'field')}."

    return read


def _api(org: "Organisation") -> str:
    from novade_pipeline.defs.salesforce.responses import Refused

    try:
        org.limits()
    except Refused as refused:
        raise PermanentFailure(
            f"{refused} Give the connected app the OAuth scope 'Manage user data via APIs (api)', "
            "and the user the permission 'API Enabled'."
        ) from None
    return f"API version {org.settings.api_version} answers."


def _quota(org: "Organisation", floor: int) -> str:
    limits = org.limits()
    calls, jobs = (limits.get(name, {}) for name in ("DailyApiRequests", "DailyBulkV2QueryJobs"))
    left, total = int(calls.get("Remaining", 0)), int(calls.get("Max", 0))
    if left <= floor:
        raise PermanentFailure(
            f"Salesforce: expected more than {floor:,} API calls of the day to be left "
            f"(NOVADE_SALESFORCE_API_FLOOR), found {left:,} of {total:,}; loads resume as calls "
            "of the last 24 hours come free."
        )
    return (
        f"{left:,} of {total:,} API calls of the day are left, {jobs.get('Remaining', 0):,} jobs."
    )
