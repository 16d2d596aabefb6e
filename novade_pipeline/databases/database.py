"""A database: how it is reached, small statements, and what its errors mean.

Statements go through the drivers of Python, which fail at once where a password is wrong; rows come
by `reader`.
"""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError

Dialect = Literal["postgresql", "mysql", "mssql"]
SCHEMES: dict[str, Dialect] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "mssql": "mssql",
}
PORTS: dict[Dialect, int] = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
SECONDS = 10
"""How long a connection may take."""

_UNREACHABLE = re.compile(
    "could not connect|connection refused|could not translate host|timed? ?out|no route|"
    "can't connect|unreachable|name or service not known|errno 111|getaddrinfo|"
    "failed to connect|error connecting",
    re.IGNORECASE,
)
_INTERRUPTED = re.compile(
    "terminating connection|server closed the connection|connection (is |was )?(closed|reset|lost|"
    "aborted)|lost connection|starting up|shutting down|in recovery|broken pipe|gone away|"
    "unexpected end of file|unexpectedeof|deadlock|lock wait timeout|serialization|too many "
    "(connections|clients)|connection already closed|unexpected message|is active for pid|"
    "10054|2013|2006",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    "authentication failed|access denied for user|login failed|no pg_hba|role .* does not exist|"
    "not permitted to log in",
    re.IGNORECASE,
)
_NO_RIGHT = re.compile(
    "permission denied|command denied|permission was denied|must be superuser|"
    "must have replication|access denied;",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    "does not exist|doesn't exist|invalid object name|invalid column name|unknown column|"
    "unknown database|cannot open database",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Database:
    """A database by its URL, which holds the password.

    Attributes:
        url: `postgresql://user:password@host:port/database`, `mysql://…` or `mssql://…`.
        setting: the variable that has the URL, for messages.
    """

    url: str = field(repr=False)
    setting: str = "the database's URL"

    @cached_property
    def dialect(self) -> Dialect:
        """Whose SQL it speaks."""
        return SCHEMES[self._parts.scheme]

    @property
    def location(self) -> str:
        """Where it is, without user and password."""
        return f"{self._parts.hostname}:{self.port}/{self.name}"

    @property
    def host(self) -> str:
        """The server."""
        return self._parts.hostname or ""

    @property
    def port(self) -> int:
        """The server's port."""
        return self._parts.port or PORTS[self.dialect]

    @property
    def name(self) -> str:
        """The database in the server."""
        return unquote(self._parts.path.strip("/"))

    @property
    def user(self) -> str:
        """Who reads."""
        return unquote(self._parts.username or "")

    @property
    def reader_url(self) -> str:
        """The URL as connectorx knows it."""
        query = f"?{self._parts.query}" if self._parts.query else ""
        return f"{self.dialect}://{self._parts.netloc}{self._parts.path}{query}"

    @contextmanager
    def session(self) -> Iterator["Session"]:
        """A connection for small statements, each of which is its own transaction.

        Raises:
            TransientFailure: the server does not answer.
            UserError: it refuses us.
        """
        with self.failures():
            connection = self._connect()
        with closing(connection):
            yield Session(self, connection)

    @contextmanager
    def failures(self, what: str = "to connect") -> Iterator[None]:
        """Report what a driver raises in one sentence, without secrets.

        Args:
            what: was attempted, for the message.
        """
        try:
            yield
        except (UserError, TransientFailure, GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            # A panic of connectorx is no Exception.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise self._failure(error, what) from None

    def _failure(self, error: BaseException, what: str) -> Exception:
        message = self._message(error)
        expected = f"database {self.location}: expected {what}, found: {message}"
        if _REFUSED.search(message):
            return PermanentFailure(f"{expected}; set the user and the password in {self.setting}.")
        if _NO_RIGHT.search(message):
            return PermanentFailure(f"{expected}; grant the right to {self.user}.")
        if _INTERRUPTED.search(message):
            return TransientFailure(f"{expected}; the step runs again.")
        if _UNREACHABLE.search(message):
            return TransientFailure(
                f"{expected}; start the server, open the way to it, or set {self.setting}."
            )
        if _ABSENT.search(message):
            return PermanentFailure(f"{expected}; correct defs.yaml or {self.setting}.")
        return PermanentFailure(f"{expected}.")

    def _message(self, error: BaseException) -> str:
        """The first line of what the driver says, without the password."""
        parts = [str(part) for part in getattr(error, "args", ())]
        texts = " ".join(parts).strip() or type(error).__name__
        line = " ".join(texts.split("Stack backtrace")[0].strip().splitlines()[:2])
        secret = unquote(self._parts.password or "")
        for hidden in (self.url, self._parts.password or "", secret):
            line = line.replace(hidden, "***") if len(hidden) > 2 else line
        return line[:300].rstrip(". ")

    @cached_property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    def _connect(self) -> Any:
        password = unquote(self._parts.password or "")
        if self.dialect == "postgresql":
            import psycopg2

            connection = psycopg2.connect(self.url, connect_timeout=SECONDS)
            connection.autocommit = True
            return connection
        if self.dialect == "mysql":
            import pymysql

            return pymysql.connect(
                host=self.host,
                port=self.port,
                user=self.user,
                password=password,
                database=self.name,
                connect_timeout=SECONDS,
                autocommit=True,
            )
        import certifi
        import pytds

        is_encrypted = "encrypt=true" in self._parts.query.lower()
        return pytds.connect(
            self.host,
            self.name,
            self.user,
            password,
            port=self.port,
            login_timeout=SECONDS,
            autocommit=True,
            cafile=certifi.where() if is_encrypted else None,
        )


class Session:
    """A connection for small statements."""

    def __init__(self, database: Database, connection: Any) -> None:
        self.database = database
        self._connection = connection

    def query(self, sql: str, what: str = "an answer") -> list[tuple[Any, ...]]:
        """The rows of a statement, all of them in memory.

        Raises:
            PermanentFailure: the statement is refused.
            TransientFailure: the connection broke.
        """
        with self.database.failures(what), closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)
            return [] if cursor.description is None else list(map(tuple, cursor.fetchall()))

    def stream(self, sql: str, what: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement of PostgreSQL, a few of them in memory at a time."""
        with (
            self.database.failures(what),
            closing(self._connection.cursor("rows", withhold=True)) as cursor,
        ):
            cursor.execute(sql)
            yield from cursor


def checked_database_url(url: str) -> str:
    """A URL of a database that is read here.

    Raises:
        ValueError: another scheme, or no host or database.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname or not parts.path.strip("/"):
        raise ValueError(
            "expected postgresql://user:password@host:port/database, or mysql:// or mssql://"
        )
    return url
