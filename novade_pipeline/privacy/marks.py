"""Marks of the columns that identify the person a row is about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """Marks a column that identifies a person; all identifiers of a row are of the same person.

    Equal values of one kind identify the same person in every table; an e-mail address is one
    whatever the kind.

    Attributes:
        kind: of the identifier: `email`, `amplitude_id`.
        paths: its places in a JSON column, as in `Personal`; empty for the column itself.
        shared: several persons may have it, as a device; it is a person's where no other known
            person has it.
        anonymous: a person who has only such identifiers has no account.
    """

    kind: str
    paths: tuple[str, ...] = ()
    shared: bool = False
    anonymous: bool = False


@dataclass(frozen=True)
class BelongsTo:
    """Marks a column that identifies an owner of a row, without a link to its other owners.

    A message belongs to a conversation and to an author; that does not make them one person.

    Attributes:
        kind: of the identifier.
        when: a column and the value that it must have for the mark to apply.
    """

    kind: str
    when: tuple[str, str] | None = None


@dataclass(frozen=True)
class MayContain:
    """Marks unreadable bytes, which may contain anybody's identifiers.

    Attributes:
        source: the column with the name of the table that the bytes were meant for.
        whole: a column and its value where the bytes are a whole file: an erasure empties these and
            keeps the row, which records that the file is unreadable.
    """

    source: str = "source"
    whole: tuple[str, int] | None = None


Owner = Identity | BelongsTo
