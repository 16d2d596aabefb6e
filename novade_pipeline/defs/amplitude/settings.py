"""Settings of Amplitude's Export API, from which history is fetched."""

from datetime import date
from typing import Literal

from pydantic import ByteSize, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from novade_pipeline.settings import DomainSettings, checked_url

_HOSTS = {"us": "https://amplitude.com", "eu": "https://analytics.eu.amplitude.com"}


class AmplitudeSettings(DomainSettings):
    """`NOVADE_AMPLITUDE_…`."""

    model_config = SettingsConfigDict(env_prefix="NOVADE_AMPLITUDE_")

    api_key: SecretStr | None = Field(
        None, description="The API key of the Amplitude project; without it no history is fetched."
    )
    secret_key: SecretStr | None = Field(
        None, description="The secret key of the Amplitude project."
    )
    region: Literal["us", "eu"] = Field("us", description="Where Amplitude keeps the project.")
    api_url: str | None = Field(
        None, description="The Export API's address, instead of that of the region."
    )
    history_start: date | None = Field(
        None,
        description="The first day of Amplitude's history that the web page offers to fetch. "
        "Default: the first upload day.",
    )
    api_hours_per_request: int = Field(
        24, ge=1, le=8760, description="Hours of history that one request asks for at most."
    )
    api_concurrency: int = Field(2, ge=1, le=8, description="Requests to the Export API at once.")
    api_requests_per_minute: int | None = Field(
        None, ge=1, description="Requests to the Export API a minute; unlimited where unset."
    )
    api_max_requests: int = Field(
        10_000, ge=1, description="Requests to the Export API that one run may send."
    )
    api_max_bytes: ByteSize = Field(
        ByteSize(500 * 10**9), ge=1, description="Bytes that one run may fetch from the Export API."
    )
    api_timeout_seconds: float = Field(
        600.0, gt=0, description="The longest wait for the Export API, which packs first, seconds."
    )
    api_delay_hours: int = Field(
        3,
        ge=0,
        description="Age of an hour, from its end, before it is fetched: Amplitude exports it "
        "about two hours later.",
    )

    @field_validator("api_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        return checked_url(url, "NOVADE_AMPLITUDE_API_KEY") if url else None

    @property
    def url(self) -> str:
        """The Export API's address."""
        return self.api_url or _HOSTS[self.region]

    @property
    def missing(self) -> tuple[str, ...]:
        """The settings without which no history is fetched."""
        keys = {"NOVADE_AMPLITUDE_API_KEY": self.api_key}
        keys["NOVADE_AMPLITUDE_SECRET_KEY"] = self.secret_key
        return tuple(name for name, key in keys.items() if not (key and key.get_secret_value()))

    @property
    def not_configured(self) -> str:
        """Says what to set."""
        return f"{' and '.join(self.missing)} must be set to fetch Amplitude's history."


SETTINGS = AmplitudeSettings
