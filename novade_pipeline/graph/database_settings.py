"""The settings that every domain of a database has."""

from pydantic import Field, SecretStr, field_validator

from novade_pipeline.databases.database import Database, checked_database_url
from novade_pipeline.settings import DomainSettings


class DatabaseSettings(DomainSettings):
    """`NOVADE_<DOMAIN>_…`; a domain's `settings.py` sets the prefix."""

    url: SecretStr | None = Field(
        None,
        description="The database, postgresql://user:password@host:5432/name, or mysql:// or "
        "mssql://; special characters of the password as %40. Without it nothing is read.",
    )
    schedule: str = Field("30 * * * *", description="When its tables are loaded, cron in UTC.")

    @field_validator("url")
    @classmethod
    def _is_a_database(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or not url.get_secret_value():
            return None
        checked_database_url(url.get_secret_value())
        return url

    @property
    def url_variable(self) -> str:
        """The variable of the URL."""
        return f"{self.model_config['env_prefix']}URL"

    @property
    def missing(self) -> str | None:
        """Which setting is missing, in one sentence; None where the database is configured."""
        if self.url is not None:
            return None
        return f"{self.url_variable} is not set: the database is not read."

    @property
    def database(self) -> Database:
        """The database; the URL must be set."""
        assert self.url is not None
        return Database(self.url.get_secret_value(), self.url_variable)
