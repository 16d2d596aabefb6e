"""The sandbox's companies and people, as three systems know them, are found to be the same ones."""

import json
from datetime import timedelta

import pytest

from novade_pipeline.defs.drift import tables as drift
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.salesforce import tables as salesforce
from novade_pipeline.sandbox.business import Person, company, person
from novade_pipeline_tests.defs.marts.crm import CHATS, HISTORIES, NOW, PRODUCT, SALES, Crm

SEED, COMPANIES, PEOPLE = 7, 40, 300


def _account(who: Person) -> str | None:
    return None if who.company is None else f"001{who.company.index}"


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return [person(SEED, COMPANIES, index) for index in range(PEOPLE)]


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory, project: Project, people: list[Person]) -> Crm:
    crm = Crm(tmp_path_factory.mktemp("business"), project)
    companies = [company(SEED, index) for index in range(COMPANIES)]
    crm.write(
        salesforce.ACCOUNT,
        [
            {
                "id": f"001{one.index}",
                "name": one.name,
                "website": f"https://www.{one.domain}/" if one.has_website else None,
            }
            for one in companies
        ],
    )
    # The CRM knows one of three; the chat one of two, of whom some do not say who they are.
    crm.write(
        salesforce.CONTACT,
        [
            {"id": f"003{who.index}", "account_id": _account(who), "email": who.email}
            for who in people[::3]
            if who.company is not None
        ],
    )
    crm.write(
        drift.CONTACTS,
        [{"id": who.index, "email": who.email if who.index % 5 else None} for who in people[::2]],
    )
    crm.write(
        drift.CONVERSATIONS,
        [{"id": who.index, "contact_id": who.index, "status": "closed"} for who in people[::2]],
    )
    crm.use(
        *(
            {
                "amplitude_id": who.index,
                "user_id": who.email,
                "groups": json.dumps({"company": [who.company.name]})
                if who.company is not None and who.company.is_group
                else "{}",
                "event_time": NOW - timedelta(hours=who.index),
            }
            for who in people
        )
    )
    assert not crm.refresh(*PRODUCT, *HISTORIES, *SALES, *CHATS).failures
    done = crm.refresh(checks=True)
    assert not done.failures
    # Some accounts have no website here.
    failed = {report.check.name for report in done.checks if not report.passed}
    assert failed == {"account_has_a_domain"}
    return crm


def test_no_person_is_matched_to_another_company(crm: Crm, people: list[Person]) -> None:
    rows = crm.query(
        "select kind, subject_id::bigint, account_id, matched_by from marts.customer_matches"
        " where outcome = 'matched' and kind <> 'chat_account'"
    )
    assert len(rows) > 200
    assert {way for *_, way in rows} == {"email", "domain", "group"}
    assert [row for row in rows if row[2] != _account(people[row[1]])] == []


def test_whoever_can_be_matched_is(crm: Crm, people: list[Person]) -> None:
    matched = {
        int(subject)
        for (subject,) in crm.query(
            "select subject_id from marts.customer_matches"
            " where outcome = 'matched' and kind = 'product_user'"
        )
    }
    known = {who.company.index for who in people[::3] if who.company and _at_work(who)}
    can = {
        who.index
        for who in people
        if who.company is not None
        and (
            who.index % 3 == 0
            or (_at_work(who) and (who.company.has_website or who.company.index in known))
            or who.company.is_group
        )
    }
    assert matched == can


def _at_work(who: Person) -> bool:
    return who.company is not None and who.email.endswith(f"@{who.company.domain}")


def test_each_account_has_its_users(crm: Crm, people: list[Person]) -> None:
    assert crm.query("select count(*), sum(users) from marts.customer_360") == [
        (
            COMPANIES,
            crm.query(
                "select count(*) from marts.customer_matches"
                " where outcome = 'matched' and kind = 'product_user'"
            )[0][0],
        )
    ]
