"""Being let in without a secret: a managed identity, or who has logged in with `az login`."""

import logging
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from novade_pipeline.storage.azure_errors import translate_error

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

SCOPE = "https://storage.azure.com/.default"
# A token is asked for anew when it ends within this many seconds.
_MARGIN_SECONDS = 600
_held: dict[str, "AccessToken"] = {}


@cache
def credential() -> Any:
    """The one DefaultAzureCredential of this process."""
    from azure.identity import DefaultAzureCredential

    # Where it finds nothing it logs a page each time; our error says it in one sentence.
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    return DefaultAzureCredential()


def token() -> str:
    """A token that is good for some minutes at least.

    Raises:
        UserError: neither a managed identity nor a log-in was found.
    """
    from azure.core.exceptions import ClientAuthenticationError

    held = _held.get(SCOPE)
    if held is None or held.expires_on < time.time() + _MARGIN_SECONDS:
        try:
            held = _held[SCOPE] = credential().get_token(SCOPE)
        except ClientAuthenticationError as error:
            raise translate_error(error, "", "log in") or error from None
    return held.token
