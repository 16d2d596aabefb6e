"""From gzipped files to whole lines: all of a file, or none of it."""

import gzip
import random
import zlib
from typing import Any

import pytest

from novade_pipeline.errors import TransientFailure
from novade_pipeline.json_rows.compiled.padding import PADDING
from novade_pipeline.landing import chunks
from novade_pipeline.landing.chunks import Chunk, damaged, read_chunks
from novade_pipeline.landing.files import DamagedFile, LandedFile, list_files
from novade_pipeline.storage import azure as azure_storage

Shop = Any
GOOD = gzip.compress(b"one\ntwo\n", mtime=0)
MARK = b"\xef\xbb\xbf"
MARKED = gzip.compress(MARK + b"one\ntwo\n", mtime=0)
NUMBERED = [b"%d" % n for n in range(3000)]
# An extra field, the name and a comment.
FIELDS = b"\x1f\x8b\x08" + bytes([4 + 8 + 16]) + bytes(6) + b"\5\0extrafile.json\0comment\0"
RANDOM = random.Random(7).randbytes(3 * 2**20)


def _listed(shop: Shop) -> list[LandedFile]:
    return list_files(shop.landing, ["shop/plays/"], shop.source.hour_of)


def _read(shop: Shop) -> list[Chunk]:
    return list(read_chunks(shop.landing, _listed(shop)))


def _lines(all_chunks: list[Chunk]) -> list[tuple[str, int, bytes]]:
    """(file, number, line) of every line, by the file slices."""
    numbered_lines = []
    for chunk in all_chunks:
        *lines, behind = chunk.text[: chunk.size].tobytes().split(b"\n")
        assert (len(lines), behind) == (chunk.lines, b"")
        for file_slice in chunk.slices:
            numbered = enumerate(lines[: file_slice.lines], file_slice.first_line)
            numbered_lines += [(file_slice.file.name, number, line) for number, line in numbered]
            lines = lines[file_slice.lines :]
    return numbered_lines


CONTENTS = {
    "lines": (GOOD, [b"one", b"two"]),
    "no newline at the end": (gzip.compress(b"one\ntwo"), [b"one", b"two"]),
    "one line without a newline": (gzip.compress(b"one"), [b"one"]),
    "blank lines": (gzip.compress(b"\n\none\n\n"), [b"", b"", b"one", b""]),
    "empty": (gzip.compress(b""), []),
    "byte order mark": (gzip.compress(b"\xef\xbb\xbfone\ntwo\n"), [b"one", b"two"]),
    "byte order mark alone": (gzip.compress(b"\xef\xbb\xbf"), []),
    "byte order mark and newline": (gzip.compress(b"\xef\xbb\xbf\n"), [b""]),
    "byte order mark, no newline": (gzip.compress(b"\xef\xbb\xbfone"), [b"one"]),
    "windows line ends": (gzip.compress(b"one\r\ntwo\r\n"), [b"one\r", b"two\r"]),
    "two members": (GOOD + GOOD, [b"one", b"two", b"one", b"two"]),
    "a line across members": (gzip.compress(b"on") + gzip.compress(b"e\ntwo"), [b"one", b"two"]),
    "an empty member between": (GOOD + gzip.compress(b"") + GOOD, [b"one", b"two"] * 2),
    "zeros at the end": (GOOD + b"\0" * 700, [b"one", b"two"]),
    "zeros between members": (GOOD + b"\0" * 9 + GOOD, [b"one", b"two"] * 2),
    "marks at the members": (MARKED + MARKED, [b"one", b"two"] * 2),
    "a mark behind an empty member": (gzip.compress(b"") + MARKED, [b"one", b"two"]),
    "a mark behind a line that is open": (gzip.compress(b"one") + MARKED, [b"one", b"one", b"two"]),
    "a mark alone between members": (GOOD + gzip.compress(MARK) + GOOD, [b"one", b"two"] * 2),
    "half a mark": (
        GOOD + gzip.compress(MARK[:2]) + GOOD,
        [b"one", b"two", MARK[:2] + b"one", b"two"],
    ),
    "a mark that is no member's first": (gzip.compress(b"one" + MARK), [b"one" + MARK]),
    "headers with all fields": (FIELDS + GOOD[10:] + FIELDS + GOOD[10:], [b"one", b"two"] * 2),
    "a member a line": (b"".join(gzip.compress(b"%d\n" % n) for n in range(3000)), NUMBERED),
}


@pytest.mark.parametrize(("content", "lines"), CONTENTS.values(), ids=CONTENTS)
def test_a_good_file_is_read_to_its_last_line(
    content: bytes, lines: list[bytes], shop: Shop
) -> None:
    shop.upload(shop.name(0), content)
    all_chunks = _read(shop)
    assert _lines(all_chunks) == [
        (shop.name(0), number, line) for number, line in enumerate(lines, 1)
    ]


LONG = gzip.compress(RANDOM, mtime=0)
BAD = {
    "ends early": (GOOD[:-9], "gzip ends early"),
    "ends in the check sum": (GOOD[:-3], "gzip ends early"),
    "ends in the second member": (GOOD + GOOD[:12], "gzip ends early"),
    "ends in the header": (GOOD[:5], "gzip ends early"),
    "ends late in a long file": (LONG[:-100_000], "gzip ends early"),
    "nothing at all": (b"", "gzip ends early"),
    "plain text": (b'{"uuid":"a"}\n', "not gzip"),
    "another compression": (zlib.compress(b"one\n"), "not gzip"),
    "another method behind it": (GOOD + b"\x1f\x8bgarbage and more", "gzip is damaged"),
    "ends in the second magic number": (GOOD + b"\x1f", "gzip ends early"),
    "ends behind the second magic number": (GOOD + b"\x1f\x8b", "gzip ends early"),
    "ends in the second check sum": (GOOD + GOOD[:-1], "gzip ends early"),
    "one byte": (b"\x1f", "gzip ends early"),
    "zeros alone": (bytes(64), "not gzip"),
    "zeros before it": (bytes(4) + GOOD, "not gzip"),
    "wrong check sum": (GOOD[:-8] + b"\1\2\3\4" + GOOD[-4:], "gzip is damaged"),
    "wrong length": (GOOD[:-4] + b"\7\0\0\0", "gzip is damaged"),
    "a flipped bit in a long file": (
        LONG[:2_000_000] + bytes([LONG[2_000_000] ^ 64]) + LONG[2_000_001:],
        "gzip is damaged",
    ),
}


@pytest.mark.parametrize(("content", "reason"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_whole_with_its_reason(
    content: bytes, reason: str, shop: Shop
) -> None:
    shop.land(shop.name(0), b"good")
    shop.upload(shop.name(1), content)
    with pytest.raises(DamagedFile, match=reason) as raised:
        _read(shop)
    assert raised.value.file.name == shop.name(1)


TRAILING = {
    "none": (GOOD, 0),
    "zeros": (GOOD + bytes(700), 0),
    "text": (GOOD + b"and more than a header", 22),
    "a newline": (GOOD + b"\n", 1),
    "a boundary of a form": (GOOD + b"\r\n------WebKitFormBoundary--\r\n", 30),
    "zeros and text": (GOOD + bytes(9) + b"abc", 3),
    "the magic number's first byte and others": (GOOD + b"\x1fabc", 4),
    "behind the second member": (GOOD + GOOD + b"text", 4),
    "another stream behind text": (GOOD + b"text" + GOOD, 4 + len(GOOD)),
    "more than is read at once": (GOOD + b"x" * 2**20, 2**20),
}


@pytest.mark.parametrize(("content", "size"), TRAILING.values(), ids=TRAILING)
def test_bytes_behind_a_good_stream_are_counted_and_nothing_else(
    content: bytes, size: int, shop: Shop
) -> None:
    shop.land(shop.name(0), b"first")
    shop.upload(shop.name(1), content)
    shop.land(shop.name(2), b"last")
    all_chunks = _read(shop)
    by_zcat = _by_zcat(content)
    assert [line for name, _, line in _lines(all_chunks) if name == shop.name(1)] == by_zcat
    slices = [file_slice for chunk in all_chunks for file_slice in chunk.slices]
    assert [file_slice.trailing_bytes for file_slice in slices] == [0, size, 0]


def _by_zcat(content: bytes) -> list[bytes]:
    """The lines that `zcat` gives, which knows members by their first bytes alone."""
    lines: list[bytes] = []
    while content.startswith(GOOD):
        content = content.removeprefix(GOOD)
        lines += [b"one", b"two"]
    return lines


@pytest.mark.parametrize("chunk_bytes", [1, 10_000])
def test_only_the_last_piece_of_a_file_says_what_follows_it(
    chunk_bytes: int, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(chunks, "_TEXT_BYTES", 4)
    shop.upload(shop.name(0), gzip.compress(b"1\n2\n3\n4\n5\n") + b"text")
    slices = [file_slice for chunk in _read(shop) for file_slice in chunk.slices]
    assert [file_slice.trailing_bytes for file_slice in slices] == [0] * (len(slices) - 1) + [4]


def test_all_damaged_files_are_named_at_once(shop: Shop) -> None:
    for hour, content in enumerate([GOOD, b"text", GOOD[:-1], GOOD]):
        shop.upload(shop.name(hour), content)
    reasons = damaged(shop.landing, _listed(shop))
    assert {name.rsplit("/", 1)[-1]: reason.split(" (")[0] for name, reason in reasons.items()} == {
        shop.name(1): "not gzip",
        shop.name(2): "gzip ends early",
    }


@pytest.mark.parametrize("chunk_bytes", [10_000, 1])
def test_a_damaged_file_is_left_out_unless_a_chunk_has_its_first_lines(
    chunk_bytes: int, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", chunk_bytes)
    for hour, content in enumerate([GOOD, b"text", GOOD, GOOD[:-1], GOOD]):
        shop.upload(shop.name(hour), content)
    left_out: list[str] = []
    read = read_chunks(
        shop.landing, _listed(shop), lambda damage: left_out.append(damage.file.name)
    )
    if chunk_bytes == 1:
        with pytest.raises(DamagedFile, match="gzip ends early"):
            list(read)
        assert left_out == [shop.name(1)]
        return
    assert [(name, line) for name, _, line in _lines(list(read))] == [
        (shop.name(hour), line) for hour in (0, 2, 4) for line in (b"one", b"two")
    ]
    assert left_out == [shop.name(1), shop.name(3)]


def test_small_files_share_a_chunk(shop: Shop) -> None:
    for part in range(3):
        shop.upload(shop.name(0, part), GOOD)
    (chunk,) = _read(shop)
    assert [part.file.name for part in chunk.slices] == [shop.name(0, part) for part in range(3)]
    assert chunk.lines == 6


@pytest.mark.parametrize("chunk_bytes", [1, 7, 40, 10_000])
def test_a_large_file_has_several_chunks_of_whole_lines(
    chunk_bytes: int, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [b"%d" % (n**5) for n in range(60)]
    monkeypatch.setattr(chunks, "CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(chunks, "_TEXT_BYTES", 13)
    for hour in range(2):
        shop.land(shop.name(hour), *lines)
    all_chunks = _read(shop)
    assert _lines(all_chunks) == [
        (shop.name(hour), number, line) for hour in range(2) for number, line in enumerate(lines, 1)
    ]
    assert (len(all_chunks) > 1) == (chunk_bytes < 10_000)


@pytest.mark.parametrize("more", range(0, 40, 3))
def test_chunks_that_nobody_holds_give_their_memory_to_others(
    more: int, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 512)
    monkeypatch.setattr(chunks, "_TEXT_BYTES", 64)
    shop.land(shop.name(0), *[b"x" * (20 + n % (20 + more)) for n in range(500)])
    places, lines = set(), 0
    for chunk in read_chunks(shop.landing, _listed(shop)):
        places.add(chunk.text.ctypes.data)
        lines += chunk.lines
        assert len(chunk.text) == 512 + 2 * 64 + PADDING
    assert lines == 500
    # One is being filled meanwhile.
    assert len(places) == 2


def test_one_line_of_12_mb_is_one_line(shop: Shop) -> None:
    long = b"x" * (12 * 2**20)
    shop.land(shop.name(0), b"one", long, b"two")
    assert _lines(_read(shop)) == [
        (shop.name(0), 1, b"one"),
        (shop.name(0), 2, long),
        (shop.name(0), 3, b"two"),
    ]


def test_an_endless_line_is_refused_before_it_fills_the_memory(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_LINE_BYTES", 2**20)
    monkeypatch.setattr(chunks, "_TEXT_BYTES", 2**18)
    shop.land(shop.name(0), b"one", b"x" * (3 * 2**20))
    with pytest.raises(DamagedFile, match="at most 1 MiB, found that line 2 is longer"):
        _read(shop)


def test_a_file_that_is_exported_anew_after_the_listing_is_a_failure_that_passes(
    shop: Shop,
) -> None:
    shop.land(shop.name(0), b"one")
    listed = _listed(shop)
    shop.land(shop.name(0), b"two")
    with pytest.raises(TransientFailure, match="changed while it was read"):
        list(read_chunks(shop.landing, listed))


def test_a_file_that_changes_while_it_is_read_is_a_failure_that_passes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1)
    monkeypatch.setattr(chunks, "_TEXT_BYTES", 8)
    # Of a file that is fetched at once, all is of the version that was listed.
    monkeypatch.setattr(azure_storage, "READ_BYTES", 2**17)
    shop.land(shop.name(0), *RANDOM[: 2**19].split(b"\n"))
    stream = read_chunks(shop.landing, _listed(shop))
    next(stream)
    shop.land(shop.name(0), b"another")
    with pytest.raises(TransientFailure, match="changed while it was read"):
        list(stream)


def test_a_file_that_is_gone_by_the_time_of_reading_is_a_failure_that_passes(shop: Shop) -> None:
    shop.land(shop.name(0), b"one")
    listed = _listed(shop)
    shop.remove(shop.name(0))
    with pytest.raises(TransientFailure, match="changed while it was read"):
        list(read_chunks(shop.landing, listed))
