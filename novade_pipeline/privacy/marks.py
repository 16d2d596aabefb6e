"""Marks of a row model that say who a row is about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """Marks a column that names a person; all such names of a row are of one and the same.

    Equal values of one kind name the same person in every table; what looks like an e-mail address
    is one, whatever the kind says.

    Attributes:
        kind: what sort of name it is: `email`, `amplitude_id`.
        paths: where in a JSON column it stands, as in `Personal`; empty for the column itself.
        shared: several persons may have it, as a device: it is a person's where no one else who is
            known has it.
        anonymous: having it makes nobody known: somebody who has only such names has no account.
    """

    kind: str
    paths: tuple[str, ...] = ()
    shared: bool = False
    anonymous: bool = False


@dataclass(frozen=True)
class BelongsTo:
    """Marks a column that says whose a row is, without the row saying who that person is.

    A message is of a conversation and by an author: it goes with either, and does not make the two
    one person.

    Attributes:
        kind: what sort of name it is.
        when: a column and the value that it must have for this to hold.
    """

    kind: str
    when: tuple[str, str] | None = None


@dataclass(frozen=True)
class MayContain:
    """Marks bytes that could not be read as rows and so may hold anybody's names.

    Attributes:
        source: the column that says which table the bytes would have been a row of.
        whole: a column and its value where the bytes are of a whole file: these are emptied, and
            the row stays, since it says of the file that it could not be read.
    """

    source: str = "source"
    whole: tuple[str, int] | None = None


Owner = Identity | BelongsTo
