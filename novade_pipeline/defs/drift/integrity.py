"""Referential integrity of the tables."""

from contextlib import closing

from novade_pipeline.defs.drift.tables import CONTACTS, CONVERSATIONS, MESSAGES
from novade_pipeline.lake.delta import current_version
from novade_pipeline.lake.query import connect, scan
from novade_pipeline.storage.store import Store


def orphaned_messages(lake: Store) -> dict[str, int]:
    """Counts messages without their conversation, and messages without their contact."""
    tables = (MESSAGES, CONVERSATIONS, CONTACTS)
    if any(current_version(lake, table) is None for table in tables):
        return {"without_conversation": 0, "without_contact": 0}
    messages, conversations, contacts = (scan(lake, table) for table in tables)
    with closing(connect(lake=lake)) as connection:
        row = connection.execute(
            f"select count(*) filter (c.id is null),"
            f" count(*) filter (m.author_type = 'contact' and p.id is null)"
            f" from {messages} as m"
            f" left join {conversations} as c on m.conversation_id = c.id"
            f" left join {contacts} as p on m.author_id = p.id"
        ).fetchone()
    assert row is not None
    return {"without_conversation": row[0], "without_contact": row[1]}
