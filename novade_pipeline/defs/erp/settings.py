"""Settings of the ERP database."""

from pydantic_settings import SettingsConfigDict

from novade_pipeline.graph.database_settings import DatabaseSettings


class ErpSettings(DatabaseSettings):
    """`NOVADE_ERP_…`."""

    model_config = SettingsConfigDict(env_prefix="NOVADE_ERP_")


SETTINGS = ErpSettings
