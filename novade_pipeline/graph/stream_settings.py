"""Settings of the broker, the schema registry and the loads of topics."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from novade_pipeline.settings import DomainSettings, checked_url
from novade_pipeline.streams.broker import Broker
from novade_pipeline.streams.registry import Registry

NOT_CONFIGURED = "NOVADE_STREAMS_BROKERS is not set: no topic is read."


class StreamSettings(DomainSettings):
    """`NOVADE_STREAMS_…`."""

    model_config = SettingsConfigDict(env_prefix="NOVADE_STREAMS_")

    brokers: str | None = Field(
        None,
        description="The broker, host:port, several between commas; without it no topic is read.",
    )
    cluster: str = Field(
        "default",
        pattern=r"[A-Za-z0-9._-]+",
        description="The cluster's name in the offsets that tables record; another name begins "
        "from the beginning.",
    )
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="The listener's security protocol."
    )
    sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN", "OAUTHBEARER"] = Field(
        "SCRAM-SHA-256", description="How a SASL listener authenticates."
    )
    user: str | None = Field(
        None, description="The user of a SASL listener; for OAUTHBEARER the client's id."
    )
    password: SecretStr | None = Field(
        None,
        validate_default=True,
        description="The user's password; for OAUTHBEARER the client's secret.",
    )
    token_url: str | None = Field(
        None,
        validate_default=True,
        description="Where OAUTHBEARER gets its tokens, https://…/token.",
    )
    token_scope: str | None = Field(None, description="The scope of these tokens.")
    ca_file: Path | None = Field(
        None, description="The certificates that are trusted for the broker, a PEM file."
    )
    registry_url: str | None = Field(
        None, description="The schema registry, https://…, for topics whose values are Avro."
    )
    registry_user: str | None = Field(None, description="The registry's user, if it needs one.")
    registry_password: SecretStr | None = Field(None, description="The registry's password.")
    max_records: int = Field(
        5_000_000, ge=1, description="Records of a topic that one run reads; later runs go on."
    )
    spark_records: int = Field(
        100_000,
        ge=0,
        description="Records from which on a load uses Spark; fewer are read in its own process.",
    )
    poll_seconds: int = Field(
        15, ge=1, description="Seconds between two looks of a sensor at the topics."
    )
    max_lag_seconds: float = Field(
        3600.0, gt=0, description="Age of what a table has not read yet before a check warns."
    )
    max_lag_records: int = Field(
        10_000_000, ge=1, description="Records that a table has not read yet before a check warns."
    )

    @field_validator("password")
    @classmethod
    def _has_all_of_sasl(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        is_sasl = str(info.data.get("protocol")).startswith("SASL")
        if is_sasl and not (value and value.get_secret_value() and info.data.get("user")):
            raise ValueError(
                "expected NOVADE_STREAMS_USER and NOVADE_STREAMS_PASSWORD, since "
                "NOVADE_STREAMS_PROTOCOL is SASL's; found one missing"
            )
        return value

    @field_validator("token_url")
    @classmethod
    def _is_given_for_oauth(cls, url: str | None, info: ValidationInfo) -> str | None:
        is_sasl = str(info.data.get("protocol")).startswith("SASL")
        if is_sasl and info.data.get("sasl_mechanism") == "OAUTHBEARER" and not url:
            raise ValueError("expected the address of the tokens, as the mechanism is OAUTHBEARER")
        return checked_url(url, "NOVADE_STREAMS_PASSWORD") if url else None

    @field_validator("registry_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        return checked_url(url, "NOVADE_STREAMS_REGISTRY_PASSWORD") if url else None

    @field_validator("ca_file")
    @classmethod
    def _is_a_file(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"expected a PEM file, found none at {path}")
        return path

    @cached_property
    def broker(self) -> Broker:
        """How the broker is reached; `brokers` must be set."""
        assert self.brokers is not None
        return Broker(
            servers=self.brokers,
            cluster=self.cluster,
            protocol=self.protocol,
            mechanism=self.sasl_mechanism if self.protocol.startswith("SASL") else None,
            user=self.user,
            password=_plain(self.password),
            token_url=self.token_url,
            scope=self.token_scope,
            ca_pem=None if self.ca_file is None else self.ca_file.read_text(),
        )

    @cached_property
    def registry(self) -> Registry | None:
        """The schema registry, if one is configured."""
        if self.registry_url is None:
            return None
        return Registry(self.registry_url, self.registry_user, _plain(self.registry_password))


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
