"""What every record of the made-up Salesforce organisation is made of, and when all of it was.

Companies, people and staff are those of `business`. Everything is a function of the seed, the
people and the day; all of it happened before that day, but for what is planned.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from random import Random
from typing import Any

from novade_pipeline.sandbox.business import Colleague, Person, staff
from novade_pipeline.sandbox.salesforce import objects
from novade_pipeline.sandbox.salesforce.fields import SObject
from novade_pipeline.sandbox.salesforce.ids import record_id

Record = dict[str, Any]
"""A record by the API names of its fields: text, bool, int, float, date, datetime (UTC), bytes."""

HISTORY = timedelta(days=720)
_STREETS = ("Harbour Street", "Mill Lane", "Station Road", "Rue des Lilas", "Kirchgasse")


@dataclass(frozen=True)
class Setting:
    """Who is in the organisation, and when.

    Attributes:
        companies: how many accounts.
        people: those whom the CRM may know; those with a company become contacts.
        as_of: the day before which all of it happened.
    """

    seed: int
    companies: int
    people: tuple[Person, ...]
    as_of: date

    @property
    def now(self) -> datetime:
        """The beginning of the day."""
        return datetime.combine(self.as_of, time(), UTC)

    @property
    def begin(self) -> datetime:
        """Nothing is older."""
        return self.now - HISTORY

    @cached_property
    def sellers(self) -> list[Colleague]:
        """Those of our own who own accounts."""
        return [one for one in staff(self.seed) if one.role == "Account Executive"]

    def random(self, *what: str | int) -> Random:
        """A stream of random numbers of its own for each thing that is named."""
        return Random(f"{self.seed}:salesforce:{':'.join(map(str, what))}")

    def owner_of(self, company_index: int) -> str:
        """The user who looks after an account and all that belongs to it."""
        return user_id(self.sellers[company_index % len(self.sellers)])


def user_id(colleague: Colleague) -> str:
    """The id of somebody of our own."""
    return record_id(objects.USER.prefix, colleague.index)


def account_id(company_index: int) -> str:
    """The id of a company's account."""
    return record_id(objects.ACCOUNT.prefix, company_index)


def moment(rng: Random, earliest: datetime, latest: datetime) -> datetime:
    """A full second between two times, the later one left out."""
    seconds = int((latest - earliest).total_seconds())
    return earliest + timedelta(seconds=rng.randrange(max(1, seconds)))


def blank(of: SObject) -> Record:
    """A record in which nothing is said: checkboxes are not ticked."""
    return {f.name: False if f.type == "boolean" else None for f in of.fields if f.is_stored}


def record(
    setting: Setting,
    of: SObject,
    number: int,
    created: datetime,
    by: str,
    values: Record,
) -> Record:
    """One record with what the system writes into it; a few are in the recycle bin."""
    rng = setting.random("system", of.name, number)
    modified = moment(rng, created, setting.now) if rng.random() < 0.7 else created
    # Processes write too, a while after people.
    stamp = min(
        setting.now - timedelta(seconds=1), modified + timedelta(seconds=rng.choice((0, 0, 5, 90)))
    )
    system = {
        "Id": record_id(of.prefix, number),
        "IsDeleted": of.deletes == "bin" and rng.random() < 0.02,
        "CreatedDate": created,
        "CreatedById": by,
        "LastModifiedDate": modified,
        "LastModifiedById": by,
        "SystemModstamp": stamp,
    }
    made = blank(of)
    made.update({name: value for name, value in system.items() if name in made}, **values)
    return made


def street(rng: Random) -> str:
    """A house in some street."""
    return f"{rng.randint(1, 180)} {rng.choice(_STREETS)}"
