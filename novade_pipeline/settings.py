"""Settings from `NOVADE_*` variables and a `.env` file: read once, validated with one message.

No other module reads `os.environ`.
"""

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    ByteSize,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from novade_pipeline.errors import UserError
from novade_pipeline.graph.domains import modules
from novade_pipeline.lake.database_copies import WORKING_COPY
from novade_pipeline.lake.memory import LEAST, set_budget
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.locations import lake_store, store
from novade_pipeline.storage.store import Store

PREFIX = "NOVADE_"


class DomainSettings(BaseSettings):
    """The settings of one domain, in its `settings.py`; a subclass sets its `env_prefix`."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    @property
    def mart_variables(self) -> Mapping[str, Any]:
        """Variables of the dbt project that the domain sets, by name."""
        return {}


Domain = TypeVar("Domain", bound=DomainSettings)


def checked_url(url: str, secret: str) -> str:
    """Returns the address of an API after checking it.

    Args:
        secret: the variable of the token, for the message.

    Raises:
        ValueError: it is no HTTP address, or has a user, query or fragment.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an address as https://host/path")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "expected an address without user, query and fragment; a token belongs in " + secret
        )
    return url


class Settings(BaseSettings):
    """The settings of all domains in common."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True
    )
    _domains: dict[type[DomainSettings], DomainSettings] = PrivateAttr(default_factory=dict)

    azure_connection_string: SecretStr | None = Field(
        None, description="Connection string of the storage account; or set the key or the SAS."
    )
    azure_account_key: SecretStr | None = Field(
        None, description="The storage account's key, base64."
    )
    azure_sas_token: SecretStr | None = Field(
        None,
        description="A shared access signature; without any of the three: az login or identity.",
    )
    azure_endpoint: str | None = Field(
        None, description="Endpoint of the Blob API: emulator, private links, sovereign clouds."
    )
    lake_url: str = Field(
        "data/lake",
        description="Where the Delta tables are: a folder, or abfss://container@account.…/path.",
    )
    landing_url: str = Field(
        "data/landing", description="Where exported files land: a folder, or abfss://…."
    )
    warehouse_path: Path = Field(
        Path("data/warehouse.duckdb"), description="The DuckDB file of the marts."
    )
    warehouse_wait_minutes: float = Field(
        10.0,
        ge=0,
        le=1440,
        description="Minutes that a run waits for the warehouse while another process holds it.",
    )
    dagster_home: Path = Field(
        Path("data/dagster"), description="Dagster's storage; DAGSTER_HOME takes precedence."
    )
    history_start: date = Field(
        date(2018, 1, 1),
        description="The first upload day. Partitions begin with it where it is set, and else with "
        "the first day that has landed.",
    )
    memory: ByteSize | None = Field(
        None,
        description="Memory of a process, without 0.5 GB of libraries: 2GB, 1500MiB. Default: 1/16 "
        "of the machine or container, but at least 1 GiB, or half of it if it has less than 2 GiB.",
    )
    personal_data: Literal["keep", "hash", "drop"] = Field(
        "keep", description="How personal data is stored."
    )
    personal_data_key: SecretStr | None = Field(
        None,
        validate_default=True,
        description="The key of the hash: equal keys give equal hashes.",
    )
    landing_grace_hours: float = Field(
        24.0, ge=0, description="Hours until the rows of a deleted landed file are deleted."
    )
    landing_poll_seconds: int = Field(
        15, ge=5, description="Seconds between two polls of the landing sensor."
    )
    landing_discovery: Literal["listing", "queue"] = Field(
        "listing", description="How new files are discovered: by listing, or by Event Grid's queue."
    )
    landing_queue_url: str | None = Field(
        None,
        validate_default=True,
        description="The queue: https://account.queue.core.windows.net/name.",
    )
    landing_sweep_hours: float = Field(
        6.0,
        ge=0,
        description="Hours between two full listings of the landing zone, page by page; 0: a page "
        "in each poll.",
    )
    landing_max_attempts: int = Field(
        3, ge=1, description="Failed runs for the same files before the sensor gives up."
    )
    reporting_time_zone: str | None = Field(
        None,
        description="The time zone of days in all marts: Europe/Paris. Default: that of the "
        "Salesforce organisation for sales and activities, UTC for the product and chats.",
    )
    freshness_hours: float = Field(
        26.0, gt=0, description="Age of the newest data, in hours, before a check warns."
    )
    violating_share: float = Field(
        0.05, ge=0, le=1, description="Share of events that violate the plan before a check warns."
    )
    unplanned_share: float = Field(
        0.05, ge=0, le=1, description="Share of events of unplanned types before a check warns."
    )

    @field_validator("lake_url", "landing_url")
    @classmethod
    def _is_a_store(cls, url: str, info: ValidationInfo) -> str:
        make = lake_store if info.field_name == "lake_url" else store
        make(url, _azure(info.data))
        return url

    @field_validator("warehouse_path")
    @classmethod
    def _is_no_schema(cls, path: Path) -> Path:
        # DuckDB names a database after its file, up to a dot: a schema's name would be ambiguous.
        domains = (folder.name for folder in Path(__file__).with_name("defs").iterdir())
        if path.name.split(".")[0].lower() in {"main", "novade", "system", "temp", *domains}:
            raise ValueError(
                f"expected a file that is not named like a schema of the warehouse, found "
                f"{path.name}; name it warehouse.duckdb"
            )
        if path.name == WORKING_COPY:
            raise ValueError(
                f"expected another name than {WORKING_COPY}, which is that of dbt's copy of the "
                "warehouse; name it warehouse.duckdb"
            )
        return path

    @field_validator("memory")
    @classmethod
    def _is_enough(cls, size: ByteSize | None) -> ByteSize | None:
        if size is not None and size < LEAST:
            raise ValueError(
                f"expected at least {ByteSize(LEAST).human_readable()}, found "
                f"{size.human_readable()}; with less the marts cannot be built"
            )
        return size

    @field_validator("landing_queue_url")
    @classmethod
    def _queue_has_a_url(cls, url: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("landing_discovery") == "queue":
            if not url or not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
                raise ValueError("expected the queue's https:// URL, since discovery is by queue")
            if not str(info.data.get("landing_url")).startswith("abfss://"):
                raise ValueError("expected a landing zone on Azure, since discovery is by queue")
        return url

    @field_validator("history_start")
    @classmethod
    def _is_in_the_past(cls, day: date) -> date:
        if day >= datetime.now(UTC).date():
            raise ValueError(f"expected a day before today, found {day}")
        return day

    @field_validator("reporting_time_zone")
    @classmethod
    def _is_a_time_zone(cls, zone: str | None) -> str | None:
        if not zone:
            return None
        from zoneinfo import available_timezones

        if zone not in available_timezones() - {"localtime"}:
            raise ValueError(f"expected the name of a time zone as Europe/Paris, found {zone}")
        return zone

    @field_validator("personal_data_key")
    @classmethod
    def _hash_has_a_key(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("personal_data") == "hash" and not (key and key.get_secret_value()):
            raise ValueError("expected a key, since NOVADE_PERSONAL_DATA is hash; found none")
        return key

    @cached_property
    def lake(self) -> Store:
        """The root of the lake."""
        return store(self.lake_url, _azure(dict(self)))

    @cached_property
    def landing(self) -> Store:
        """The root of the landing zone."""
        return store(self.landing_url, _azure(dict(self)))

    @property
    def warehouse_patience(self) -> timedelta:
        """How long a run waits for the warehouse."""
        return timedelta(minutes=self.warehouse_wait_minutes)

    @cached_property
    def personal_data_policy(self) -> PersonalDataPolicy:
        """The policy for personal data, with its key and tombstones."""
        from novade_pipeline.lake.tombstones import TombstoneRegistry

        secret = self.personal_data_key
        key = secret.get_secret_value().encode() if secret is not None else b""
        return PersonalDataPolicy(self.personal_data, key, TombstoneRegistry(self.lake, key))

    def of(self, kind: type[Domain]) -> Domain:
        """A domain's own settings."""
        domain_settings = self._domains[kind]
        assert isinstance(domain_settings, kind)
        return domain_settings

    def masked(self) -> dict[str, tuple[str, str, str]]:
        """Variable -> (value, origin, description); secrets are masked."""
        return {
            _variable(type(part), name): (
                str(getattr(part, name)),
                "set" if name in part.model_fields_set else "default",
                field.description or "",
            )
            for part in (self, *self._domains.values())
            for name, field in type(part).model_fields.items()
        }


def load_settings(env_file: str | Path | None = None, **overrides: Any) -> Settings:
    """Reads the environment, and `.env` or the file `NOVADE_ENV_FILE`.

    Raises:
        UserError: one message with every invalid variable, without its value.
    """
    chosen = env_file or os.environ.get(f"{PREFIX}ENV_FILE")
    if chosen and not Path(chosen).is_file():
        raise UserError(f"{PREFIX}ENV_FILE: expected a file, found none at {chosen}.")
    # `dagster dev` reads it from there too.
    in_file = dotenv_values(chosen or ".env").get("DAGSTER_HOME")
    if home := os.environ.get("DAGSTER_HOME") or in_file:
        overrides.setdefault("dagster_home", home)
    domains = [module.SETTINGS for module in modules("settings")]
    parts: list[Any] = []
    wrong: dict[str, list[str]] = {}
    for kind in (Settings, *domains):
        try:
            parts.append(kind(_env_file=chosen or ".env", **_overrides_of(kind, overrides)))
        except ValidationError as error:
            for problem in error.errors(include_input=False, include_url=False):
                message = problem["msg"].removeprefix("Value error, ")
                wrong.setdefault(message, []).extend(
                    _variable(kind, str(n)) for n in problem["loc"][:1]
                )
    if wrong:
        # One message for a credential that is invalid for both lake and landing zone.
        every = (
            ": ".join([*([" and ".join(variables)] if variables else []), message])
            for message, variables in wrong.items()
        )
        raise UserError(f"Settings: {'; '.join(every)}. docs/settings.md lists what each expects.")
    settings, *of_domains = parts
    assert isinstance(settings, Settings)
    settings._domains.update({type(part): part for part in of_domains})
    set_budget(settings.memory)
    return settings


def _azure(values: dict[str, Any]) -> dict[str, str | None]:
    """Credentials and endpoint, as `storage.locations` expects them."""
    plain = {}
    for name in ("connection_string", "account_key", "sas_token", "endpoint"):
        value = values.get(f"azure_{name}")
        plain[name] = value.get_secret_value() if isinstance(value, SecretStr) else value
    return plain


def _variable(kind: type[BaseSettings], name: str) -> str:
    return f"{kind.model_config['env_prefix']}{name}".upper()


def _overrides_of(kind: type[BaseSettings], overrides: dict[str, Any]) -> dict[str, Any]:
    """The overrides of one class: `music_api_url` is the music domain's `api_url`."""
    return {
        name: overrides[key]
        for name in kind.model_fields
        if (key := _variable(kind, name).removeprefix(PREFIX).lower()) in overrides
    }
