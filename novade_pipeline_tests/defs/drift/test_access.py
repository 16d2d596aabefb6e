"""The doctor asks Drift as a load would, and names the scope that is missing."""

import socket
from typing import Any

import pytest

from novade_pipeline.defs.drift.access import probes
from novade_pipeline.graph.access import ProbeResult, try_all
from novade_pipeline.sandbox.drift_api import SCOPES, TOKEN, DriftApi, Faults
from novade_pipeline.settings import load_settings

World = Any
RIGHTS = ["token", "conversations", "contacts", "accounts", "users"]


def _findings(world: World, token: str | None = TOKEN, **more: Any) -> dict[str, ProbeResult]:
    settings = load_settings(
        lake_url=world.lake.url, drift_api_url=world.url, drift_token=token, **more
    )
    return {finding.probe.right: finding for finding in try_all(probes(settings))}


def test_a_service_that_is_not_set_up_is_not_asked(world: World) -> None:
    world.url = "http://127.0.0.1:1"
    assert _findings(world, None) == {}


def test_each_right_is_tried(world: World) -> None:
    service = DriftApi(conversations=3)
    world.serve(service)
    findings = _findings(world)
    assert list(findings) == RIGHTS
    assert all(finding.passed for finding in findings.values())
    service.delete_contact(service.newest_first()[0]["contactId"])
    assert _findings(world)["contacts"].message == "A contact was requested; it was deleted."


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_that_is_missing_is_reported_by_its_name_and_alone(
    world: World, scope: str
) -> None:
    world.serve(DriftApi(conversations=3, faults=Faults(missing_scopes=(scope,))))
    failed = {right: f.message for right, f in _findings(world).items() if not f.passed}
    advice = f"give the app the scope {scope} in Drift, and install it again."
    right = f"{scope.removesuffix('_read')}s"
    # Contacts are read through conversations.
    also = {"contacts"} if right == "conversations" else set()
    assert set(failed) == {right} | also
    assert failed[right].endswith(advice)


def test_a_wrong_token_is_reported_and_not_shown(world: World) -> None:
    world.serve(DriftApi(conversations=3))
    findings = _findings(world, "wr0ng")
    assert not any(finding.passed for finding in findings.values())
    assert all("401 Unauthorized: Bad or expired token" in f.message for f in findings.values())
    assert "wr0ng" not in str(findings)


def test_a_service_that_does_not_answer_may_answer_later(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        world.url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    assert all(finding.is_transient for finding in _findings(world).values())


def test_frozen_tables_are_not_read_unless_requested(
    exported: tuple[World, dict[str, Any]],
) -> None:
    world, manifest = exported
    url, world.url = world.url, "http://127.0.0.1:1"
    since = manifest["finished_at"][:10]
    assert {finding.message for finding in _findings(world).values()} == {
        f"Frozen since {since}: it is not read any more."
    }
    world.url = url
    findings = _findings(world, drift_unfreeze=True)
    assert findings["token"].message == "The token is accepted."
