"""`novade run` of an organisation that answers as the real one does."""

from pathlib import Path

from novade_pipeline.defs.salesforce.tables import CONTACT, EVENT, OPPORTUNITY, TASK
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.sandbox.salesforce.api import Faults, SalesforceApi
from novade_pipeline.sandbox.serving import serving
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.commands import CompletedCommand, novade

TABLES = {"Contact": CONTACT, "Opportunity": OPPORTUNITY, "Task": TASK, "Event": EVENT}


def _run(folder: Path, api: SalesforceApi, url: str) -> CompletedCommand:
    select = ",".join(table.name for table in TABLES.values())
    env = {
        "NOVADE_SALESFORCE_URL": url,
        "NOVADE_SALESFORCE_CLIENT_ID": api.access.client_id,
        "NOVADE_SALESFORCE_CLIENT_SECRET": api.access.client_secret,
        "NOVADE_SALESFORCE_SLICE_ROWS": "40",
        "NOVADE_SALESFORCE_BULK_FROM_ROWS": "20",
    }
    return novade(folder, "run", "--select", select, env=env)


def _deleted(folder: Path, table: Table) -> dict[str, bool]:
    rows = read(store(str(folder / "data" / "lake")), table, columns=["id", "is_deleted"])
    return {row["id"]: row["is_deleted"] for row in rows.to_pylist()}


def test_a_run_takes_in_small_pages_archived_activities_and_what_goes_with_an_account(
    tmp_path: Path,
) -> None:
    (tmp_path / "data" / "landing").mkdir(parents=True)
    api = SalesforceApi(people=60, batch_size=15, results_rows=15, faults=Faults(uneven_pages=True))
    with serving(api.app()) as url:
        first = _run(tmp_path, api, url)
        assert first.returncode == 0, first.stdout + first.stderr
        account = next(r["AccountId"] for r in api.org.records("Contact") if not r["IsDeleted"])
        api.org.delete("Account", account)
        second = _run(tmp_path, api, url)
        assert second.returncode == 0, second.stdout + second.stderr
    for name, table in TABLES.items():
        expected = {row["Id"]: row["IsDeleted"] for row in api.org.records(name)}
        assert _deleted(tmp_path, table) == expected
    archived = {row["Id"] for row in api.org.records("Task") if row["IsArchived"]}
    assert archived
    gone = {row["Id"] for row in api.org.records("Contact") if row["AccountId"] == account}
    assert {_deleted(tmp_path, CONTACT)[contact] for contact in gone} == {True}
