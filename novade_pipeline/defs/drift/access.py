"""The rights that the Drift domain needs: a token and its scopes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from novade_pipeline.defs.drift.manifest import frozen_since
from novade_pipeline.defs.drift.settings import DriftSettings
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.graph.access import Probe
from novade_pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from novade_pipeline.api.client import Client

SECONDS = 8.0
MEND = "look at NOVADE_DRIFT_API_URL and NOVADE_DRIFT_TOKEN"
FORBIDDEN, NOT_FOUND = 403, 404


def probes(settings: Settings) -> Iterator[Probe]:
    """Requests an item of each kind; none where the tables are frozen."""
    drift = settings.of(DriftSettings)
    if not drift.is_set:
        return

    def probe(right: str, needed: str, scope: str, request: "Callable[[Client], str]") -> Probe:
        def attempt() -> str:
            since = None if drift.unfreeze else frozen_since(settings.lake)
            if since is not None:
                return f"Frozen since {since:%Y-%m-%d}: it is not read any more."
            return _answer_of(drift, scope, request)

        return Probe("drift", right, needed, f"Drift {drift.api_url}", MEND, attempt)

    yield probe("token", "The token is accepted.", "", _token)
    needed = "Conversations and messages are readable."
    yield probe("conversations", needed, "conversation_read", _conversations)
    yield probe("contacts", "Contacts are readable.", "contact_read", _contacts)
    yield probe("accounts", "Accounts are readable.", "account_read", _accounts)
    yield probe("users", "Users are readable.", "user_read", _users)


def not_configured(settings: Settings) -> dict[str, str]:
    """Says what to set where Drift is not read."""
    is_read = settings.of(DriftSettings).is_set
    return {} if is_read else {"drift": "Set NOVADE_DRIFT_TOKEN to read it."}


def _answer_of(drift: DriftSettings, scope: str, request: "Callable[[Client], str]") -> str:
    from novade_pipeline.api.client import Client
    from novade_pipeline.api.contract import Refused
    from novade_pipeline.api.retry import Retry
    from novade_pipeline.defs.drift.load import api_of

    api = replace(api_of(drift), timeout=SECONDS, retry=Retry(attempts=2, longest_retry_after=1.0))
    with Client(api) as client:
        try:
            return request(client)
        except Refused as refused:
            if refused.status == FORBIDDEN and scope:
                raise PermanentFailure(
                    f"{str(refused).rstrip('.')}; give the app the scope {scope} in Drift, and "
                    "install it again."
                ) from None
            raise


def _token(client: "Client") -> str:
    from novade_pipeline.api.contract import Refused

    try:
        client.json(client.get("users/list"))
    except Refused as refused:
        # A missing scope is reported by its own probe.
        if refused.status != FORBIDDEN:
            raise
    return "The token is accepted."


def _conversations(client: "Client") -> str:
    return f"The list has {'some' if _newest(client) else 'no'} conversations."


def _contacts(client: "Client") -> str:
    from novade_pipeline.api.contract import Refused

    newest = _newest(client)
    contact = newest[0].get("contactId") if newest and isinstance(newest[0], dict) else None
    if contact is None:
        return "There is no conversation whose contact could be read."
    try:
        client.json(client.get(f"contacts/{contact}"))
    except Refused as refused:
        if refused.status != NOT_FOUND:
            raise
        return "A contact was requested; it was deleted."
    return "A contact was read."


def _accounts(client: "Client") -> str:
    client.json(client.get("accounts/", {"index": 0, "size": 1}))
    return "Accounts were read."


def _users(client: "Client") -> str:
    client.json(client.get("users/list"))
    return "The users were read."


def _newest(client: "Client") -> list[object]:
    body = client.json(client.get("conversations/list", {"limit": 1}))
    conversations = body.get("data") if isinstance(body, dict) else None
    if not isinstance(conversations, list):
        raise PermanentFailure(
            f"Drift {client.api.url}: expected a list at `data` from conversations/list, found "
            f"none; {client.api.hint}."
        )
    return conversations
