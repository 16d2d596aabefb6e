"""Logging in to an organisation: client credentials, or a JWT that the app's private key signs.

Sources: https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm,
…remoteaccess_oauth_jwt_flow.htm; errors: …remoteaccess_oauth_flow_errors.htm.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from novade_pipeline.defs.salesforce.settings import LOOPBACK, SalesforceSettings
from novade_pipeline.errors import PermanentFailure

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Salesforce accepts no assertion that is valid for longer.
ASSERTION_SECONDS = 180
_SECRET, _KEY = "NOVADE_SALESFORCE_CLIENT_SECRET", "NOVADE_SALESFORCE_PRIVATE_KEY_FILE"
_OTHER_ORGANISATION = (
    "a sandbox organisation accepts log-ins at its own My Domain only "
    "(https://novade--name.sandbox.my.salesforce.com), not at production"
)


@dataclass(frozen=True)
class Token:
    """An access token, and the URL that it is for."""

    access_token: str = field(repr=False)
    instance_url: str
    scope: str = ""


def grant(settings: SalesforceSettings) -> dict[str, str]:
    """Returns the form of a request for a token.

    Raises:
        PermanentFailure: the private key cannot be used.
    """
    secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
    if secret:
        return {
            "grant_type": "client_credentials",
            "client_id": settings.client_id or "",
            "client_secret": secret,
        }
    return {"grant_type": JWT_GRANT, "assertion": _assertion(settings)}


def token_of(settings: SalesforceSettings, answer: object) -> Token:
    """Parses the token endpoint's answer.

    Raises:
        PermanentFailure: it has no token, or one for a host that is not Salesforce's.
    """
    body = answer if isinstance(answer, Mapping) else {}
    token, instance_url = body.get("access_token"), body.get("instance_url")
    if not isinstance(token, str) or not isinstance(instance_url, str):
        raise PermanentFailure(
            f"Salesforce: expected a token from {settings.url}{TOKEN_PATH}, found something else; "
            "NOVADE_SALESFORCE_URL must be the organisation's My Domain."
        )
    instance, my_domain = urlsplit(instance_url), urlsplit(settings.url or "")
    is_salesforce = instance.scheme == "https" and f".{instance.hostname}".endswith(
        ".salesforce.com"
    )
    if not (is_salesforce or instance.netloc == my_domain.netloc):
        raise PermanentFailure(
            "Salesforce: expected an instance at a host of salesforce.com, found "
            f"{instance.netloc}; nothing is sent to it. Look at NOVADE_SALESFORCE_URL."
        )
    return Token(token, f"{instance.scheme}://{instance.netloc}", str(body.get("scope") or ""))


def refusal(
    settings: SalesforceSettings, error: str, description: str, *, is_renewal: bool = False
) -> PermanentFailure:
    """Explains why the endpoint gave no token, and what to do.

    Args:
        is_renewal: an earlier log-in succeeded.
    """
    by_secret = bool(settings.client_secret and settings.client_secret.get_secret_value())
    reason = f"{error}: {description}" if description else error
    words = f"{error} {description}".lower()
    expected = "Salesforce: expected to log in" + (" again" if is_renewal else "")
    if is_renewal:
        remedy = (
            "the access was revoked meanwhile; let an administrator look at the connected app, "
            "its policies and the user that it runs as"
        )
    elif error == "invalid_client_id" or "client identifier" in words:
        remedy = (
            f"NOVADE_SALESFORCE_CLIENT_ID is no app of this organisation; {_OTHER_ORGANISATION}"
        )
    elif "secret" in words or ("client credentials" in words and "user" not in words):
        remedy = f"{_SECRET} is not the secret of the app NOVADE_SALESFORCE_CLIENT_ID"
    elif "no client credentials user" in words:
        remedy = "choose a 'Run As' user in the app's client credentials flow"
    elif "approved" in words:
        remedy = (
            "let an administrator approve the app for the user NOVADE_SALESFORCE_USERNAME "
            "('Admin approved users are pre-authorized')"
        )
    elif (
        "audience" in words
        or "on this domain" in words
        or (error == "invalid_grant" and "authentication failure" in words)
    ):
        remedy = f"this log-in belongs to another organisation; {_OTHER_ORGANISATION}"
    elif "assertion" in words or "signature" in words:
        remedy = f"{_KEY} does not belong to the certificate of the app NOVADE_SALESFORCE_CLIENT_ID"
    elif "revoked" in words or "expired" in words:
        remedy = "the access was revoked; let an administrator approve the app again"
    elif "inactive" in words or "locked" in words:
        remedy = "the user that logs in is not active; an administrator can activate it"
    elif "ip restricted" in words:
        remedy = "let the app's policies accept this machine's address ('Relax IP restrictions')"
    else:
        remedy = f"look at NOVADE_SALESFORCE_CLIENT_ID and {_SECRET if by_secret else _KEY}"
    return PermanentFailure(f"{expected} at {settings.url}, found {reason!r}: {remedy}.")


def audience(url: str) -> str:
    """Returns whom the assertion is for: the log-in host of production, or of sandboxes.

    The sandbox of this package, on loopback, takes the place of production.
    """
    host = urlsplit(url).hostname or ""
    return "https://test.salesforce.com" if ".sandbox." in host else "https://login.salesforce.com"


def _assertion(settings: SalesforceSettings) -> str:
    import jwt

    claims = {
        "iss": settings.client_id,
        "sub": settings.username,
        "aud": audience(settings.url or ""),
        "exp": int(time.time()) + ASSERTION_SECONDS,
    }
    try:
        return jwt.encode(claims, _private_key(settings), algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        # The library's message may contain the key.
        raise PermanentFailure(
            f"Salesforce: expected an RSA private key in PEM form in {_KEY} or "
            "NOVADE_SALESFORCE_PRIVATE_KEY, found something else."
        ) from None


def _private_key(settings: SalesforceSettings) -> str:
    if settings.private_key and (key := settings.private_key.get_secret_value()):
        # An environment variable has one line: many tools write line ends as \n.
        return key.replace("\\n", "\n")
    assert settings.private_key_file is not None
    try:
        return settings.private_key_file.read_text()
    except (OSError, UnicodeDecodeError):
        raise PermanentFailure(
            f"Salesforce: expected a private key in {settings.private_key_file}, found no file "
            f"that can be read; set {_KEY}."
        ) from None


def is_loopback(url: str) -> bool:
    """Whether the organisation is this package's sandbox, on this machine."""
    return urlsplit(url).hostname in LOOPBACK
