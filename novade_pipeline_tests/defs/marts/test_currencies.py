"""Amounts of several currencies: by currency, in the corporate one, or null; never mixed."""

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.salesforce.tables import (
    ACCOUNT,
    CURRENCY_TYPE,
    DATED_CONVERSION_RATE,
    OPPORTUNITY,
    OPPORTUNITY_LINE_ITEM,
    ORDER,
)
from novade_pipeline_tests.defs.marts.crm import (
    CHATS,
    HISTORIES,
    PRODUCT,
    SALES,
    Crm,
    Row,
    ago,
    day,
)
from novade_pipeline_tests.places import clear

D = Decimal
KEYS = ("customer_keys", "customer_matches")
MARTS = (*PRODUCT, *HISTORIES, *SALES, *CHATS, *KEYS, "customer_360")
CHECKS = {"amounts_have_a_rate", "order_amounts_have_a_rate"}
WON = {"is_closed": True, "is_won": True, "stage_name": "Won", "close_date": day(10)}
WON |= {"created_date": ago(40)}

# owner and account: (amounts with their currencies, what they are worth together)
OWNERS: dict[str, tuple[list[tuple[float | None, str]], Decimal | None]] = {
    "mixed": ([(100.0, "EUR"), (10_000.0, "JPY")], D("162.5")),
    "corporate": ([(0.1, "EUR")] * 10, D(1)),
    "negative": ([(-1.0, "JPY"), (10.0, "EUR")], D("9.99375")),
    "a third": ([(1.0, "XAU")] * 3, D("0.999999")),
    "much": ([(1234567890123456.78, "EUR")] * 3, D("3703703670370370.34")),
    "without a rate": ([(100.0, "EUR"), (5.0, "BRL")], None),
    "without an amount": ([(None, "BRL"), (5.0, "EUR")], D(5)),
    "worth nothing": ([(5.0, "VES")], None),
}
RATES = {"EUR": 1.0, "JPY": 160.0, "USD": 2.0, "XAU": 3.0, "VES": 0.0}
MUCH = D("1234567890123456.78")


def _write(crm: Crm, owners: Any, *, codes: bool = True, rates: bool = True) -> None:
    deals: list[Row] = []
    orders: list[Row] = []
    for owner, (amounts, _) in owners.items():
        for number, (amount, code) in enumerate(amounts):
            exact = MUCH if owner == "much" else amount
            of = {"account_id": owner, "owner_id": owner}
            of |= {"currency_iso_code": code} if codes else {}
            deals.append({"id": f"{owner} {number}", "amount": exact, **of, **WON})
            orders.append({"id": f"{owner} {number}", "total_amount": exact, **of})
    crm.write(ACCOUNT, [{"id": owner, "currency_iso_code": "USD"} for owner in owners])
    crm.write(OPPORTUNITY, deals)
    crm.write(ORDER, orders)
    if rates:
        crm.write(
            CURRENCY_TYPE,
            [
                {"id": code, "iso_code": code, "conversion_rate": rate, "is_corporate": rate == 1}
                for code, rate in RATES.items()
            ],
        )


def _built(crm: Crm) -> set[str]:
    """The checks of currencies that warn once all marts are built."""
    done = crm.refresh(*MARTS, checks=True)
    assert not done.failures
    failed = {report.check.name for report in done.checks if not report.passed}
    assert failed <= {*CHECKS, "account_has_a_domain"}
    return failed & CHECKS


def _sums(crm: Crm) -> dict[str, tuple[Any, ...]]:
    """Owner and account -> what was won by each, and what was ordered."""
    return {
        owner: rest
        for owner, *rest in crm.query(
            "select owners.owner_id, owners.won_amount, accounts.won_amount, accounts.order_amount"
            " from marts.owner_performance as owners"
            " join marts.customer_360 as accounts on owners.owner_id = accounts.account_id"
        )
    }


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Crm:
    crm = Crm(tmp_path_factory.mktemp("currencies"), project)
    _write(crm, OWNERS)
    assert _built(crm) == CHECKS
    return crm


@pytest.fixture
def changed(crm: Crm, tmp_path: Path) -> Crm:
    """A copy of it, for another state."""
    shutil.copytree(crm.warehouse.parent, tmp_path, dirs_exist_ok=True)
    return Crm(tmp_path, crm.project)


@pytest.mark.parametrize("owner", OWNERS)
def test_a_sum_is_in_the_corporate_currency_or_null(crm: Crm, owner: str) -> None:
    expected = OWNERS[owner][1]
    assert _sums(crm)[owner] == [expected] * 3
    names = crm.query(
        "select distinct corporate_currency from marts.customer_360 union"
        " select corporate_currency from marts.owner_performance union"
        " select corporate_currency from marts.opportunity_enhanced"
    )
    assert names == [("EUR",)]


def test_amounts_are_added_up_within_their_currency(crm: Crm) -> None:
    rows = crm.query(
        "select owner_id, currency_iso_code, won, won_amount, orders, order_amount"
        " from marts.sales_by_currency where owner_id in ('mixed', 'much') order by 1, 2"
    )
    assert rows == [
        ("mixed", "EUR", 1, D(100), 1, D(100)),
        ("mixed", "JPY", 1, D(10_000), 1, D(10_000)),
        ("much", "EUR", 3, 3 * MUCH, 3, 3 * MUCH),
    ]


def test_each_day_of_the_pipeline_is_reported_by_currency(crm: Crm) -> None:
    rows = crm.query(
        "select currency_iso_code, amount, corporate_amount from marts.sales_snapshot"
        " where day = (select max(day) from marts.sales_snapshot) and opportunities > 0"
    )
    assert {code: tuple(rest) for code, *rest in rows} == {
        "EUR": (D("100") + 1 + 10 + 3 * MUCH + 100 + 5,) * 2,
        "JPY": (D(9_999), D("62.49375")),
        "XAU": (D(3), D("0.999999")),
        "BRL": (D(5), None),
        "VES": (D(5), None),
    }


def test_an_opportunity_and_an_account_have_their_currency(crm: Crm) -> None:
    rows = crm.query(
        "select currency_iso_code, amount, corporate_amount from marts.opportunity_enhanced"
        " where owner_id = 'mixed' order by 1"
    )
    assert rows == [("EUR", D(100), D(100)), ("JPY", D(10_000), D("62.5"))]
    assert crm.query("select distinct currency_iso_code from marts.customer_360") == [("USD",)]
    codes = crm.query("select distinct currency_iso_code from marts.opportunity_history order by 1")
    assert codes == [("BRL",), ("EUR",), ("JPY",), ("VES",), ("XAU",)]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        # The rate of the close date; before the first one, today's; orders know today's only.
        (day(10), D(200)),
        (day(9), D("162.5")),
    ],
)
def test_a_dated_rate_counts_from_its_day_on(changed: Crm, start: date, expected: Decimal) -> None:
    changed.write(
        DATED_CONVERSION_RATE,
        [
            {"id": "1", "iso_code": "JPY", "start_date": start, "conversion_rate": 100.0},
            {"id": "2", "iso_code": "JPY", "start_date": day(5), "conversion_rate": 50.0},
            {"id": "3", "iso_code": "JPY", "start_date": day(11), "conversion_rate": 7.0,
             "is_deleted": True},
        ],
    )  # fmt: skip
    _built(changed)
    assert _sums(changed)["mixed"] == [expected, expected, D("162.5")]


def test_without_rates_a_sum_is_null_and_a_check_says_so(changed: Crm) -> None:
    clear(changed.lake, *CURRENCY_TYPE.path)
    assert _built(changed) == CHECKS
    sums = _sums(changed)
    assert {owner: sums[owner] for owner in ("mixed", "corporate")} == {
        "mixed": [None] * 3,
        "corporate": [None] * 3,
    }
    assert changed.query(
        "select sum(won_amount) from marts.sales_by_currency where currency_iso_code = 'JPY'"
    ) == [(D(9_999),)]


def test_a_rate_that_is_said_later_makes_the_sums_whole(changed: Crm) -> None:
    records = [{"id": code, "iso_code": code, "conversion_rate": 5.0} for code in ("BRL", "VES")]
    changed.write(CURRENCY_TYPE, records, swept=True)
    assert _built(changed) == set()
    assert _sums(changed)["without a rate"] == [D(101)] * 3


ONE = {"only": ([(100.0, "CHF"), (0.2, "CHF")], D("100.2"))}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        # An organisation of one currency: nothing says which.
        ({"codes": False, "rates": False}, D("100.2")),
        # One of several, of which only one is used and whose rates cannot be read.
        ({"codes": True, "rates": False}, D("100.2")),
        # One of several, whose records do not let the user see which is theirs.
        ({"codes": False, "rates": True}, None),
    ],
    ids=["one", "one of several", "hidden"],
)
def test_amounts_of_which_there_is_one_currency_are_added_up(
    tmp_path: Path, project: Project, how: dict[str, bool], expected: Decimal | None
) -> None:
    crm = Crm(tmp_path, project)
    _write(crm, ONE, **how)
    assert _built(crm) == (CHECKS if expected is None else set())
    assert _sums(crm)["only"] == [expected] * 3


def test_a_state_that_was_seen_before_currencies_were_kept_has_that_of_today(
    changed: Crm,
) -> None:
    changed.query("update marts.opportunity_history set currency_iso_code = null")
    changed.query("update novade.model set code = 'before' where model = 'sales_snapshot'")
    _built(changed)
    test_each_day_of_the_pipeline_is_reported_by_currency(changed)


def test_line_items_are_added_up_to_the_cent(changed: Crm) -> None:
    items = [
        {"id": f"{n}", "opportunity_id": "mixed 0", "quantity": 0.1, "total_price": 0.1}
        for n in range(10)
    ]
    changed.write(OPPORTUNITY_LINE_ITEM, items)
    _built(changed)
    assert changed.query(
        "select line_item_quantity, line_item_amount from marts.opportunity_enhanced"
        " where opportunity_id = 'mixed 0'"
    ) == [(D(1), D(1))]
