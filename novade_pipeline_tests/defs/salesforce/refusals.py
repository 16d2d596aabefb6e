"""An organisation as a world asks it, and what it says where it refuses."""

from typing import Any

import pytest

from novade_pipeline.defs.salesforce.organisation import Organisation
from novade_pipeline.errors import PermanentFailure

World = Any


def asked_by(world: World, **more: Any) -> Organisation:
    organisation: Organisation = world.asked(**more)
    return organisation


def refusal(org: Organisation, kind: type[Exception] = PermanentFailure) -> str:
    """What is told where it is asked for and not answered."""
    with pytest.raises(kind) as failure:
        org.describe("Account")
    return str(failure.value)
