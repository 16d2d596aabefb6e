"""What belongs to the project beside its modules: the dbt project, Dagster's workspace."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def project_file(name: str) -> Path:
    """A file or folder that a wheel has inside the package, and a checkout beside it."""
    packaged = PACKAGE / name
    return packaged if packaged.exists() else PACKAGE.parent / name
