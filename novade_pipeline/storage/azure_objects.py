"""A blob as a file: uploaded in blocks while it is written, and read by ranges."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from typing_extensions import Buffer, override

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

BLOCK_BYTES = 8 * 2**20

AzureCall: TypeAlias = Callable[[str, Callable[[], Any]], Any]
"""Calls Azure and translates its errors; the first argument names the operation."""


class BlobReader(io.RawIOBase):
    """Reads ranges of one version of a blob; a blob replaced meanwhile is an error."""

    def __init__(self, blob: "BlobClient", call: AzureCall) -> None:
        super().__init__()
        self._blob = blob
        self._call = call
        self._properties = call("read", blob.get_blob_properties)
        self._position = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._properties.size}
        self._position = begin[whence] + offset
        return self._position

    @override
    def readinto(self, buffer: Any) -> int:
        from azure.core import MatchConditions

        size: int = min(len(buffer), self._properties.size - self._position)
        if size <= 0:
            return 0
        chunk = self._call(
            "read",
            lambda: self._blob.download_blob(
                offset=self._position,
                length=size,
                etag=self._properties.etag,
                match_condition=MatchConditions.IfNotModified,
            ).readall(),
        )
        buffer[:size] = chunk
        self._position += size
        return size


class BlobWriter(io.RawIOBase):
    """Uploads full blocks; readers see the blob only once it is finished.

    Azure drops the blocks of an unfinished blob after a week.
    """

    def __init__(self, blob: "BlobClient", call: AzureCall) -> None:
        super().__init__()
        self._blob = blob
        self._call = call
        self._buffer = bytearray()
        self._blocks: list[str] = []
        self._size = 0

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, chunk: Buffer, /) -> int:
        view = memoryview(chunk)
        self._buffer += view
        self._size += view.nbytes
        if len(self._buffer) >= BLOCK_BYTES:
            self._send()
        return view.nbytes

    @override
    def tell(self) -> int:
        return self._size

    def finish(self) -> None:
        """As `NewObject` says."""
        if not self._blocks:
            content = bytes(self._buffer)
            self._call("write", lambda: self._blob.upload_blob(content, overwrite=True))
            return
        if self._buffer:
            self._send()
        from azure.storage.blob import BlobBlock

        blocks = [BlobBlock(block) for block in self._blocks]
        self._call("write", lambda: self._blob.commit_block_list(blocks))

    def discard(self) -> None:
        """As `NewObject` says."""
        self._buffer.clear()

    def _send(self) -> None:
        block, content = f"{len(self._blocks):08}", bytes(self._buffer)
        self._call("write", lambda: self._blob.stage_block(block, content))
        self._blocks.append(block)
        self._buffer.clear()
