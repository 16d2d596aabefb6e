"""Logging in to an organisation: client credentials, or a JWT that the app's private key signs.

Sources: https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
and …remoteaccess_oauth_jwt_flow.htm; what the token endpoint answers where it says no:
…remoteaccess_oauth_flow_errors.htm.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from novade_pipeline.defs.salesforce.settings import LOOPBACK, SalesforceSettings
from novade_pipeline.errors import PermanentFailure

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Salesforce takes no assertion that is valid for longer.
ASSERTION_SECONDS = 180
_SECRET, _KEY = "NOVADE_SALESFORCE_CLIENT_SECRET", "NOVADE_SALESFORCE_PRIVATE_KEY_FILE"
_OTHER_ORGANISATION = (
    "a sandbox organisation lets in at its own My Domain only "
    "(https://novade--name.sandbox.my.salesforce.com), not at production"
)


@dataclass(frozen=True)
class Token:
    """What lets us in, and where the organisation is asked."""

    access_token: str = field(repr=False)
    instance_url: str
    scope: str = ""


def grant(settings: SalesforceSettings) -> dict[str, str]:
    """The form that asks for a token.

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
    """The token that the endpoint gave.

    Raises:
        PermanentFailure: it is none, or is for a host that is not Salesforce's.
    """
    told = answer if isinstance(answer, Mapping) else {}
    token, instance = told.get("access_token"), told.get("instance_url")
    if not isinstance(token, str) or not isinstance(instance, str):
        raise PermanentFailure(
            f"Salesforce: expected a token from {settings.url}{TOKEN_PATH}, found something else; "
            "NOVADE_SALESFORCE_URL must be the organisation's My Domain."
        )
    there, ours = urlsplit(instance), urlsplit(settings.url or "")
    is_salesforce = there.scheme == "https" and f".{there.hostname}".endswith(".salesforce.com")
    if not (is_salesforce or there.netloc == ours.netloc):
        raise PermanentFailure(
            f"Salesforce: expected to be sent to a host of salesforce.com, found {there.netloc}; "
            "nothing is sent there. Look at NOVADE_SALESFORCE_URL."
        )
    return Token(token, f"{there.scheme}://{there.netloc}", str(told.get("scope") or ""))


def refusal(
    settings: SalesforceSettings, error: str, description: str, *, again: bool = False
) -> PermanentFailure:
    """Why the endpoint gave no token, and what to do, in one sentence.

    Args:
        again: it had given one before.
    """
    by_secret = bool(settings.client_secret and settings.client_secret.get_secret_value())
    told = f"{error}: {description}" if description else error
    words = f"{error} {description}".lower()
    expected = "Salesforce: expected to be let in" + (" again" if again else "")
    if again:
        mend = (
            "the access was taken back meanwhile; let an administrator look at the connected app, "
            "its policies and the user that it runs as"
        )
    elif error == "invalid_client_id" or "client identifier" in words:
        mend = (
            f"NOVADE_SALESFORCE_CLIENT_ID names no app of this organisation; {_OTHER_ORGANISATION}"
        )
    elif "secret" in words or ("client credentials" in words and "user" not in words):
        mend = f"{_SECRET} is not the secret of the app NOVADE_SALESFORCE_CLIENT_ID"
    elif "no client credentials user" in words:
        mend = "choose a 'Run As' user in the app's client credentials flow"
    elif "approved" in words:
        mend = (
            "let an administrator approve the app for the user NOVADE_SALESFORCE_USERNAME "
            "('Admin approved users are pre-authorized')"
        )
    elif (
        "audience" in words
        or "on this domain" in words
        or (error == "invalid_grant" and "authentication failure" in words)
    ):
        mend = f"this log-in is not one of the organisation there; {_OTHER_ORGANISATION}"
    elif "assertion" in words or "signature" in words:
        mend = f"{_KEY} does not belong to the certificate of the app NOVADE_SALESFORCE_CLIENT_ID"
    elif "revoked" in words or "expired" in words:
        mend = "somebody took the access back; let an administrator approve the app again"
    elif "inactive" in words or "locked" in words:
        mend = "the user that logs in is not active; an administrator can mend that"
    elif "ip restricted" in words:
        mend = "let the app's policies accept this machine's address ('Relax IP restrictions')"
    else:
        mend = f"look at NOVADE_SALESFORCE_CLIENT_ID and {_SECRET if by_secret else _KEY}"
    return PermanentFailure(f"{expected} at {settings.url}, found {told!r}: {mend}.")


def audience(url: str) -> str:
    """Who the assertion is for: the log-in host of production, or of sandbox organisations.

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
        # What the library says may hold the key.
        raise PermanentFailure(
            f"Salesforce: expected an RSA private key in PEM form in {_KEY} or "
            "NOVADE_SALESFORCE_PRIVATE_KEY, found something else."
        ) from None


def _private_key(settings: SalesforceSettings) -> str:
    if settings.private_key and (key := settings.private_key.get_secret_value()):
        # A variable has one line: many tools write the line ends of a key as \n.
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
    """The organisation is the sandbox's, on this machine."""
    return urlsplit(url).hostname in LOOPBACK
