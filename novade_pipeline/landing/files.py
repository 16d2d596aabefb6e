"""Landed files: listing them, and reading one exactly as it was listed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

from novade_pipeline.errors import TransientFailure
from novade_pipeline.storage import Store

HourOf = Callable[[str], datetime | None]
"""From a file's name to the hour that it is about; None where the name does not say."""


@dataclass(frozen=True)
class LandedFile:
    """One version of one file.

    Attributes:
        file: the path below the landing zone.
        etag: names this version of its content.
        size: bytes, as landed.
        modified: when it was last changed, UTC.
        hour: the hour that the name says, UTC; None where it says none.
    """

    file: str
    etag: str
    size: int
    modified: datetime
    hour: datetime | None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.file.rsplit("/", 1)[-1]


def list_files(landing: Store, folder: str, hour_of: HourOf) -> list[LandedFile]:
    """The files of a folder of the landing zone, ordered by hour and name.

    Names that begin with a dot or an underscore are uploads in progress and are left alone.
    """
    filesystem, root = landing.filesystem(), landing.path()
    if not filesystem.exists(landing.path(folder)):
        return []
    found = []
    for path, info in filesystem.find(landing.path(folder), detail=True).items():
        file = path[len(root) + 1 :]
        name = file.rsplit("/", 1)[-1]
        if not name.startswith((".", "_")):
            found.append(
                LandedFile(file, _etag(info), info["size"], _modified(info), hour_of(name))
            )
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda f: (f.hour or never, f.file))


def folder_stamp(landing: Store, folder: str) -> str:
    """Changes when files appear in the folder, vanish from it, or are renamed."""
    filesystem, path = landing.filesystem(), landing.path(folder)
    return str(filesystem.info(path)["mtime"]) if filesystem.exists(path) else "none"


@contextmanager
def open_landed(landing: Store, file: LandedFile) -> Iterator[IO[bytes]]:
    """Open the version that was listed.

    Raises:
        TransientFailure: the file is another one by the time that it has been read.
    """
    filesystem, path = landing.filesystem(), landing.path(file.file)
    try:
        with filesystem.open(path, "rb") as stream:
            yield stream
        now = _etag(filesystem.info(path))
    except FileNotFoundError:
        now = "gone"
    if now != file.etag:
        raise TransientFailure(f"{file.file} changed while it was read; it is read again.")


def _etag(info: dict[str, Any]) -> str:
    return str(info.get("etag") or f"{info['mtime']:.6f}-{info['size']}")


def _modified(info: dict[str, Any]) -> datetime:
    moment = info.get("last_modified") or datetime.fromtimestamp(info["mtime"], UTC)
    assert isinstance(moment, datetime)
    return moment
