"""The tables of a Drift workspace. Source: https://devdocs.drift.com/docs/."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from novade_pipeline.api import items
from novade_pipeline.api.items import Int64, Text
from novade_pipeline.api.quarantine import quarantine
from novade_pipeline.lake.table import JsonText, Table
from novade_pipeline.privacy.marks import BelongsTo, Identity
from novade_pipeline.privacy.policy import Personal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(value: Any) -> datetime:
    """Parses a time of the service: epoch milliseconds."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return EPOCH + timedelta(milliseconds=value)
        except OverflowError:
            pass
    raise ValueError("expected a time as epoch milliseconds")


def _number(value: Any) -> Any:
    """Parses an id: a number, sometimes in quotes."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _name(value: Any) -> Any:
    """Parses an id of a message, which may be a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Moment = Annotated[datetime, BeforeValidator(_moment)]
Id = Annotated[Int64, BeforeValidator(_number)]
Json = Annotated[str, JsonText(), AfterValidator(items.whole_text)]
PersonalText = Annotated[Text | None, Personal()]
EmailAddress = Annotated[Text | None, Personal(), Identity("email")]
CONTACT_ID = Identity("drift_contact_id")
CONVERSATION_ID = "drift_conversation_id"
USER_ID = "drift_user_id"
WHOLE = Personal("**")


def milliseconds(moment: datetime) -> int:
    """Converts a time to epoch milliseconds."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


class FromDrift(BaseModel):
    """The fields of every row; the service's times are epoch milliseconds.

    The state that was read last wins, since `updatedAt` goes back where the service restores an
    older state.
    """

    model_config = ConfigDict(strict=True, extra="ignore")

    read_at: datetime = Field(description="When the lake first had this state, UTC.")


class Conversation(FromDrift):
    """A chat, in its newest state."""

    id: Annotated[Id, Identity(CONVERSATION_ID)] = Field(description="Identifies the conversation.")
    status: Text | None = Field(None, description="open, closed, pending, bulk_sent.")
    contact_id: Annotated[Id | None, CONTACT_ID] = Field(
        None, alias="contactId", description="The contact."
    )
    inbox_id: Id | None = Field(None, alias="inboxId", description="Its inbox.")
    participants: list[Id] = Field(default_factory=list, description="The users who took part.")
    tags: Json | None = Field(None, description="Tags: a list of objects with name and color.")
    related_playbook_id: Id | None = Field(
        None, alias="relatedPlaybookId", description="The playbook that started it."
    )
    created_at: Moment = Field(alias="createdAt", description="When it started, UTC.")
    updated_at: Moment = Field(alias="updatedAt", description="When it last changed, UTC.")


class Message(FromDrift):
    """One message of a conversation, private notes included."""

    id: Annotated[Text, BeforeValidator(_name)] = Field(description="Identifies the message.")
    conversation_id: Annotated[Id, BelongsTo(CONVERSATION_ID)] = Field(
        alias="conversationId", description="The conversation."
    )
    org_id: Id | None = Field(None, alias="orgId", description="The workspace.")
    type: Text | None = Field(None, description="chat, private_note, edit, …")
    author_type: Text | None = Field(None, description="contact or user.")
    author_id: Annotated[
        Id | None,
        BelongsTo(CONTACT_ID.kind, when=("author_type", "contact")),
        BelongsTo(USER_ID, when=("author_type", "user")),
    ] = Field(None, description="The contact or user who wrote it.")
    author_is_bot: bool | None = Field(None, description="A bot wrote it.")
    body: PersonalText = Field(None, description="The text, HTML.")
    buttons: Annotated[Json | None, WHOLE] = Field(None, description="Buttons that were offered.")
    ip: PersonalText = Field(None, description="The address that it was sent from.")
    user_agent: PersonalText = Field(None, description="The browser that it was sent from.")
    attributes: Annotated[Json | None, WHOLE] = Field(None, description="Further attributes.")
    created_at: Moment = Field(alias="createdAt", description="When it was written, UTC.")


class Contact(FromDrift):
    """A person who chatted, in the newest state."""

    id: Annotated[Id, CONTACT_ID] = Field(description="Identifies the contact.")
    email: EmailAddress = Field(None, description="The e-mail address, lower case.")
    name: PersonalText = Field(None, description="The name.")
    phone: PersonalText = Field(None, description="The telephone.")
    external_id: Annotated[Text | None, Personal(), Identity("user_id")] = Field(
        None, description="The contact in another system."
    )
    tags: Json | None = Field(None, description="Tags: a list of objects with name.")
    attributes: Annotated[Json | None, WHOLE] = Field(
        None, description="All attributes of the contact, free ones included."
    )
    is_deleted: bool = Field(description="The service does not have it any more.")
    created_at: Moment | None = Field(None, alias="createdAt", description="When made, UTC.")


class Account(FromDrift):
    """A company."""

    account_id: Text = Field(alias="accountId", description="Identifies the account.")
    owner_id: Id | None = Field(None, alias="ownerId", description="The user who owns it.")
    name: Text | None = Field(None, description="The company.")
    domain: Text | None = Field(None, description="Its domain.")
    custom_properties: Json | None = Field(
        None, alias="customProperties", description="A list of objects with label, name, value."
    )
    targeted: bool | None = Field(None, description="It is a target of sales.")
    is_deleted: bool = Field(alias="deleted", description="It was deleted.")
    created_at: Moment | None = Field(None, alias="createDateTime", description="When made, UTC.")
    updated_at: Moment = Field(alias="updateDateTime", description="When last changed, UTC.")


class User(FromDrift):
    """A person who answers chats, or a bot."""

    id: Annotated[Id, Identity(USER_ID)] = Field(description="Identifies the user.")
    org_id: Id | None = Field(None, alias="orgId", description="The workspace.")
    name: PersonalText = Field(None, description="The name.")
    alias: PersonalText = Field(None, description="The name that visitors see.")
    email: EmailAddress = Field(None, description="The e-mail address.")
    phone: PersonalText = Field(None, description="The telephone.")
    locale: Text | None = Field(None, description="The language.")
    availability: Text | None = Field(None, description="AVAILABLE, OFFLINE, ON_CALL.")
    role: Text | None = Field(None, description="admin, agent, …")
    time_zone: Text | None = Field(None, alias="timeZone", description="The time zone.")
    verified: bool | None = Field(None, description="The e-mail address is verified.")
    bot: bool | None = Field(None, description="It is a bot.")
    created_at: Moment | None = Field(None, alias="createdAt", description="When made, UTC.")
    updated_at: Moment = Field(alias="updatedAt", description="When last changed, UTC.")


CONVERSATIONS = Table(
    name="drift/conversations",
    row=Conversation,
    key=("id",),
    write_mode="merge",
    version="read_at",
    data_time="updated_at",
)
MESSAGES = Table(
    name="drift/messages",
    row=Message,
    key=("id",),
    write_mode="merge",
    version="read_at",
    data_time="created_at",
)
CONTACTS = Table(
    name="drift/contacts", row=Contact, key=("id",), write_mode="merge", version="read_at"
)
ACCOUNTS = Table(
    name="drift/accounts", row=Account, key=("account_id",), write_mode="merge", version="read_at"
)
USERS = Table(name="drift/users", row=User, key=("id",), write_mode="merge", version="read_at")
MART_SOURCES = (CONVERSATIONS, MESSAGES, CONTACTS, ACCOUNTS, USERS)
QUARANTINE = quarantine("drift", *MART_SOURCES)
READ = MART_SOURCES
TABLES = (*READ, QUARANTINE)
