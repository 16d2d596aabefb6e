"""The organisation in the graph: configured or not, whole or with parts that fail."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.defs.salesforce import assets, checks
from novade_pipeline.defs.salesforce.tables import OBJECTS, OPTIONAL_OBJECTS, TABLES
from novade_pipeline.errors import UserError
from novade_pipeline.graph.table_assets import QUARANTINE_CHECK
from novade_pipeline.sandbox.salesforce import currencies
from novade_pipeline.sandbox.salesforce.api import Faults
from novade_pipeline.settings import Settings, load_settings

World = Any
OF_CURRENCIES = OPTIONAL_OBJECTS - {"Organization"}
NOT_SET = "NOVADE_SALESFORCE_URL is not set: Salesforce is not read."


def _settings(world: World, configured: bool = True, **more: Any) -> Settings:
    access = {
        "salesforce_url": world.url,
        "salesforce_client_id": world.api.access.client_id,
        "salesforce_client_secret": world.api.access.client_secret,
    }
    return load_settings(
        env_file="/dev/null" if Path("/dev/null").is_file() else None,
        lake_url=world.lake.url,
        **{**(access if configured else {}), **more},
    )


def _run(
    world: World, *names: str, tags: dict[str, str] | None = None, **more: Any
) -> dg.ExecuteInProcessResult:
    settings = _settings(world, **more)
    graph = dg.Definitions(
        assets=assets.definitions(settings).assets,
        asset_checks=checks.definitions(settings).asset_checks,
        resources={"lake": settings.lake},
        jobs=[dg.define_asset_job("everything", selection=dg.AssetSelection.all())],
    )
    return graph.resolve_job_def("everything").execute_in_process(
        asset_selection=[dg.AssetKey(["salesforce", name]) for name in names] or None,
        tags=tags,
        raise_on_error=False,
    )


def _metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        event.asset_key.path[-1]: {k: v.value for k, v in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def _why(result: dg.ExecuteInProcessResult) -> str:
    failure = next(event for event in result.all_events if event.is_step_failure)
    data = failure.step_failure_data
    assert data.user_failure_data is not None
    return str(data.user_failure_data.description)


def _checks(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    return {
        (check.asset_key.path[-1], check.check_name): check
        for check in result.get_asset_check_evaluations()
    }


def test_where_it_is_not_configured_a_run_of_everything_passes_it_over(world: World) -> None:
    result = _run(world, configured=False)
    assert result.success
    metadata_of = _metadata(result)
    assert set(metadata_of) == {table.path[-1] for table in TABLES}
    assert {metadata["note"] for metadata in metadata_of.values()} == {NOT_SET}
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert not Path(world.lake.path()).exists()
    assert world.api.request_count == 0


def test_where_it_is_not_configured_a_run_that_asks_for_it_says_what_is_missing(
    world: World,
) -> None:
    assert _why(_run(world, "account", configured=False)) == NOT_SET
    result = _run(world, "account", salesforce_client_secret=None)
    assert "Neither NOVADE_SALESFORCE_CLIENT_SECRET nor NOVADE_SALESFORCE_PRIVATE_KEY_FILE" in _why(
        result
    )


def test_a_materialization_tells_what_was_read_how_and_what_is_left(world: World) -> None:
    world.api.faults = Faults(failing_every=9, used=10, daily_limit=5_000)
    result = _run(world)
    assert result.success, _why(result)
    metadata_of = _metadata(result)
    for name, table in OBJECTS.items():
        metadata = metadata_of[table.path[-1]]
        if name in OF_CURRENCIES:
            assert metadata["note"] == assets.NO_SUCH_OBJECT
            continue
        assert metadata["rows_read"] == len(world.org.records(name)), name
        assert metadata["dagster/row_count"] == metadata["rows_written"], name
    account = metadata_of["account"]
    assert account["read_by"] == "rest"
    assert account["read_whole"]
    assert account["fields_skipped"]["BillingAddress"] == "compound, its parts are read"
    assert account["watermark"].startswith("2026-03-0")
    assert account["requests"] >= 2
    assert metadata_of["user_role"]["api_calls_left"] == 5_000 - 10 - world.api.request_count
    assert sum(metadata.get("retries", 0) for metadata in metadata_of.values()) > 0
    columns = {column.name: column for column in account["dagster/column_schema"].columns}
    assert "personal" in columns["billing_email__c"].tags
    again = _metadata(_run(world))
    assert all(metadata["unchanged"] for metadata in again.values())


def test_no_personal_data_and_no_secret_is_in_any_event(world: World) -> None:
    result = _run(world, "contact", "user")
    events = str(result.all_events)
    assert world.api.access.client_secret not in events
    people = [r for r in world.org.records("Contact") if r["Email"]]
    assert people
    assert not any(record["Email"] in events for record in people)


def test_an_object_that_cannot_be_read_keeps_no_other_from_being_loaded(world: World) -> None:
    world.org.hide_object("Opportunity")
    result = _run(world)
    assert not result.success
    assert set(_metadata(result)) == {t.path[-1] for t in TABLES} - {"opportunity"}
    why = _why(result)
    assert "expected an object Opportunity" in why
    assert "object permission 'Read' on Opportunity" in why
    assert world.version("Opportunity") is None
    assert world.version("UserRole") is not None


def test_what_not_every_organisation_has_keeps_no_run_from_succeeding(world: World) -> None:
    world.org.hide_object("Organization")
    result = _run(world)
    assert result.success, _why(result)
    metadata_of = _metadata(result)
    for name in OPTIONAL_OBJECTS:
        assert metadata_of[OBJECTS[name].path[-1]]["note"] == assets.NO_SUCH_OBJECT
        assert world.version(name) is None
    results = _checks(result)
    assert all(check.passed for (_, name), check in results.items() if name == assets.VISIBLE_CHECK)


def test_currencies_that_are_turned_on_are_read_of_every_record(world: World) -> None:
    parts = ("account", "opportunity", "currency_type")
    assert _run(world, *parts).success
    currencies.enable(world.org, "EUR", {"JPY": 160.25})
    result = _run(world, *parts)
    assert result.success, _why(result)
    assert {row["currency_iso_code"] for row in world.rows("Opportunity").values()} == {"EUR"}
    rates = {row["iso_code"]: row["conversion_rate"] for row in world.rows("CurrencyType").values()}
    assert rates == {"EUR": 1, "JPY": Decimal("160.25")}
    assert _checks(result)["opportunity", assets.VISIBLE_CHECK].passed


def test_an_object_that_the_organisation_does_not_have_can_be_left_out(world: World) -> None:
    world.org.hide_object("Order")
    result = _run(world, "order", "user_role", salesforce_without="Order")
    assert result.success
    assert _metadata(result)["order"]["note"] == assets.LEFT_OUT
    assert "note" not in _metadata(result)["user_role"]
    with pytest.raises(UserError, match=r"NOVADE_SALESFORCE_WITHOUT: .*found Orders"):
        _settings(world, salesforce_without="Orders")


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            "Nickname__c",
            "expected fields as Contact.Nickname__c, of .*Account,.*found Nickname__c",
        ),
        ("Person.Nickname__c", "found Person.Nickname__c"),
        ("Contact.", "found Contact."),
        ("Contact.Email", r"found Contact.Email, whose mark is in the code"),
    ],
)
def test_a_field_that_cannot_be_marked_is_refused(world: World, field: str, message: str) -> None:
    with pytest.raises(UserError, match=f"NOVADE_SALESFORCE_PERSONAL_FIELDS: .*{message}"):
        _settings(world, salesforce_personal_fields=f"Account.Notes__c, {field}")


def test_a_field_that_is_to_be_protected_and_is_missing_is_reported(world: World) -> None:
    result = _run(world, "account", salesforce_personal_fields="Account.Notes__c,Account.Nots__c")
    assert result.success
    visible = _checks(result)["account", assets.VISIBLE_CHECK]
    assert (visible.passed, visible.metadata["invisible"].value) == (False, ["Nots__c"])
    columns = _metadata(result)["account"]["dagster/column_schema"].columns
    assert [c.name for c in columns if c.name == "notes__c" and "personal" in c.tags]


def test_a_field_that_changes_is_reported_by_its_check_and_breaks_no_load(world: World) -> None:
    parts = ("account", "contact", "opportunity")
    _run(world, *parts)
    world.org.drop_field("Account", "Notes__c")
    world.org.change_type("Account", "Health_Score__c", "string")
    world.org.hide_field("Opportunity", "Amount")
    result = _run(world, *parts)
    assert result.success, _why(result)
    results = _checks(result)
    before = results["account", assets.BEFORE_CHECK]
    assert not before.passed
    assert "notes__c" in before.metadata["dropped"].value
    assert before.metadata["retyped"].value == {
        "Health_Score__c": "was number, is text: read into health_score__c__text"
    }
    visible = results["opportunity", assets.VISIBLE_CHECK]
    assert not visible.passed
    assert visible.metadata["invisible"].value == ["Amount"]
    assert results["contact", assets.BEFORE_CHECK].passed
    assert results["contact", assets.VISIBLE_CHECK].passed
    assert all(
        check.passed for (_, name), check in results.items() if name == "columns_as_declared"
    )


def test_what_the_business_would_not_believe_is_counted_and_loaded(world: World) -> None:
    org = world.org
    for account in org.records("Account"):
        if not account["Website"]:
            org.update("Account", account["Id"], {"Website": "example"})
    deal = org.records("Opportunity")[0]["Id"]
    org.update("Opportunity", deal, {"IsClosed": True})
    result = _run(world, "account", "opportunity")
    results = _checks(result)
    assert results["account", "account_has_a_domain"].passed
    assert results["account", "picklist_values_are_short"].passed
    closes_before = results["opportunity", "closes_after_it_opens"].metadata["rows"].value

    nowhere = org.insert("Account", {"Name": "No Domain", "Type": "x" * 300})
    early = org.insert(
        "Opportunity",
        {"Name": "Early", "IsClosed": True, "CloseDate": org.clock.date().replace(year=2001)},
    )
    results = _checks(_run(world, "account", "opportunity"))
    domain = results["account", "account_has_a_domain"]
    assert not domain.passed
    assert domain.metadata["first_ids"].value == [nowhere]
    picklist = results["account", "picklist_values_are_short"]
    assert (picklist.metadata["rows"].value, picklist.metadata["first_ids"].value) == (1, [nowhere])
    closes = results["opportunity", "closes_after_it_opens"]
    assert not closes.passed
    assert closes.metadata["rows"].value == closes_before + 1
    assert early in closes.metadata["first_ids"].value
    assert world.rows("Account")[nowhere]["type"] == "x" * 300


def test_records_that_break_their_types_warn_in_the_quarantines_check(world: World) -> None:
    first, *_ = world.org.records("Account")
    world.org.table("Account").store({**first, "NumberOfEmployees": "many"})
    result = _run(world, "account", "quarantine")
    assert result.success, _why(result)
    assert not _checks(result)["quarantine", QUARANTINE_CHECK].passed
