"""A blob as a file: sent to Azure while it is written, and read where it is asked for."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from typing_extensions import Buffer, override

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

BLOCK_BYTES = 8 * 2**20

AzureCall: TypeAlias = Callable[[str, Callable[[], Any]], Any]
"""Calls Azure, and explains what goes wrong; told first what is done."""


class BlobReader(io.RawIOBase):
    """Reads a blob as it was when it was opened: another one in its place is an error."""

    def __init__(self, blob: "BlobClient", done: AzureCall) -> None:
        super().__init__()
        self._blob = blob
        self._done = done
        self._there = done("read", blob.get_blob_properties)
        self._at = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._there.size}
        self._at = begin[whence] + offset
        return self._at

    @override
    def readinto(self, buffer: Any) -> int:
        from azure.core import MatchConditions

        size: int = min(len(buffer), self._there.size - self._at)
        if size <= 0:
            return 0
        piece = self._done(
            "read",
            lambda: self._blob.download_blob(
                offset=self._at,
                length=size,
                etag=self._there.etag,
                match_condition=MatchConditions.IfNotModified,
            ).readall(),
        )
        buffer[:size] = piece
        self._at += size
        return size


class BlobWriter(io.RawIOBase):
    """Sends a block when there is enough for one; readers see the blob when it is finished.

    Blocks of one that never is are not to be seen, and Azure drops them after a week.
    """

    def __init__(self, blob: "BlobClient", done: AzureCall) -> None:
        super().__init__()
        self._blob = blob
        self._done = done
        self._held = bytearray()
        self._blocks: list[str] = []
        self._size = 0

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, piece: Buffer, /) -> int:
        view = memoryview(piece)
        self._held += view
        self._size += view.nbytes
        if len(self._held) >= BLOCK_BYTES:
            self._send()
        return view.nbytes

    @override
    def tell(self) -> int:
        return self._size

    def finish(self) -> None:
        """As `NewObject` says."""
        if not self._blocks:
            content = bytes(self._held)
            self._done("write", lambda: self._blob.upload_blob(content, overwrite=True))
            return
        if self._held:
            self._send()
        from azure.storage.blob import BlobBlock

        blocks = [BlobBlock(block) for block in self._blocks]
        self._done("write", lambda: self._blob.commit_block_list(blocks))

    def discard(self) -> None:
        """As `NewObject` says."""
        self._held.clear()

    def _send(self) -> None:
        block, content = f"{len(self._blocks):08}", bytes(self._held)
        self._done("write", lambda: self._blob.stage_block(block, content))
        self._blocks.append(block)
        self._held.clear()
