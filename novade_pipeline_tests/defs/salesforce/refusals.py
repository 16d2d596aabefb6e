"""An organisation of a world, and the message of a failure."""

from typing import Any

import pytest

from novade_pipeline.defs.salesforce.organisation import Organisation
from novade_pipeline.errors import PermanentFailure

World = Any


def organisation_of(world: World, **more: Any) -> Organisation:
    organisation: Organisation = world.organisation(**more)
    return organisation


def refusal(org: Organisation, kind: type[Exception] = PermanentFailure) -> str:
    """Returns the message of a failed describe."""
    with pytest.raises(kind) as failure:
        org.describe("Account")
    return str(failure.value)
