"""The doctor asks the organisation as a load would, and names what is missing."""

from typing import Any

from novade_pipeline.defs.salesforce.access import probes
from novade_pipeline.graph.access import ProbeResult, try_all
from novade_pipeline.sandbox.salesforce.api import Faults
from novade_pipeline.settings import load_settings

World = Any


def _findings(world: World, **more: Any) -> dict[str, ProbeResult]:
    values = {
        "salesforce_url": world.url,
        "salesforce_client_id": world.api.access.client_id,
        "salesforce_client_secret": world.api.access.client_secret,
        **more,
    }
    findings = try_all(probes(load_settings(lake_url=world.lake.url, **values)))
    return {finding.probe.right: finding for finding in findings}


def test_an_organisation_that_is_not_set_up_is_not_asked(world: World) -> None:
    assert _findings(world, salesforce_url=None) == {}


def test_an_organisation_that_is_readable_as_a_whole_passes(world: World) -> None:
    findings = _findings(world)
    failed = {right: f.message for right, f in findings.items() if not f.passed}
    assert failed == {}
    assert findings["log_in"].message.startswith("Logged in")
    assert "of 100,000 API calls of the day are left" in findings["quota"].message
    assert world.api.request_counts["log_in"] == 1


def test_what_the_user_may_not_see_is_named(world: World) -> None:
    world.org.hide_object("Opportunity")
    world.org.hide_field("Contact", "Email")
    world.org.hide_field("Contact", "Phone")
    findings = _findings(world)
    assert not findings["read_opportunity"].passed
    assert "object permission 'Read' on Opportunity" in findings["read_opportunity"].message
    assert not findings["read_contact"].passed
    assert "expected to see Contact.Email, Contact.Phone" in findings["read_contact"].message
    assert "field-level security" in findings["read_contact"].message
    assert findings["read_account"].passed


def test_a_field_that_is_to_be_protected_and_is_not_there_is_named(world: World) -> None:
    findings = _findings(world, salesforce_personal_fields="Contact.Nikname__c")
    assert not findings["read_contact"].passed
    assert "expected to see Contact.Nikname__c" in findings["read_contact"].message


def test_a_wrong_secret_and_a_missing_one_are_reported(world: World) -> None:
    wrong = _findings(world, salesforce_client_secret="wr0ng")
    assert not any(finding.passed for finding in wrong.values())
    assert "NOVADE_SALESFORCE_CLIENT_SECRET is not the secret" in wrong["log_in"].message
    assert "wr0ng" not in str(wrong)
    missing = _findings(world, salesforce_client_secret=None)
    assert "Neither NOVADE_SALESFORCE_CLIENT_SECRET nor" in missing["log_in"].message


def test_a_quota_at_its_floor_is_reported(world: World) -> None:
    world.api.faults = Faults(used=4_500, daily_limit=5_000)
    findings = _findings(world)
    assert findings["read_account"].passed
    assert not findings["quota"].passed
    assert "more than 1,000 API calls of the day to be left" in findings["quota"].message
