"""Settings of Salesforce: the organisation, the log-in, the quota."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from novade_pipeline.settings import DomainSettings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SalesforceSettings(DomainSettings):
    """`NOVADE_SALESFORCE_…`."""

    model_config = SettingsConfigDict(env_prefix="NOVADE_SALESFORCE_")

    url: str | None = Field(
        None,
        description="The organisation's My Domain, https://novade.my.salesforce.com; without it "
        "nothing is read.",
    )
    client_id: str | None = Field(None, description="Consumer key of the connected app.")
    client_secret: SecretStr | None = Field(
        None, description="Its consumer secret, for the client credentials flow."
    )
    username: str | None = Field(
        None, description="The user to log in as, for the JWT bearer flow."
    )
    private_key: SecretStr | None = Field(
        None, description="The private key of the app's certificate, PEM, for the JWT bearer flow."
    )
    private_key_file: Path | None = Field(None, description="A file that holds that private key.")
    api_version: str = Field("59.0", pattern=r"^\d\d\.0$", description="The API's version.")
    api_floor: int = Field(1000, ge=0, description="API calls a day that are left to other users.")
    timeout_seconds: float = Field(
        120.0, gt=0, description="The longest wait for an answer of Salesforce, seconds."
    )
    overlap_seconds: int = Field(
        600,
        ge=0,
        description="How far before the watermark a load begins, for long transactions, seconds.",
    )
    sweep_hours: float = Field(
        24.0,
        ge=0,
        description="How often all ids are compared, for hard deletes and formulas, hours.",
    )
    accept_vanished: bool = Field(
        False, description="Accept a sweep that finds more than half of an object's records gone."
    )
    bulk_from_rows: int = Field(10_000, ge=0, description="More rows are read by the Bulk API 2.0.")
    slice_rows: int = Field(250_000, ge=1, description="Rows of a slice of a long history, about.")
    without: str = Field(
        "", description="Objects that the organisation does not have, between commas: Order,Event."
    )
    personal_fields: str = Field(
        "",
        description="Custom fields about a person, between commas: Contact.Nickname__c,"
        "Lead.Notes__c. E-mail addresses, telephones and encrypted texts are always marked.",
    )
    schedule: str = Field("45 * * * *", description="When the daemon reads Salesforce, cron, UTC.")

    @field_validator("url")
    @classmethod
    def _is_my_domain(cls, url: str | None) -> str | None:
        if not url:
            return None
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        bare = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
        if not (secure and parts.hostname and bare):
            raise ValueError(
                "expected the organisation's My Domain as https://novade.my.salesforce.com"
            )
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("without")
    @classmethod
    def _are_objects(cls, names: str) -> str:
        from novade_pipeline.defs.salesforce.tables import OBJECTS

        if unknown := sorted(_names(names) - set(OBJECTS)):
            raise ValueError(f"expected some of {', '.join(OBJECTS)}, found {', '.join(unknown)}")
        return names

    @field_validator("personal_fields")
    @classmethod
    def _are_fields(cls, text: str) -> str:
        from novade_pipeline.defs.salesforce.tables import OBJECTS

        for path in sorted(_names(text)):
            name, dot, field = path.partition(".")
            if name not in OBJECTS or not dot or not field:
                raise ValueError(
                    f"expected fields as Contact.Nickname__c, of {', '.join(OBJECTS)}, found {path}"
                )
            if field in {column.source for column in OBJECTS[name].columns}:
                raise ValueError(
                    f"expected fields that an organisation has made, found {path}, whose mark is "
                    "in the code (salesforce/records.py)"
                )
        return text

    def personal_of(self, name: str) -> frozenset[str]:
        """Returns the fields of an object that are marked as personal, by the settings."""
        return frozenset(
            field
            for path in _names(self.personal_fields)
            for object_name, _, field in [path.partition(".")]
            if object_name == name
        )

    @property
    def left_out(self) -> frozenset[str]:
        """Salesforce's names of the objects that are not read."""
        return _names(self.without)

    @property
    def missing(self) -> str | None:
        """Which setting is missing, in one sentence; None where all are set."""
        if self.url is None:
            return "NOVADE_SALESFORCE_URL is not set: Salesforce is not read."
        if not self.client_id:
            return "NOVADE_SALESFORCE_CLIENT_ID is not set: Salesforce is not read."
        if self._has(self.client_secret):
            return None
        if not (self._has(self.private_key) or self.private_key_file):
            return (
                "Neither NOVADE_SALESFORCE_CLIENT_SECRET nor NOVADE_SALESFORCE_PRIVATE_KEY_FILE "
                "(or NOVADE_SALESFORCE_PRIVATE_KEY) is set: Salesforce is not read."
            )
        if not self.username:
            return (
                "NOVADE_SALESFORCE_USERNAME is not set, which a log-in by private key needs: "
                "Salesforce is not read."
            )
        return None

    @staticmethod
    def _has(secret: SecretStr | None) -> bool:
        return bool(secret and secret.get_secret_value())


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


SETTINGS = SalesforceSettings
