"""Settings of alerts, the web page and maintenance."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from novade_pipeline.settings import PREFIX, DomainSettings


class OperationsSettings(DomainSettings):
    """Settings that apply to the whole graph."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    alert_webhook: SecretStr | None = Field(
        None, description="The webhook that receives alerts; without it none are sent."
    )
    alert_format: Literal["auto", "slack", "teams", "json"] = Field(
        "auto", description="The format of alerts; auto decides by the webhook's host."
    )
    alert_severity: Literal["warning", "error"] = Field(
        "warning", description="The lowest severity of alerts."
    )
    web_url: str = Field(
        "http://127.0.0.1:3000", description="The address of the web page, for links to runs."
    )

    skipped_tick_hours: float = Field(
        2, gt=0, description="For how many hours the web page shows ticks that found nothing."
    )
    time_travel_days: int = Field(
        30, ge=1, description="For how many days old versions of tables stay readable."
    )

    @field_validator("alert_webhook")
    @classmethod
    def _webhook_is_an_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or not url.get_secret_value():
            return None
        if not _is_address(url.get_secret_value()):
            raise ValueError("expected https://HOST/… or http://HOST/…, found something else")
        return url

    @field_validator("web_url")
    @classmethod
    def _page_is_an_address(cls, url: str) -> str:
        if not _is_address(url):
            raise ValueError("expected https://HOST or http://HOST:PORT, found something else")
        return url.rstrip("/")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


SETTINGS = OperationsSettings
