"""Variables of the dbt project, by the same names: thresholds of checks and of clocks."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from novade_pipeline.settings import DomainSettings

_COLUMN = r"^[a-z_][a-z0-9_]*$"


class MartsSettings(DomainSettings):
    """`NOVADE_MARTS_…`."""

    model_config = SettingsConfigDict(env_prefix="NOVADE_MARTS_")

    matched_users: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of users at companies that have an account, before a check warns.",
    )
    matched_conversations: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of chats with an address that have an account, before a check warns.",
    )
    accounts_with_usage: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of accounts that use the product, before a check warns.",
    )
    clock_ahead_hours: int = Field(
        24,
        ge=0,
        description="Events further than this after their upload hour have a wrong clock, hours.",
    )
    clock_behind_days: int = Field(
        731,
        ge=0,
        description="Events further than this before their upload hour have a wrong clock, days.",
    )
    erp_customer_key: str = Field(
        "account_id",
        pattern=_COLUMN,
        description="The column of erp/customers that says which account a customer is.",
    )
    erp_account_key: str = Field(
        "id",
        pattern=_COLUMN,
        description="The column of salesforce/account that it is compared with: id, name.",
    )

    @property
    def mart_variables(self) -> Mapping[str, Any]:
        """All of them, by the same names."""
        return self.model_dump()


SETTINGS = MartsSettings
