"""The tables that every landing domain has: what each landed row carries, ledger, quarantine."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from novade_pipeline.lake.table import Json, Table
from novade_pipeline.privacy.marks import MayContain
from novade_pipeline.privacy.policy import Personal

RECORD = "record"
MENDED = "mended"


class LandedRow(BaseModel):
    """Where a row came from; the first columns of every landed table."""

    upload_date: date = Field(description="UTC day of the upload hour.")
    upload_hour: datetime = Field(description="The hour that the file's name says, UTC.")
    file: str = Field(description="The file that the row was in, below the domain's folder.")
    line: int = Field(description="The line in that file, from 1.")


class RecordRow(LandedRow):
    """Where a record of a CSV, JSON or Parquet file came from, and its repairs."""

    upload_hour: datetime = Field(
        description="The hour that the file's name says, or else the one it was last changed in."
    )
    line: int = Field(description="The line that it begins in, from 1; in Parquet its row.")
    record: int = Field(description="Which of the file's records it is, from 1.")
    mended: list[str] = Field(description="What was put right in it, by kind.")


class LedgerRow(BaseModel):
    """One landed file and what became of its lines.

    `lines = rows + repeated + quarantined + blank + erased`, always.
    """

    source: str = Field(description="Which of the domain's sources the file belongs to.")
    file: str = Field(description="The file, below the domain's folder.")
    etag: str = Field(description="The version of the file that was read.")
    size: int = Field(description="Bytes, as landed.")
    upload_date: date | None = Field(None, description="UTC day of the upload hour.")
    upload_hour: datetime | None = Field(None, description="The hour that the name says, UTC.")
    lines: int = Field(description="Lines in the file; of CSV, JSON arrays and Parquet: records.")
    rows: int = Field(description="Lines that are rows of the table.")
    repeated: int = Field(description="Lines that repeat or complete a row of the same hour.")
    quarantined: int = Field(description="Lines that are in quarantine.")
    blank: int = Field(description="Lines without content.")
    erased: int | None = Field(
        None, description="Lines of persons who were erased; null, as none, in rows of before."
    )
    mended: Json | None = Field(None, description="Kind of mend -> rows that were mended so.")
    trailing_bytes: int | None = Field(
        None, description="Bytes after its gzip stream, which are ignored; null in older rows."
    )
    refused: bool = Field(description="The whole file is in quarantine.")
    parser_version: int = Field(description="The version of the code that read it.")
    personal_data: str = Field(description="The policy that its rows were written under.")
    table_version: int | None = Field(None, description="The table's version with its rows.")
    loaded_at: datetime = Field(description="When it was loaded, UTC.")
    missing_since: datetime | None = Field(
        None, description="When a load first found the file gone, UTC."
    )


class QuarantineRow(BaseModel):
    """One line, or one whole file (line 0), that could not become a row, and why."""

    source: str = Field(description="Which of the domain's sources the file belongs to.")
    file: str = Field(description="The file, below the domain's folder.")
    etag: str = Field(description="The version of the file that was read.")
    line: int = Field(description="The line in that file, from 1; 0 for the whole file.")
    upload_date: date | None = Field(None, description="UTC day of the upload hour.")
    upload_hour: datetime | None = Field(None, description="The hour that the name says, UTC.")
    reason: str = Field(description="What was expected and what was found, without the values.")
    raw: Annotated[bytes | None, Personal(), MayContain(whole=("line", 0))] = Field(
        None, description="The bytes, 64 KiB at most; null unless personal data is kept."
    )
    raw_bytes: int = Field(description="How many bytes the line or the file has.")


def ledger_table(domain: str) -> Table:
    """The ledger of a domain: `<domain>/files`."""
    return Table(
        name=f"{domain}/files",
        row=LedgerRow,
        key=("source", "file"),
        write_mode="replace_window",
        partition_by=("source",),
        window="upload_hour",
        data_time="loaded_at",
    )


def quarantine_table(domain: str, *lines_of: Table) -> Table:
    """The quarantine of a domain: `<domain>/quarantine`.

    Args:
        lines_of: the tables that the lines would have been rows of; a source has its table's name.
    """
    return Table(
        name=f"{domain}/quarantine",
        row=QuarantineRow,
        key=("source", "file", "etag", "line"),
        write_mode="replace_window",
        partition_by=("source",),
        window="upload_hour",
        data_time="upload_hour",
        lines_of=lines_of,
    )
