"""Authentication without a secret: by a managed identity or `az login`."""

import logging
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from novade_pipeline.storage.azure_errors import translate_error

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

SCOPE = "https://storage.azure.com/.default"
# A token that expires within this many seconds is renewed.
_MARGIN_SECONDS = 600
_tokens: dict[str, "AccessToken"] = {}


@cache
def credential() -> Any:
    """The DefaultAzureCredential of this process."""
    from azure.identity import DefaultAzureCredential

    # It logs a page whenever it fails; our error is one sentence.
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    return DefaultAzureCredential()


def token() -> str:
    """Returns a token that is valid for ten minutes at least.

    Raises:
        UserError: neither a managed identity nor a log-in was found.
    """
    from azure.core.exceptions import ClientAuthenticationError

    current = _tokens.get(SCOPE)
    if current is None or current.expires_on < time.time() + _MARGIN_SECONDS:
        try:
            current = _tokens[SCOPE] = credential().get_token(SCOPE)
        except ClientAuthenticationError as error:
            raise translate_error(error, "", "log in") or error from None
    return current.token
