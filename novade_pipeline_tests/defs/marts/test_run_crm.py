"""`novade run` from an organisation to the marts: amounts, days, meetings, what comes back."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.salesforce.tables import ACCOUNT, OPPORTUNITY
from novade_pipeline.lake.query import open_database
from novade_pipeline.lake.read import read
from novade_pipeline.sandbox.salesforce import currencies
from novade_pipeline.sandbox.salesforce.api import SalesforceApi
from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline.sandbox.serving import serving
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.commands import CompletedCommand, novade

D = Decimal
LONG = D("123456789012345678")
WON = {"IsClosed": True, "IsWon": True, "StageName": "Closed Won", "CloseDate": date(2026, 3, 1)}
SALES = ("owner_performance", "customer_360")


class Office:
    """An organisation, and the folder of an engineer who reads it.

    Attributes:
        runs: how each run ended.
        of: what the test named -> its id.
    """

    def __init__(self, folder: Path, api: SalesforceApi, url: str) -> None:
        self.folder, self.api, self.org, self.url = folder, api, api.org, url
        self.runs: list[CompletedCommand] = []
        self.of: dict[str, str] = {}

    def run(self, **env: str) -> CompletedCommand:
        """Run what reads the organisation, and all marts; each run sweeps."""
        access = self.api.access
        done = novade(
            self.folder,
            *("run", "--select", "salesforce/*,marts/*"),
            env={
                "NOVADE_SALESFORCE_URL": self.url,
                "NOVADE_SALESFORCE_CLIENT_ID": access.client_id,
                "NOVADE_SALESFORCE_CLIENT_SECRET": access.client_secret,
                "NOVADE_SALESFORCE_OVERLAP_SECONDS": "600",
                "NOVADE_SALESFORCE_SWEEP_HOURS": "0",
                **env,
            },
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.runs.append(done)
        return done

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """What the warehouse says."""
        path = self.folder / "data" / "warehouse.duckdb"
        with closing(open_database(path, read_only=True)) as connection:
            return connection.execute(sql).fetchall()

    def row(self, table: Any, record: str) -> dict[str, Any]:
        """A row of the lake."""
        rows = read(store(str(self.folder / "data" / "lake")), table).to_pylist()
        (match,) = [row for row in rows if row["id"] == record]
        return match


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    (folder / "data" / "landing").mkdir(parents=True)
    api = SalesforceApi(people=4)
    with serving(api.app()) as url:
        office = Office(folder, api, url)
        _first_day(office)
        office.run()
        # Hidden by a rule, and a change that nobody sees yet.
        hidden = office.org.record("Opportunity", office.of["yen"])
        office.org.table("Opportunity").remove(hidden["Id"])
        late = office.org.record("Account", office.of["account"])
        stamp = office.org.clock.replace(microsecond=0)
        office.org.clock += timedelta(days=1)
        office.org.insert("Account", {"Name": "In between"})
        office.run()
        office.org.table("Opportunity").store(hidden)
        office.org.table("Account").store({**late, "Name": "Late", "SystemModstamp": stamp})
        office.org.clock += timedelta(days=1)
        office.run()
        yield office


def _first_day(office: Office) -> None:
    org = office.org
    (organization,) = org.records("Organization")
    org.update("Organization", organization["Id"], {"TimeZoneSidKey": "America/Los_Angeles"})
    currencies.enable(org, "EUR", {"JPY": 160.0})
    org.add_field("Opportunity", Field("Exact__c", "double", precision=18, scale=0))
    org.clock = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
    account = org.insert("Account", {"Name": "Acme", "CurrencyIsoCode": "EUR"})
    owner = org.insert("User", {"LastName": "Seller", "Username": "seller@novade.example"})
    of = {"AccountId": account, "OwnerId": owner}
    office.of |= {"account": account, "owner": owner}
    deal = {"Name": "Deal", **of, **WON}
    for name, amount, code in (("euro", 100.0, "EUR"), ("yen", 10_000.0, "JPY")):
        values = {"Amount": amount, "CurrencyIsoCode": code, "Exact__c": LONG}
        office.of[name] = org.insert("Opportunity", {**deal, **values})
    begun = {"StartDateTime": org.clock - timedelta(days=1), "DurationInMinutes": 30}
    meeting = {"Subject": "Weekly", **of, **begun}
    master = org.insert("Event", {**meeting, "IsRecurrence": True})
    for _ in range(3):
        org.insert("Event", {**meeting, "RecurrenceActivityId": master})
    day_long = {"IsAllDayEvent": True, "DurationInMinutes": 1440, "ActivityDate": date(2026, 2, 27)}
    org.insert("Event", {**meeting, **day_long})


def test_amounts_are_reported_in_the_corporate_currency_and_by_currency(office: Office) -> None:
    account, owner = office.of["account"], office.of["owner"]
    for mart, key, id_ in zip(SALES, ("owner_id", "account_id"), (owner, account), strict=True):
        rows = office.query(
            f"select won_amount, corporate_currency from marts.{mart} where {key} = '{id_}'"
        )
        assert rows == [(D("162.5"), "EUR")], mart
    assert office.query(
        "select currency_iso_code, won_amount from marts.sales_by_currency"
        f" where account_id = '{account}' order by 1"
    ) == [("EUR", D(100)), ("JPY", D(10_000))]


def test_a_deal_that_closed_on_the_day_on_which_it_was_made_took_none(office: Office) -> None:
    assert office.query(
        "select days_to_close from marts.opportunity_enhanced"
        f" where opportunity_id = '{office.of['euro']}'"
    ) == [(0,)]


def test_a_series_is_as_many_meetings_as_there_were(office: Office) -> None:
    account, owner = office.of["account"], office.of["owner"]
    assert office.query(
        f"select meetings from marts.customer_360 where account_id = '{account}'"
    ) == [(4,)]
    assert office.query(
        "select day, activities, seconds from marts.daily_activity"
        f" where owner_id = '{owner}' and kind = 'meeting' order by day"
    ) == [(date(2026, 2, 27), 1, 0), (date(2026, 2, 28), 3, 5400)]


def test_a_number_comes_back_to_the_digit(office: Office) -> None:
    path = store(str(office.folder / "data" / "lake")).table_url(*OPPORTUNITY.path)
    from deltalake import DeltaTable

    rows = DeltaTable(path).to_pyarrow_table(columns=["id", "exact__c"]).to_pylist()
    exact = {row["id"]: row["exact__c"] for row in rows}
    assert (exact[office.of["euro"]], exact[office.of["yen"]]) == (LONG, LONG)


def test_a_deal_that_was_hidden_for_a_day_has_two_states(office: Office) -> None:
    rows = office.query(
        "select valid_from, valid_to, version_id from marts.opportunity_history"
        f" where opportunity_id = '{office.of['yen']}' order by valid_from"
    )
    (first, gone, one), (back, until, other) = rows
    assert first < gone < back
    assert (until, one != other) == (None, True)
    open_on = office.query(
        "select day, sum(opportunities) from marts.sales_snapshot"
        " where currency_iso_code = 'JPY' group by day order by day"
    )
    # Seen at half past six in the evening of the first, Californian time.
    assert [int(count) for _, count in open_on[-3:]] == [1, 0, 1]


def test_a_change_that_came_late_is_taken_in(office: Office) -> None:
    assert office.row(ACCOUNT, office.of["account"])["name"] == "Late"
    assert office.query(
        f"select name from marts.customer_360 where account_id = '{office.of['account']}'"
    ) == [("Late",)]


def test_the_zone_that_is_set_is_that_of_all_marts(office: Office) -> None:
    office.run(NOVADE_REPORTING_TIME_ZONE="Asia/Tokyo")
    assert office.query(
        "select days_to_close from marts.opportunity_enhanced"
        f" where opportunity_id = '{office.of['euro']}'"
    ) == [(-1,)]
    assert "Nothing to do" in office.run(NOVADE_REPORTING_TIME_ZONE="Asia/Tokyo").stdout
