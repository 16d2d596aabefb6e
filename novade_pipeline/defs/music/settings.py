"""Where the music service is, and how much of it may be asked for."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from novade_pipeline.settings import DomainSettings, checked_url


class MusicSettings(DomainSettings):
    """`NOVADE_MUSIC_…`."""

    model_config = SettingsConfigDict(env_prefix="NOVADE_MUSIC_")

    api_url: str | None = Field(
        None, description="The music API's address, https://…; without it nothing is read."
    )
    api_token: SecretStr | None = Field(
        None, description="A bearer token for the music API, where it wants one."
    )
    api_concurrency: int = Field(4, ge=1, le=64, description="Requests to the music API at once.")
    api_requests_per_minute: int | None = Field(
        None, ge=1, description="Requests to the music API a minute; no limit of ours where unset."
    )
    api_timeout_seconds: float = Field(
        30.0, gt=0, description="How long the music API may say nothing, seconds."
    )
    api_most_reads: int = Field(
        5, ge=1, description="Times a table is read at most until nothing was lost; 1: trust it."
    )
    api_accept_empty: bool = Field(
        False, description="Believe the music API where it has nothing, and the lake has rows."
    )
    schedule: str = Field(
        "15 5 * * *", description="When the web page's daemon reads the music API, cron, UTC."
    )

    @field_validator("api_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        return checked_url(url, "NOVADE_MUSIC_API_TOKEN") if url else None


SETTINGS = MusicSettings
