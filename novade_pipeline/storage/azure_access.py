"""Credentials of a storage account, from the settings, validated, as plain data."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit


@dataclass(frozen=True)
class Access:
    """An account and its credentials; with neither key nor SAS, DefaultAzureCredential.

    Attributes:
        endpoint: of the Blob API, without a trailing slash.
        sas: a shared access signature, without `?`.
    """

    account: str
    endpoint: str
    key: str | None = field(default=None, repr=False)
    sas: str | None = field(default=None, repr=False)

    @property
    def connection_string(self) -> str:
        """As the Azure SDK and DuckDB take it."""
        secret = f"AccountKey={self.key}" if self.key else f"SharedAccessSignature={self.sas}"
        scheme = urlsplit(self.endpoint).scheme
        return (
            f"DefaultEndpointsProtocol={scheme};AccountName={self.account};{secret};"
            f"BlobEndpoint={self.endpoint};"
        )

    @property
    def is_default(self) -> bool:
        """Neither a key nor a SAS is set."""
        return not self.key and not self.sas

    @property
    def is_public(self) -> bool:
        """The endpoint is the one that the account has in Azure's public cloud."""
        return self.endpoint == f"https://{self.account}.blob.core.windows.net"

    @property
    def is_emulator(self) -> bool:
        """The account is a path of the endpoint, not a part of its host's name."""
        return urlsplit(self.endpoint).path.strip("/") == self.account


def access_from_settings(account: str, suffix: str, settings: Mapping[str, str | None]) -> Access:
    """The access that the settings configure.

    Args:
        suffix: the end of its host's name, after `account.blob.`.
        settings: `connection_string`, `account_key`, `sas_token`, `endpoint`; each may be unset.

    Raises:
        ValueError: a credential is malformed, or there are two.
    """
    settings = {name: _as_copied(value) for name, value in settings.items()}
    credentials = [
        name for name in ("connection_string", "account_key", "sas_token") if settings.get(name)
    ]
    if len(credentials) > 1:
        raise ValueError(
            "expected one credential, found "
            f"{' and '.join(f'NOVADE_AZURE_{name.upper()}' for name in credentials)}; leave one"
        )
    variable = f"NOVADE_AZURE_{credentials[0].upper()}" if credentials else ""
    endpoint = (settings.get("endpoint") or "").rstrip("/")
    if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
        raise ValueError(
            "expected an endpoint that begins with https://, found another; mend "
            "NOVADE_AZURE_ENDPOINT"
        )
    key, sas = settings.get("account_key"), settings.get("sas_token") or ""
    if text := settings.get("connection_string"):
        parts = (part.partition("=") for part in text.split(";") if "=" in part)
        fields = {name.strip(): _as_copied(value) for name, _, value in parts}
        if fields.get("AccountName") not in (account, None):
            raise ValueError(
                f"expected the connection string of account {account}, found that of another one; "
                f"mend {variable}"
            )
        key, sas = fields.get("AccountKey"), fields.get("SharedAccessSignature", "")
        if not key and not sas:
            raise ValueError(
                "expected a connection string with AccountKey or SharedAccessSignature, found "
                f"none; mend {variable}"
            )
        endpoint = endpoint or fields.get("BlobEndpoint", "").rstrip("/")
    if key and not _is_base64(key):
        raise ValueError(
            f"expected an account key in base64, found something else; mend {variable}"
        )
    return Access(
        account,
        endpoint or f"https://{account}.blob.{suffix}",
        key,
        _sas_token(sas, variable) if sas else None,
    )


def _as_copied(text: str | None) -> str:
    """Without the blanks, line ends and quotes that copying leaves around a value."""
    text = (text or "").strip()
    while len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


def _sas_token(text: str, variable: str) -> str:
    """The query of a SAS token or URL, with its signature encoded.

    Raises:
        ValueError: it has no signature, two, or blanks.
    """
    query = text.rpartition("?")[2].replace("&amp;", "&")
    if re.search(r"\s|[\"']", query):
        raise ValueError(
            "expected a SAS token in one line, found one with blanks, quotes or line ends in it; "
            f"mend {variable}"
        )
    parameters = [part for part in query.split("&") if part]
    signatures = [part for part in parameters if part.startswith("sig=") and part != "sig="]
    if len(signatures) != 1:
        raise ValueError(
            "expected a SAS token with a signature (sig=…), found "
            f"{'none' if not signatures else 'several'}; mend {variable}"
        )
    # A plus that is not encoded would be read as a blank.
    return "&".join(
        "sig=" + quote(part[4:], safe="%") if part in signatures else part for part in parameters
    )


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False
