"""Settings of Drift: the API, its budget, the schedule, and whether frozen tables are read."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from novade_pipeline.settings import DomainSettings, checked_url


class DriftSettings(DomainSettings):
    """`NOVADE_DRIFT_…`."""

    model_config = SettingsConfigDict(env_prefix="NOVADE_DRIFT_")

    api_url: str = Field("https://driftapi.com", description="The Drift API's address.")
    token: SecretStr | None = Field(
        None, description="A bearer token for the Drift API; without it nothing is read."
    )
    api_concurrency: int = Field(4, ge=1, le=32, description="Requests to the Drift API at once.")
    api_requests_per_minute: int | None = Field(
        None, ge=1, description="Requests to the Drift API a minute; unlimited where unset."
    )
    api_timeout_seconds: float = Field(
        30.0, gt=0, description="The longest wait for an answer of the Drift API, seconds."
    )
    api_most_reads: int = Field(5, ge=2, description="The most reads of a list until two agree.")
    api_accept_empty: bool = Field(
        False, description="Accept an empty answer of the Drift API where the lake has rows."
    )
    overlap_minutes: float = Field(
        60.0, ge=0, description="How far before the watermark the list of chats is read, minutes."
    )
    sweep_hours: float = Field(
        20.0,
        ge=0,
        description="How often the whole list of chats is read, for changes that are not at its "
        "front, hours; below 24, so that a daily load is on time.",
    )
    schedule: str = Field(
        "45 5 * * *", description="When the daemon reads the Drift API, cron, UTC."
    )
    unfreeze: bool = Field(False, description="Read Drift although its tables are frozen.")

    @field_validator("api_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return checked_url(url, "NOVADE_DRIFT_TOKEN")

    @property
    def is_set(self) -> bool:
        """Whether there is a token."""
        return self.token is not None and bool(self.token.get_secret_value())


SETTINGS = DriftSettings
