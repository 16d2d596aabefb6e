"""The sandbox's databases are real servers, which are gone when their user is."""

import tempfile
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from novade_pipeline.errors import UserError
from novade_pipeline.sandbox import database_servers, erp_rows
from novade_pipeline.sandbox.database_servers import running_mariadb, running_postgres
from novade_pipeline.sandbox.processes import is_running


def _count(url: str) -> int:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from orders")
        ((count,),) = cursor.fetchall()
        return int(count)


def test_a_folder_is_continued_and_the_same_seed_gives_the_same_rows() -> None:
    # Where the server's user may go, which is not into the folders of root's tests.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        with running_postgres(Path(folder)) as first:
            erp_rows.create(first.url("postgres"), orders=7)
            erp_rows.change(first.url("postgres"), count=2)
        assert not is_running(first.pid)
        with running_postgres(Path(folder)) as second:
            assert _count(second.url("postgres")) == 8
            with pytest.raises(UserError, match=f"port {second.port} for the sandbox: Address alr"):
                database_servers.start_postgres(Path(folder) / "other", port=second.port)
        assert not is_running(second.pid)


@pytest.mark.parametrize("running", [running_postgres, running_mariadb])
def test_a_server_that_is_not_installed_is_named(
    running: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_servers.shutil, "which", lambda *_, **__: None)
    with pytest.raises(UserError, match="install Debian's postgresql or mariadb-server"), running():
        pass
