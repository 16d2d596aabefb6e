"""Settings of the comparison of Segment and Amplitude."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from novade_pipeline.settings import DomainSettings


class ReconciliationSettings(DomainSettings):
    """`NOVADE_RECONCILIATION_…`."""

    model_config = SettingsConfigDict(env_prefix="NOVADE_RECONCILIATION_")

    cut_over: date | None = Field(
        None,
        description="The day from which on an event that Segment and Amplitude both have is taken "
        "from Amplitude. Default: the first day that Amplitude has whole.",
    )
    window: str = Field(
        "",
        description="The days that are compared, as 2026-03-01..2026-03-10. Default: those on "
        "which both received events.",
    )
    time_tolerance_seconds: float = Field(
        1.0,
        ge=0,
        description="By how much the time of an event may differ between the two, seconds.",
    )
    matched_share: float = Field(
        0.99,
        ge=0,
        le=1,
        description="Share of Segment's events that Amplitude has, before a check warns.",
    )

    @field_validator("window")
    @classmethod
    def _window_is_of_days(cls, text: str) -> str:
        return "{}..{}".format(*days_of(text)) if text else ""

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and the last day of the window, if it is set."""
        return days_of(self.window) if self.window else None

    @property
    def mart_variables(self) -> Mapping[str, Any]:
        """Variables of the dbt project, by name."""
        return {
            "cut_over": str(self.cut_over or ""),
            "reconciled_days": self.window,
            "time_tolerance_seconds": self.time_tolerance_seconds,
        }


def days_of(text: str) -> tuple[date, date]:
    """The first and the last day of `START..END`, both included.

    Raises:
        ValueError: it is not of that form, or ends before it starts.
    """
    start, _, end = text.partition("..")
    try:
        first, last = date.fromisoformat(start.strip()), date.fromisoformat(end.strip())
    except ValueError:
        raise ValueError(f"expected days as 2026-03-01..2026-03-10, found {text!r}") from None
    if last < first:
        raise ValueError(f"expected a first day before the last, found {text!r}")
    return first, last


SETTINGS = ReconciliationSettings
