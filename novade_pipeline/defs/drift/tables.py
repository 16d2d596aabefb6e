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


def _moment(told: Any) -> datetime:
    """A time as the service writes it: epoch milliseconds."""
    if isinstance(told, datetime):
        return told
    if isinstance(told, int) and not isinstance(told, bool):
        try:
            return EPOCH + timedelta(milliseconds=told)
        except OverflowError:
            pass
    raise ValueError("expected a time as epoch milliseconds")


def _number(told: Any) -> Any:
    """Ids are numbers, now and then between quotes."""
    return int(told) if isinstance(told, str) and told.isascii() and told.isdigit() else told


def _name(told: Any) -> Any:
    """An id of a message, which may be a number."""
    return str(told) if isinstance(told, int) and not isinstance(told, bool) else told


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
    """A time as the service writes it."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


class FromDrift(BaseModel):
    """What every row of the service has; times are UTC, the service's are epoch milliseconds.

    Each is asked for as it is now, so the state that was read last wins: `updatedAt` goes back
    where the service restores an older state.
    """

    model_config = ConfigDict(strict=True, extra="ignore")

    read_at: datetime = Field(description="When the lake first saw this state of it, UTC.")


class Conversation(FromDrift):
    """A chat, in its newest state."""

    id: Annotated[Id, Identity(CONVERSATION_ID)] = Field(description="Names the conversation.")
    status: Text | None = Field(None, description="open, closed, pending, bulk_sent.")
    contact_id: Annotated[Id | None, CONTACT_ID] = Field(
        None, alias="contactId", description="Who chats."
    )
    inbox_id: Id | None = Field(None, alias="inboxId", description="The inbox that it is in.")
    participants: list[Id] = Field(
        default_factory=list, description="The workspace's users who took part."
    )
    tags: Json | None = Field(None, description="Tags: a list of objects with name and color.")
    related_playbook_id: Id | None = Field(
        None, alias="relatedPlaybookId", description="The playbook that began it."
    )
    created_at: Moment = Field(alias="createdAt", description="When it began, UTC.")
    updated_at: Moment = Field(alias="updatedAt", description="When it last changed, UTC.")


class Message(FromDrift):
    """One message of a conversation, private notes included."""

    id: Annotated[Text, BeforeValidator(_name)] = Field(description="Names the message.")
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
    body: PersonalText = Field(None, description="What was written, HTML.")
    buttons: Annotated[Json | None, WHOLE] = Field(None, description="Buttons that were offered.")
    ip: PersonalText = Field(None, description="The address that it was sent from.")
    user_agent: PersonalText = Field(None, description="The browser that it was sent from.")
    attributes: Annotated[Json | None, WHOLE] = Field(None, description="What else is told of it.")
    created_at: Moment = Field(alias="createdAt", description="When it was written, UTC.")


class Contact(FromDrift):
    """Somebody who chatted, in the newest state that was read."""

    id: Annotated[Id, CONTACT_ID] = Field(description="Names the contact.")
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

    account_id: Text = Field(alias="accountId", description="Names the account.")
    owner_id: Id | None = Field(None, alias="ownerId", description="The user who looks after it.")
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
    """Somebody who answers chats, or a bot."""

    id: Annotated[Id, Identity(USER_ID)] = Field(description="Names the user.")
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
