"""What the Salesforce domain needs: a log-in, the API, each object and its fields, and quota."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from novade_pipeline.defs.salesforce.settings import SalesforceSettings
from novade_pipeline.defs.salesforce.tables import OBJECTS, OPTIONAL
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.graph.access import Probe
from novade_pipeline.settings import Settings

if TYPE_CHECKING:
    from novade_pipeline.defs.salesforce.organisation import Organisation

SECONDS = 8.0


def probes(settings: Settings) -> Iterator[Probe]:
    """Log in, look at the limits, describe each object; as a load would, with one token."""
    salesforce = settings.of(SalesforceSettings)
    if salesforce.url is None:
        return
    where, mend = f"Salesforce {salesforce.url}", "look at NOVADE_SALESFORCE_URL"

    @cache
    def organisation() -> "Organisation":
        from novade_pipeline.api.retry import Retry
        from novade_pipeline.defs.salesforce.organisation import Organisation
        from novade_pipeline.defs.salesforce.session import SalesforceSession

        if salesforce.missing:
            raise PermanentFailure(salesforce.missing)
        # Who asks for what is missing does not want to wait, nor to be told of the floor alone.
        hasty = salesforce.model_copy(update={"timeout_seconds": SECONDS, "api_floor": 0})
        retry = Retry(attempts=2, longest_retry_after=1.0)
        return Organisation(hasty, SalesforceSession(hasty, retry))

    def log_in() -> str:
        return f"Logged in, asked at {organisation().session.token.instance_url}."

    def api() -> str:
        return _api(organisation())

    def quota() -> str:
        return _quota(organisation(), salesforce.api_floor)

    yield Probe("salesforce", "log_in", "It lets us in.", where, mend, log_in)
    yield Probe("salesforce", "api", "Its API may be asked.", where, mend, api)
    for name in (name for name in OBJECTS if name not in OPTIONAL | salesforce.left_out):
        yield Probe(
            "salesforce",
            f"read_{OBJECTS[name].path[-1]}",
            f"{name} is read, with the fields that the marts rely on.",
            where,
            mend,
            _reading(organisation, name, salesforce.personal_of(name)),
        )
    yield Probe("salesforce", "quota", "API calls are left for loads.", where, mend, quota)


def _reading(
    organisation: Callable[[], "Organisation"], name: str, personal: frozenset[str]
) -> Callable[[], str]:
    def read() -> str:
        from novade_pipeline.defs.salesforce.fields import fields_of

        described = organisation().describe(name)["fields"]
        found = fields_of(name, OBJECTS[name], described, None, personal)
        if found.invisible:
            fields = ", ".join(f"{name}.{field}" for field in found.invisible)
            raise PermanentFailure(
                f"Salesforce: expected to see {fields}, found that the user may not, or that the "
                "organisation has none of these; give the user's permission set the field-level "
                "security 'Read' on them. Until then their columns are null."
            )
        return f"{name} is read, with {len(found.read)} fields."

    return read


def _api(org: "Organisation") -> str:
    from novade_pipeline.defs.salesforce.session import Refused

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
            f"(NOVADE_SALESFORCE_API_FLOOR), found {left:,} of {total:,}; loads go on as calls of "
            "the last 24 hours come free."
        )
    return (
        f"{left:,} of {total:,} API calls of the day are left, {jobs.get('Remaining', 0):,} jobs."
    )
