"""What Azure's answers mean, in one sentence that says what to do.

Source: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and
`common-rest-api-error-codes` beside it. delta-rs and DuckDB hand the server's answer on as text.
"""

import re

from novade_pipeline.errors import TransientFailure, UserError

ROLES = {
    "read": "Storage Blob Data Reader",
    "list": "Storage Blob Data Reader",
    "write": "Storage Blob Data Contributor",
    "delete": "Storage Blob Data Contributor",
}
"""The least role that gives a right, as Azure names it."""

_CODE = re.compile(r"<Code>(\w+)</Code>|ErrorCode:\s*(\w+)")
_EXPIRED = "not valid in the specified time frame"
_SKEWED = ("Request date header too old", "date header")
_PASSES = (
    *("ServerBusy", "InternalError", "OperationTimedOut", "ServiceUnavailable"),
    *("TooManyRequests", "AccountBeingCreated"),
)
_STATUS = re.compile(r"\b(429|500|502|503|504)\b")


def explained(error: Exception, url: str, doing: str) -> Exception | None:
    """A failure of ours for one of Azure's; None where it is none of Azure's.

    Args:
        error: from the Azure SDK, delta-rs or DuckDB; its text is never passed on.
        url: where.
        doing: `read`, `write`, `list` or `delete`.
    """
    text = f"{error} {getattr(error, 'message', '')}"
    kind = type(error).__name__
    code = str(getattr(error, "error_code", None) or _code(text))
    status = getattr(error, "status_code", None)
    if kind in ("ClientAuthenticationError", "CredentialUnavailableError") and not code:
        return UserError(
            "Azure: expected a managed identity, a log-in (`az login`) or one of "
            "NOVADE_AZURE_CONNECTION_STRING, NOVADE_AZURE_ACCOUNT_KEY and NOVADE_AZURE_SAS_TOKEN; "
            "found none that lets us in."
        )
    if why := _refused(code, text, url, doing):
        return UserError(why)
    if code in _PASSES or status in (408, 429) or (status or 0) >= 500:
        return TransientFailure(f"{url}: storage answered {code or status} to a {doing}.")
    if kind in ("ServiceRequestError", "ServiceResponseError", "IncompleteReadError") or (
        "error sending request" in text or "Could not resolve" in text or "timed out" in text
    ):
        if "resolve" in text or "Name or service not known" in text:
            return UserError(
                f"{url}: expected an account that answers, found no such host; check the account's "
                "name and NOVADE_AZURE_ENDPOINT."
            )
        return TransientFailure(f"{url}: storage could not be reached for a {doing}.")
    if not code and "MicrosoftAzure" in text and _STATUS.search(text):
        return TransientFailure(f"{url}: storage failed during a {doing}.")
    if code:
        return UserError(f"{url}: storage refused a {doing} ({code}).")
    return None


def _code(text: str) -> str:
    found = _CODE.search(text)
    return next((group for group in found.groups() if group), "") if found else ""


def _refused(code: str, text: str, url: str, doing: str) -> str | None:
    if code == "ContainerNotFound":
        return f"{url}: expected a container, found none of that name; create it."
    if code in ("AuthenticationFailed", "InvalidAuthenticationInfo"):
        if _EXPIRED in text:
            return f"{url}: the SAS token has expired or is not valid yet; set a new one."
        if any(told in text for told in _SKEWED):
            return f"{url}: this machine's clock differs from Azure's; set the clock."
        return (
            f"{url}: the credentials are not those of the account; check "
            "NOVADE_AZURE_ACCOUNT_KEY, NOVADE_AZURE_SAS_TOKEN or NOVADE_AZURE_CONNECTION_STRING."
        )
    if code in ("AuthorizationPermissionMismatch", "InsufficientAccountPermissions"):
        return (
            f"{url}: may not {doing} there; give the identity the role "
            f"`{ROLES.get(doing, ROLES['write'])}`, or a SAS token with that permission."
        )
    if code in ("AuthorizationFailure", "PublicAccessNotPermitted", "NoAuthenticationInformation"):
        return f"{url}: a {doing} was refused ({code}); check the account's network rules."
    if code == "KeyBasedAuthenticationNotPermitted":
        return f"{url}: the account takes no keys; use a managed identity or `az login`."
    if code in ("AuthorizationResourceTypeMismatch", "AuthorizationServiceMismatch"):
        return f"{url}: the SAS token is not for containers and blobs ({code}); set another one."
    return None
