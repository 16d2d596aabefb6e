"""Settings of the music service: address, token, request limits."""

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
        None, description="A bearer token for the music API, if it needs one."
    )
    api_concurrency: int = Field(4, ge=1, le=64, description="Requests to the music API at once.")
    api_requests_per_minute: int | None = Field(
        None, ge=1, description="Requests to the music API a minute; unlimited if unset."
    )
    api_timeout_seconds: float = Field(
        30.0, gt=0, description="Timeout of a request to the music API, seconds."
    )
    api_most_reads: int = Field(
        5, ge=1, description="Most reads of a list until it is stable; 1 trusts the first read."
    )
    api_accept_empty: bool = Field(
        False, description="Accept an empty list from the music API although the lake has rows."
    )
    schedule: str = Field(
        "15 5 * * *", description="When the web page's daemon reads the music API, cron, UTC."
    )

    @field_validator("api_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        return checked_url(url, "NOVADE_MUSIC_API_TOKEN") if url else None


SETTINGS = MusicSettings
