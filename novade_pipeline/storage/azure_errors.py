"""What Azure's answers mean, in one sentence that says what to do.

Source: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and
`common-rest-api-error-codes` beside it. delta-rs and DuckDB hand the server's answer on as text.
"""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from novade_pipeline.errors import TransientFailure, UserError

RIGHTS = {
    "read": ("Storage Blob Data Reader", "Read (r)"),
    "list": ("Storage Blob Data Reader", "List (l)"),
    "write": ("Storage Blob Data Contributor", "Write (w)"),
    "delete": ("Storage Blob Data Contributor", "Delete (d)"),
    "peek": ("Storage Queue Data Message Processor", "Read (r)"),
    "receive from": ("Storage Queue Data Message Processor", "Process (p)"),
    "delete from": ("Storage Queue Data Message Processor", "Process (p)"),
    "update": ("Storage Queue Data Contributor", "Update (u)"),
    "write to": ("Storage Queue Data Message Sender", "Add (a)"),
}
"""What is done -> the least role that gives the right, and the permission that a SAS token names.

Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage and
https://learn.microsoft.com/rest/api/storageservices/create-service-sas.
"""

_CODE = re.compile(r"<Code>(\w+)</Code>|ErrorCode:\s*(\w+)")
_EXPIRED = "not valid in the specified time frame"
_SKEWED = "date header"
# The emulator returns this with the code that Azure uses for a forbidden network.
_UNAUTHENTICATED = "Server failed to authenticate the request"
_TRANSIENT = (
    *("ServerBusy", "InternalError", "OperationTimedOut", "ServiceUnavailable"),
    *("TooManyRequests", "AccountBeingCreated"),
)
_STATUS = re.compile(r"\b(429|500|502|503|504)\b")
_INTERRUPTED = (
    "request or response body error",
    "reading a body",
    "IncompleteRead",
    "Connection broken",
)
_NO_HOST = ("resolve", "Name or service not known", "failed to lookup address")


def translate_error(
    error: Exception, url: str, operation: str, sas: str | None = None
) -> UserError | TransientFailure | None:
    """Translates an error of Azure to one of ours; None for an error of another origin.

    Args:
        error: from the Azure SDK, delta-rs or DuckDB; its text is never passed on.
        url: the place that the operation was for.
        operation: a key of `RIGHTS`.
        sas: the SAS token in use; the message has its times and permissions, not its signature.
    """
    text = f"{error} {getattr(error, 'message', '')}"
    kind = type(error).__name__
    code = getattr(error, "error_code", None)
    # The SDK has an enumeration for some of the codes, and plain text for others.
    code = str(getattr(code, "value", code) or _code(text))
    status = getattr(error, "status_code", None)
    if kind in ("ClientAuthenticationError", "CredentialUnavailableError") and not code:
        return UserError(
            "Azure: expected a managed identity, a log-in (`az login`) or one of "
            "NOVADE_AZURE_CONNECTION_STRING, NOVADE_AZURE_ACCOUNT_KEY and NOVADE_AZURE_SAS_TOKEN; "
            "found none that authenticates."
        )
    if why := _refused(code, text, operation, sas or ""):
        return UserError(f"{url}: {why}")
    if code in _TRANSIENT or status in (408, 429) or (status or 0) >= 500:
        return TransientFailure(f"{url}: storage answered {code or status} to a {operation}.")
    if kind in ("ServiceRequestError", "ServiceResponseError", "IncompleteReadError") or (
        "error sending request" in text or "Could not resolve" in text or "timed out" in text
    ):
        if any(phrase in text for phrase in _NO_HOST):
            return UserError(
                f"{url}: expected an account that answers, found no such host; check the account's "
                "name and NOVADE_AZURE_ENDPOINT."
            )
        return TransientFailure(f"{url}: storage could not be reached for a {operation}.")
    if any(phrase in text for phrase in _INTERRUPTED) or (
        not code and "MicrosoftAzure" in text and _STATUS.search(text)
    ):
        return TransientFailure(f"{url}: storage failed during a {operation}.")
    if code or status:
        return UserError(f"{url}: storage refused a {operation} ({code or status}).")
    return None


def _code(text: str) -> str:
    match = _CODE.search(text)
    return next((group for group in match.groups() if group), "") if match else ""


def _refused(code: str, text: str, operation: str, sas: str) -> str | None:
    """Why Azure refused and what to do; None where a retry may succeed."""
    if code in ("ContainerNotFound", "FilesystemNotFound", "QueueNotFound"):
        kind = "queue" if code == "QueueNotFound" else "container"
        return f"expected a {kind}, found none of that name; create it."
    if code in ("AuthenticationFailed", "InvalidAuthenticationInfo") or _UNAUTHENTICATED in text:
        return _not_authenticated(text, sas)
    if code in ("AuthorizationPermissionMismatch", "InsufficientAccountPermissions"):
        role, permission = RIGHTS[operation]
        if sas:
            permissions = dict(parse_qsl(sas)).get("sp", "")
            return (
                f"may not {operation} there: expected a SAS token with the permission "
                f"{permission}, found one with `sp={permissions}`; set another one."
            )
        return f"may not {operation} there; give the identity the role `{role}`."
    if code in ("AuthorizationFailure", "PublicAccessNotPermitted", "NoAuthenticationInformation"):
        return f"a {operation} was refused ({code}); check the account's network rules."
    if code == "AuthorizationSourceIPMismatch":
        return "the SAS token is not for this machine's address (`sip`); set another one."
    if code == "KeyBasedAuthenticationNotPermitted":
        return "the account takes no keys; use a managed identity or `az login`."
    if code in ("AuthorizationResourceTypeMismatch", "AuthorizationServiceMismatch"):
        return (
            f"the SAS token is not for this service, its containers and objects ({code}); set "
            "another one."
        )
    return None


def _not_authenticated(text: str, sas: str) -> str:
    if why := _out_of_time(sas, datetime.now(UTC)):
        return why
    if _EXPIRED in text:
        return "the SAS token has expired or is not valid yet; set a new one."
    if _SKEWED in text:
        return "this machine's clock differs from Azure's by more than 15 minutes; set the clock."
    return (
        "the credentials are not those of the account; check NOVADE_AZURE_ACCOUNT_KEY, "
        "NOVADE_AZURE_SAS_TOKEN or NOVADE_AZURE_CONNECTION_STRING."
    )


def _out_of_time(sas: str, now: datetime) -> str | None:
    """The message for a SAS token outside its validity; None where it is valid now."""
    parameters = dict(parse_qsl(sas))
    ends = [moment for name in ("se", "ske") if (moment := _moment(parameters.get(name)))]
    if ends and min(ends) <= now:
        return f"the SAS token has expired at {min(ends):%Y-%m-%d %H:%M} UTC; set a new one."
    begins = _moment(parameters.get("st"))
    if begins and begins > now:
        return (
            f"the SAS token is not valid before {begins:%Y-%m-%d %H:%M} UTC; set another one, or "
            "this machine's clock."
        )
    return None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
