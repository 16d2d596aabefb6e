"""Real database servers on this machine, without Docker: Debian's PostgreSQL and MariaDB.

Neither runs as root: where this process is root's, they run as the user that Debian made for them.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from novade_pipeline.errors import UserError
from novade_pipeline.sandbox.processes import free_ports, start_guarded, stop

USER = "novade"
PASSWORD = "sandbox-secret"  # noqa: S105
START_SECONDS = 60.0
NO_OPTIONS: Mapping[str, str] = MappingProxyType({})

_POSTGRES_OPTIONS = {
    "wal_level": "logical",
    "fsync": "off",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "max_replication_slots": "40",
    "shared_buffers": "32MB",
}


@dataclass(frozen=True)
class DatabaseServer:
    """A running server.

    Attributes:
        scheme: of its URLs.
        port: at which it listens, on 127.0.0.1.
        pid: of its process group.
        folder: where it keeps its data.
    """

    scheme: str
    port: int
    pid: int
    folder: Path

    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        """The URL of a database, which holds the password."""
        return f"{self.scheme}://{user}:{password}@127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def running_postgres(
    folder: Path | None = None, *, port: int = 0, options: Mapping[str, str] = NO_OPTIONS
) -> Iterator[DatabaseServer]:
    """Run PostgreSQL, with logical decoding, until the block ends.

    Args:
        folder: where it keeps its data, which a later server continues; a temporary one where None.
        port: 0: a free one.
        options: of the server, beside or instead of those here.

    Raises:
        UserError: it is not installed, the port is in use, or it did not start.
    """
    with _folder(folder, "postgres") as root:
        server = start_postgres(root, port=port, options=options)
        try:
            yield server
        finally:
            stop(server.pid, at_once=folder is None)


def start_postgres(
    folder: Path,
    *,
    port: int = 0,
    options: Mapping[str, str] = NO_OPTIONS,
    owner: int | None = None,
) -> DatabaseServer:
    """Start PostgreSQL, which `processes.stop` stops, or the end of its owner.

    Args:
        folder: see `running_postgres`; readable for the server's user.
        port: likewise.
        options: likewise.
        owner: the process (its id) whose end ends the server; this process where None.
    """
    (chosen,) = free_ports([port])
    data, as_user = folder / "data", _as_user("postgres")
    if not (data / "PG_VERSION").exists():
        password = folder / "password"
        password.write_text(PASSWORD)
        _own(folder, "postgres")
        initdb = [_program("initdb"), "--no-sync", "-D", str(data), "-U", USER, "-E", "UTF8"]
        initdb += ["--locale=C.UTF-8", "-A", "scram-sha-256", f"--pwfile={password}"]
        _run([*as_user, *initdb], folder)
        password.unlink()
    # What a server that was killed left behind.
    (data / "postmaster.pid").unlink(missing_ok=True)
    settings = {**_POSTGRES_OPTIONS, **options, "port": str(chosen)}
    command = [*as_user, _program("postgres"), "-D", str(data)]
    command += [f"--{name}={value}" for name, value in settings.items()]
    return _started("postgresql", command, folder, chosen, owner)


@contextlib.contextmanager
def running_mariadb() -> Iterator[DatabaseServer]:
    """Run MariaDB until the block ends, with nothing in it but the user `novade`.

    Raises:
        UserError: it is not installed, or it did not start.
    """
    with _folder(None, "mysql") as root:
        data, as_user = root / "data", _as_user("mysql")
        install = [_program("mariadb-install-db"), f"--datadir={data}", "--skip-test-db"]
        _run([*as_user, *install, "--auth-root-authentication-method=normal"], root)
        start = root / "start.sql"
        start.write_text(
            f"create user '{USER}'@'%' identified by '{PASSWORD}';\n"
            f"grant all on *.* to '{USER}'@'%' with grant option;\n"
        )
        _own(root, "mysql")
        (port,) = free_ports([0])
        command = [_program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--port={port}"]
        command += ["--bind-address=127.0.0.1", f"--socket={root}/socket", f"--init-file={start}"]
        command += ["--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"]
        server = _started("mysql", [*as_user, *command], root, port, None)
        try:
            yield server
        finally:
            stop(server.pid, at_once=True)


@contextlib.contextmanager
def _folder(folder: Path | None, user: str) -> Iterator[Path]:
    """A folder of the server's user; a temporary one is gone afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        _own(folder, user)
        yield folder.absolute()
        return
    with tempfile.TemporaryDirectory(prefix=f"novade-{user}-", dir="/tmp") as temporary:
        _own(Path(temporary), user)
        yield Path(temporary)


def _own(folder: Path, user: str) -> None:
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, user, user)


def _as_user(user: str) -> list[str]:
    """What goes before a command that root may not run."""
    if os.geteuid() != 0:
        return []
    return [_program("setpriv"), f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]


def _program(name: str) -> str:
    """The path of a program; Debian keeps PostgreSQL's out of the PATH.

    Raises:
        UserError: it is not installed.
    """
    versions = sorted(Path("/usr/lib/postgresql").glob("[0-9]*"), key=lambda path: int(path.name))
    folders = [*(str(version / "bin") for version in reversed(versions)), "/usr/sbin"]
    found_path = shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))
    if found_path is None:
        raise UserError(
            f"expected {name} for the sandbox's database, found none; install Debian's postgresql "
            "or mariadb-server."
        )
    return found_path


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise UserError(
            f"expected to make a database in {folder}, found: {lines[-1] if lines else 'no output'}"
        )


def _started(
    scheme: str, command: Sequence[str], folder: Path, port: int, owner: int | None
) -> DatabaseServer:
    """Start a server, and wait until it accepts connections."""
    log = folder / "output.txt"
    with log.open("wb") as output:
        process = start_guarded(command, output, owner)
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            if scheme == "mysql" or b"ready to accept connections" in log.read_bytes():
                return DatabaseServer(scheme, port, process.pid, folder)
        time.sleep(0.02)
    stop(process.pid, at_once=True)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise UserError(
        f"expected the sandbox's database to listen at port {port}, found: "
        f"{lines[-1] if lines else 'no output'}; its output is in {folder}."
    )
