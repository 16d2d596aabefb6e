"""The marts of the ERP's sales: each order and line once, joined to its account by chosen keys."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from novade_pipeline.defs.erp import tables as erp
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.salesforce import tables as salesforce
from novade_pipeline_tests.defs.marts.crm import NOW, Crm, Row, ago

TABLES = {table.path[-1]: table for table in erp.TABLES}
MARTS = ("order_lines", "orders", "customer_360")


def _order(number: int, customer: int, **fields: object) -> Row:
    usual = {"status": "shipped", "currency": "EUR", "ordered_at": ago(number), "row_version": 1}
    return {"order_id": number, "customer_id": customer, **usual, **fields}


def _line(order: int, line: int, product: int, quantity: str, price: str, **fields: object) -> Row:
    amounts = {"quantity": Decimal(quantity), "unit_price": Decimal(price), "row_version": 1}
    return {"order_id": order, "line_number": line, "product_id": product, **amounts, **fields}


def _customer(number: int, name: str, account: str | None) -> Row:
    return {"customer_id": number, "name": name, "account_id": account, "row_version": 1}


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Crm:
    crm = Crm(tmp_path_factory.mktemp("erp"), project)
    crm.write(
        salesforce.ACCOUNT,
        [
            {"id": "acme", "name": "Acme", "currency_iso_code": "EUR"},
            {"id": "bolt", "name": "Twin", "currency_iso_code": "EUR"},
            {"id": "cargo", "name": "Twin", "currency_iso_code": "EUR"},
        ],
    )
    rates = {"EUR": (1, True), "USD": (2, False)}
    crm.write(
        salesforce.CURRENCY_TYPE,
        [
            {"id": code, "iso_code": code, "conversion_rate": rate, "is_corporate": corporate}
            for code, (rate, corporate) in rates.items()
        ],
    )
    crm.write(
        TABLES["customers"],
        [
            *(_customer(1, "Acme", "acme"), _customer(2, "Acme", "acme")),
            *(_customer(3, "Twin", "gone"), _customer(4, "Kiosk", None)),
        ],
    )
    crm.write(
        TABLES["products"],
        [
            {
                **{"product_id": 1, "sku": "P-1", "name": "Pump", "row_version": 1},
                **{"list_price": Decimal("9.5"), "is_active": True},
            }
        ],
    )
    crm.write(
        TABLES["orders"],
        [
            *(_order(1, 1), _order(2, 2, currency="USD"), _order(3, 1, status="cancelled")),
            *(_order(4, 3), _order(5, 4, currency="GBP"), _order(6, 9)),
            _order(7, 1, is_deleted=True),
        ],
    )
    crm.write(
        TABLES["order_lines"],
        [
            *(_line(1, 1, 1, "2.125", "9.4999"), _line(1, 2, 8, "1", "0.5")),
            *(_line(1, 3, 1, "5", "5", is_deleted=True), _line(2, 1, 1, "3", "10")),
            *(_line(5, 1, 1, "1", "7"), _line(7, 1, 1, "1", "1")),
        ],
    )
    done = crm.refresh(*MARTS, checks=True)
    assert not done.failures
    failed = {report.check.name for report in done.checks if not report.passed}
    assert failed <= {"account_has_a_domain"}
    return crm


def test_each_line_has_its_product_and_its_exact_amount(crm: Crm) -> None:
    rows = {row["order_line_id"]: row for row in crm.rows("order_lines")}
    assert rows.keys() == {"1:1", "1:2", "2:1", "5:1"}
    assert rows["1:1"]["amount"] == Decimal("20.1872875")
    assert (rows["1:1"]["sku"], rows["1:2"]["sku"]) == ("P-1", None)
    assert rows["2:1"]["currency"] == "USD"


def test_each_order_has_its_account_and_the_sums_of_its_lines(crm: Crm) -> None:
    rows = {row["order_id"]: row for row in crm.rows("orders")}
    assert {number: (row["account_id"], row["lines"]) for number, row in rows.items()} == {
        **{1: ("acme", 2), 2: ("acme", 1), 3: ("acme", 0)},
        **{4: (None, 0), 5: (None, 1), 6: (None, 0)},
    }
    assert rows[1]["amount"] == Decimal("20.6872875")
    assert rows[1]["order_date"] == date.fromordinal(NOW.date().toordinal() - 1)
    # By the rate of the CRM; without one there is none.
    assert rows[2]["corporate_amount"] == 15
    assert rows[5]["corporate_amount"] is None
    assert (rows[4]["customer_name"], rows[6]["customer_name"]) == ("Twin", None)


def test_an_account_has_its_orders_without_cancelled_ones(crm: Crm) -> None:
    rows = {row["account_id"]: row for row in crm.rows("customer_360")}
    acme = rows["acme"]
    assert (acme["erp_orders"], acme["erp_order_amount"]) == (2, Decimal("35.687288"))
    assert acme["last_erp_order_at"] == ago(1)
    assert (rows["bolt"]["erp_orders"], rows["bolt"]["erp_order_amount"]) == (0, 0)


def test_customers_are_joined_by_the_configured_columns(
    crm: Crm, tmp_path: Path, project: Project
) -> None:
    keys = {"erp_customer_key": "name", "erp_account_key": "name"}
    other = Crm(tmp_path, project)
    other.lake = crm.lake
    assert not other.refresh(*MARTS, **keys).failures
    accounts = {row["order_id"]: row["account_id"] for row in other.rows("orders")}
    # Two accounts are called Twin: neither is meant.
    assert accounts == {1: "acme", 2: "acme", 3: "acme", 4: None, 5: None, 6: None}
