"""Checks of log-ins, by OAuth and by SOAP.

Source: https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_client_credentials_flow.htm,
https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm and
https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_refresh_token_flow.htm. The
messages are those that people report from the real service.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from html import escape, unescape

import jwt

from novade_pipeline.sandbox.salesforce.ids import record_id

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LOGIN_HOSTS = ("login.salesforce.com", "test.salesforce.com")
ORGANISATION = record_id("00D", 1)


@dataclass(frozen=True)
class Access:
    """The valid credentials.

    Attributes:
        client_id: consumer key of the connected app.
        client_secret: consumer secret of the connected app.
        username: the integration's user.
        password: the user's password followed by the security token.
        refresh_token: the user's, for the connected app.
        public_key: PEM of the key for JWTs; "" accepts none.
        is_sandbox: JWTs are for test.salesforce.com.
    """

    client_id: str = "3MVG9sandbox.consumer.key"
    client_secret: str = "sandbox-consumer-secret"  # noqa: S105
    username: str = "integration@novade.example"
    password: str = "sandbox-password-and-token"  # noqa: S105
    refresh_token: str = "5Aep861sandbox.refresh.token"  # noqa: S105
    public_key: str = ""
    is_sandbox: bool = False


class LogInRefused(Exception):
    """A log-in that is refused, with OAuth's error code and Salesforce's description."""

    def __init__(self, error: str, description: str) -> None:
        self.error = error
        self.description = description
        super().__init__(f"{error}: {description}")


def check(
    access: Access,
    form: Mapping[str, str],
    authorization: str,
    host: str,
    url: str,
    *,
    another_domain: bool,
    revoked: bool,
) -> None:
    """Check a request to the token endpoint.

    Args:
        access: the valid credentials.
        form: the posted form.
        authorization: that header, or "".
        host: the requested host.
        url: the organisation's own URL.
        another_domain: the request is for another organisation's domain.
        revoked: the organisation has revoked access.

    Raises:
        LogInRefused: the request gives no access.
    """
    grant = form.get("grant_type", "")
    if grant == "client_credentials":
        if another_domain or host in LOGIN_HOSTS:
            raise LogInRefused("invalid_grant", "request not supported on this domain")
        _check_client(access, *_client(form, authorization))
        if revoked:
            raise LogInRefused("invalid_grant", "no client credentials user enabled")
    elif grant == "refresh_token":
        _check_client(access, *_client(form, authorization))
        token = form.get("refresh_token", "")
        if revoked or not compare_digest(token.encode(), access.refresh_token.encode()):
            raise LogInRefused("invalid_grant", "expired access/refresh token")
    elif grant == JWT_BEARER:
        assertion = form.get("assertion", "")
        _check_assertion(access, assertion, url, another_domain=another_domain, revoked=revoked)
    else:
        raise LogInRefused("unsupported_grant_type", "grant type not supported")


def _client(form: Mapping[str, str], authorization: str) -> tuple[str, str]:
    """Consumer key and secret, from the form or the header."""
    kind, _, posted = authorization.partition(" ")
    if kind.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client, _, secret = b64decode(posted).decode().partition(":")
    except (NotBase64, UnicodeDecodeError):
        return "", ""
    return client, secret


def _check_client(access: Access, client: str, secret: str) -> None:
    if not compare_digest(client.encode(), access.client_id.encode()):
        raise LogInRefused("invalid_client_id", "client identifier invalid")
    if not compare_digest(secret.encode(), access.client_secret.encode()):
        raise LogInRefused("invalid_client", "invalid client credentials")


def _check_assertion(
    access: Access, assertion: str, url: str, *, another_domain: bool, revoked: bool
) -> None:
    login = f"https://{LOGIN_HOSTS[access.is_sandbox]}"
    if not access.public_key:
        raise LogInRefused("invalid_grant", "invalid assertion")
    try:
        claims = jwt.decode(
            assertion,
            access.public_key,
            algorithms=["RS256"],
            audience=[login, url],
            options={"require": ["iss", "sub", "aud", "exp"]},
        )
    except jwt.InvalidAudienceError:
        raise LogInRefused("invalid_grant", "audience is invalid") from None
    except jwt.ExpiredSignatureError:
        raise LogInRefused("invalid_grant", "expired authorization code") from None
    except jwt.InvalidTokenError:
        raise LogInRefused("invalid_grant", "invalid assertion") from None
    if another_domain:
        raise LogInRefused("invalid_grant", "audience is invalid")
    if claims["iss"] != access.client_id:
        raise LogInRefused("invalid_client_id", "client identifier invalid")
    if revoked or claims["sub"] != access.username:
        raise LogInRefused("invalid_grant", "user hasn't approved this consumer")


def is_right_password(access: Access, envelope: str) -> bool:
    """Whether the user name and password in a SOAP log-in are right."""
    posted = [
        unescape(match[1]) if (match := re.search(rf"<\w+:{name}>(.*?)</", envelope)) else ""
        for name in ("username", "password")
    ]
    expected = [access.username, access.password]
    return all(
        compare_digest(a.encode(), b.encode()) for a, b in zip(posted, expected, strict=True)
    )


def soap_answer(token: str, server_url: str) -> str:
    """The response to a successful SOAP log-in."""
    return _envelope(
        f"<loginResponse><result><serverUrl>{escape(server_url)}</serverUrl>"
        f"<sessionId>{escape(token)}</sessionId></result></loginResponse>"
    )


def soap_refusal() -> str:
    """The response to a failed SOAP log-in."""
    message = "Invalid username, password, security token; or user locked out."
    return _envelope(
        f"<soapenv:Fault><faultcode>INVALID_LOGIN</faultcode><faultstring>INVALID_LOGIN: {message}"
        "</faultstring><detail><sf:LoginFault><sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>"
        f"<sf:exceptionMessage>{message}</sf:exceptionMessage></sf:LoginFault></detail>"
        "</soapenv:Fault>"
    )


def _envelope(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns="urn:partner.soap.sforce.com" xmlns:sf="urn:fault.partner.soap.sforce.com">'
        f"<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
