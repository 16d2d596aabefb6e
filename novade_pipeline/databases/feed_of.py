"""Which feed a database has."""

from novade_pipeline.databases.change_tracking import ChangeTracking
from novade_pipeline.databases.database import Session
from novade_pipeline.databases.declaration import DatabaseTables
from novade_pipeline.databases.feeds import Feed
from novade_pipeline.databases.logical_decoding import LogicalDecoding
from novade_pipeline.errors import PermanentFailure


def feed_of(session: Session, declared: DatabaseTables) -> Feed | None:
    """The feed; None where no table is read by one.

    Raises:
        PermanentFailure: the database has none that is read here.
    """
    tables = [table.table for table in declared.tables if table.mode == "changes"]
    if not tables:
        return None
    if session.database.dialect == "mysql":
        raise PermanentFailure(
            f"database {session.database.location}: expected PostgreSQL or SQL Server for the mode "
            f"changes, found MySQL; declare changed or full for {', '.join(tables)}."
        )
    if session.database.dialect == "mssql":
        return ChangeTracking(session.query, session.database.location)
    return LogicalDecoding(session, declared)
