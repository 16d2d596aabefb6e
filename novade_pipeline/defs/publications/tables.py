"""The tables of publications: landed records, mentions of drugs, and answers."""

from datetime import date, datetime
from functools import partial
from typing import Annotated

from pydantic import BaseModel, Field

from novade_pipeline.lake.table import Json, Table
from novade_pipeline.landing.tables import RecordRow, ledger_table, quarantine_table
from novade_pipeline.privacy.policy import Personal

# Files may name authors, who are persons: unknown fields may be about them.
UNKNOWN = Personal("**")
# Where a field is called `date`, its type needs another name.
Day = date


class Drug(RecordRow):
    """One drug as it landed, with its names."""

    drug: str = Field(description="The drug's name, as typed.")
    atccode: str | None = Field(None, description="Its code in the ATC classification.")
    synonyms: list[str] = Field(description="Other names of it in titles.")
    other_fields: Annotated[Json | None, UNKNOWN] = Field(
        None, description="Fields that this model does not know, as one JSON object."
    )


class Publication(RecordRow):
    """One publication as it landed."""

    id: str | None = Field(None, description="Identifies the publication; may be absent.")
    title: str = Field(description="The title, without the signs of broken escapes.")
    date: Day = Field(description="When it was published.")
    journal: str | None = Field(None, description="The journal that published it.")
    other_fields: Annotated[Json | None, UNKNOWN] = Field(
        None, description="Fields that this model does not know, as one JSON object."
    )


class PubmedArticle(Publication):
    """One PubMed article as it landed; the same article may land in several files."""


class ClinicalTrial(Publication):
    """One clinical trial as it landed; a trial that was split over two records is one row."""


class TitleMention(BaseModel):
    """One drug in the title of one landed copy of a publication."""

    kind: str = Field(description="`pubmed_article` or `clinical_trial`.")
    upload_date: date = Field(description="UTC day of the upload hour.")
    upload_hour: datetime = Field(description="The hour of the file that the publication was in.")
    file: str = Field(description="The file that the publication was in.")
    line: int = Field(description="The line that it begins in, from 1; in Parquet its row.")
    record: int = Field(description="The record's number in the file, from 1.")
    drug: str = Field(description="The drug's name.")
    atccode: str | None = Field(None, description="The drug's code in the ATC classification.")
    found: str = Field(description="The matched name or synonym, folded.")
    id: str | None = Field(None, description="Identifies the publication; may be absent.")
    title: str = Field(description="The title.")
    folded_title: str = Field(description="The title, folded for comparison.")
    date: Day = Field(description="When it was published.")
    journal: str | None = Field(None, description="The journal.")
    folded_journal: str | None = Field(None, description="The journal, folded for comparison.")


class DrugMention(BaseModel):
    """One drug that one publication mentions in its title, once per pair.

    Of several copies of a publication the last by file name and record counts. A publication
    without an id is taken to be the one of the same kind, title and date with an id, if any.
    """

    drug: str = Field(description="The drug's name.")
    atccode: str | None = Field(None, description="The drug's code in the ATC classification.")
    kind: str = Field(description="`pubmed_article` or `clinical_trial`.")
    publication: str = Field(description="The id; `untitled` ids begin with `title:` and a hash.")
    id: str | None = Field(None, description="The publication's own id; may be absent.")
    title: str = Field(description="The title.")
    date: Day = Field(description="When it was published.")
    journal: str | None = Field(None, description="The journal, in its most frequent spelling.")
    found: str = Field(description="The matched name or synonym, folded.")
    file: str = Field(description="The file that the publication was in.")
    line: int = Field(description="The line that it begins in, from 1; in Parquet its row.")


class JournalDrugs(BaseModel):
    """The number of drugs that a journal mentions, from the graph alone; ties share a rank."""

    rank: int = Field(description="1 for the journals that mention the most different drugs.")
    journal: str = Field(description="The journal.")
    drug_count: int = Field(description="Different drugs that it mentions.")
    drugs: list[str] = Field(description="Their names, in order.")


class RelatedDrug(BaseModel):
    """Two drugs that the same journals mention in PubMed articles, from the graph alone.

    A drug that one of these journals also mentions in a clinical trial is not related.
    """

    drug: str = Field(description="The drug.")
    related_drug: str = Field(description="A drug that the same journals mention in articles only.")
    journals: list[str] = Field(description="The journals that mention both in articles.")


_landed = partial(
    Table,
    key=("file", "record"),
    write_mode="replace_window",
    partition_by=("upload_date",),
    window="upload_hour",
)
DRUGS = _landed(name="publications/drugs", row=Drug)
PUBMED_ARTICLES = _landed(name="publications/pubmed_articles", row=PubmedArticle)
CLINICAL_TRIALS = _landed(name="publications/clinical_trials", row=ClinicalTrial)
TITLE_MENTIONS = Table(
    name="publications/title_mentions",
    row=TitleMention,
    key=("file", "record", "drug"),
    write_mode="replace_window",
    partition_by=("kind", "upload_date"),
    window="upload_hour",
)
DRUG_MENTIONS = Table(
    name="publications/drug_mentions",
    row=DrugMention,
    key=("drug", "kind", "publication"),
    write_mode="replace",
)
JOURNALS_BY_DRUG_COUNT = Table(
    name="publications/journals_by_drug_count",
    row=JournalDrugs,
    key=("journal",),
    write_mode="replace",
)
RELATED_DRUGS = Table(
    name="publications/related_drugs",
    row=RelatedDrug,
    key=("drug", "related_drug"),
    write_mode="replace",
)
FILES = ledger_table("publications")
QUARANTINE = quarantine_table("publications")
TABLES = (
    *(DRUGS, PUBMED_ARTICLES, CLINICAL_TRIALS, FILES, QUARANTINE, TITLE_MENTIONS, DRUG_MENTIONS),
    *(JOURNALS_BY_DRUG_COUNT, RELATED_DRUGS),
)
PUBLICATIONS = {"pubmed_article": PUBMED_ARTICLES, "clinical_trial": CLINICAL_TRIALS}
