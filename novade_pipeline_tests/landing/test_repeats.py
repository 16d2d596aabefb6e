"""Which row of a key stands: the first within its window."""

import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novade_pipeline.lake.table import Table
from novade_pipeline.landing import repeats as repeating
from novade_pipeline.landing.repeats import Repeats, hashes_of
from novade_pipeline.landing.source import Source
from novade_pipeline.landing.tables import LandedRow

HourOf = Callable[[int], datetime]
Key = tuple[int, str]


def _first(table: Table, hour: HourOf, *batches: list[Key]) -> list[bool]:
    repeats = Repeats(table)
    stands: list[bool] = []
    for keys in batches:
        rows = [{"upload_hour": hour(h), "uuid": key} for h, key in keys]
        part = pa.Table.from_pylist(
            rows, schema=pa.schema([table.schema.field(n) for n in ("upload_hour", "uuid")])
        )
        mask = repeats.first(part)
        stands += [True] * len(keys) if mask is None else np.asarray(mask).tolist()
    return stands


def _first_slowly(keys: list[Key]) -> list[bool]:
    return [key not in keys[:number] for number, key in enumerate(keys)]


CASES: dict[str, tuple[list[list[Key]], list[bool]]] = {
    "no repeat": ([[(0, "a"), (0, "b")]], [True, True]),
    "in a batch": ([[(0, "a"), (0, "a")]], [True, False]),
    "across batches": ([[(0, "a")], [(0, "a"), (0, "b")]], [True, False, True]),
    "across three": ([[(0, "a")], [(0, "b")], [(0, "a")]], [True, True, False]),
    "another hour": ([[(0, "a"), (1, "a")]], [True, True]),
    "another hour, another batch": ([[(0, "a")], [(1, "a")]], [True, True]),
    "the hour goes on": ([[(0, "a"), (1, "a")], [(1, "a"), (2, "a")]], [True, True, False, True]),
    "an empty batch between": ([[(0, "a")], [], [(0, "a")]], [True, False]),
}


@pytest.mark.parametrize(("batches", "stands"), CASES.values(), ids=CASES)
def test_the_first_of_an_hour_stands(
    batches: list[list[Key]], stands: list[bool], table: Table, hour: HourOf
) -> None:
    assert _first(table, hour, *batches) == stands


@given(
    keys=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcd")), max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
@settings(max_examples=60)
def test_where_batches_are_cut_makes_no_difference(
    keys: list[Key], cuts: list[int], table: Table, hour: HourOf
) -> None:
    ordered = sorted(keys, key=lambda key: key[0])
    at = [0, *sorted(cuts), len(ordered)]
    batches = [ordered[a:b] for a, b in itertools.pairwise(at)]
    assert _first(table, hour, *batches) == _first_slowly(ordered)


def test_keys_that_share_half_of_their_hash_are_two(
    table: Table, hour: HourOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(keys: pa.ChunkedArray) -> Any:
        hashes = hashes_of(keys)
        hashes[0] = 7
        return hashes

    monkeypatch.setattr(repeating, "hashes_of", half)
    assert _first(table, hour, [(0, "a")], [(0, "b")], [(0, "c"), (0, "d")]) == [True] * 4


def test_an_hour_of_many_batches_has_the_same_repeats_as_one_of_few(
    table: Table, hour: HourOf
) -> None:
    chosen = np.random.default_rng(7).integers(0, 4_000, 6_000)
    keys = [(int(at >= 5_000), str(key)) for at, key in enumerate(chosen)]
    batches = [keys[at : at + 50] for at in range(0, len(keys), 50)]
    assert _first(table, hour, *batches) == _first_slowly(keys)


def test_a_batch_of_many_rows_keeps_their_order(table: Table, hour: HourOf) -> None:
    rows = 300_000
    keys = [str(number) for number in range(rows)]
    again = rows - 7
    repeats = Repeats(table)
    first = repeats.first(pa.table({"upload_hour": [hour(0)] * rows, "uuid": keys}))
    keys = [f"new {key}" for key in keys[:again]] + keys[:7]
    mask = repeats.first(pa.table({"upload_hour": [hour(0)] * rows, "uuid": keys}))
    assert first is None
    assert mask is not None
    assert np.flatnonzero(~mask).tolist() == list(range(again, rows))


def test_what_is_remembered_is_in_few_runs(table: Table, hour: HourOf) -> None:
    repeats = Repeats(table)
    for number in range(200):
        repeats.first(pa.table({"upload_hour": [hour(0)] * 5, "uuid": list(f"{number:05}")}))
    sizes = [run.shape[1] for run in repeats._runs]
    assert sum(sizes) == 1_000
    assert all(longer >= 2 * shorter for longer, shorter in itertools.pairwise(sizes))


def test_only_the_newest_hour_is_remembered(table: Table, hour: HourOf) -> None:
    repeats = Repeats(table)
    for number in range(5):
        rows = {"upload_hour": [hour(number)] * 3, "uuid": ["a", "b", "c"]}
        repeats.first(pa.table(rows))
    assert sum(run.shape[1] for run in repeats._runs) == 3


def test_a_table_that_is_keyed_by_place_has_no_repeats(source: Source, hour: HourOf) -> None:
    class Row(LandedRow):
        """A row."""

    by_place = Table(
        name="shop/rows",
        row=Row,
        key=("upload_hour", "file", "line"),
        write_mode="replace_window",
        window="upload_hour",
    )
    rows: Any = pa.table({"upload_hour": [hour(0)] * 2, "file": ["a"] * 2, "line": [1, 1]})
    assert Repeats(by_place).first(rows) is None


# From the reference implementation's own tools; all others agree.
KNOWN = {
    "": "00000000000000000000000000000000",
    "hello": "cbd8a7b341bd9b025b1e906a48ae1d19",
    "The quick brown fox jumps over the lazy dog": "e34bbc7bbc071b6c7a433ca9c49a9347",
}


@pytest.mark.parametrize(("key", "digits"), KNOWN.items())
def test_keys_are_hashed_as_others_hash_them(key: str, digits: str) -> None:
    low, high = hashes_of(pa.chunked_array([["before", key, "behind"]]))[:, 1]
    assert f"{low:016x}{high:016x}" == digits


@given(st.lists(st.text(max_size=50), max_size=8), st.integers(0, 8))
def test_every_byte_of_a_key_counts_and_where_it_stands_does_not(
    keys: list[str], skipped: int
) -> None:
    column = pa.chunked_array([keys, keys], pa.string()).slice(skipped)
    hashes = [f"{low:016x}{high:016x}" for low, high in hashes_of(column).T.tolist()]
    assert hashes == [_hash(key.encode()) for key in (keys + keys)[skipped:]]


def _hash(key: bytes) -> str:
    """MurmurHash3 in Python's numbers, which have no end."""
    c1, c2, all_bits = 0x87C37B91114253D5, 0x4CF5AD432745937F, 2**64 - 1

    def rotated(word: int, by: int) -> int:
        return (word << by | word >> (64 - by)) & all_bits

    def stirred(word: int, first: int, by: int, second: int) -> int:
        return rotated(word * first & all_bits, by) * second & all_bits

    def mixed(word: int) -> int:
        word = (word ^ word >> 33) * 0xFF51AFD7ED558CCD & all_bits
        word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53 & all_bits
        return word ^ word >> 33

    low = high = 0
    for at in range(0, len(key), 16):
        first, second = key[at : at + 8], key[at + 8 : at + 16]
        low ^= stirred(int.from_bytes(first, "little"), c1, 31, c2)
        if len(second) == 8:
            low = (rotated(low, 27) + high) * 5 + 0x52DCE729 & all_bits
        high ^= stirred(int.from_bytes(second, "little"), c2, 33, c1)
        if len(second) == 8:
            high = (rotated(high, 31) + low) * 5 + 0x38495AB5 & all_bits
    low, high = low ^ len(key), high ^ len(key)
    low = low + high & all_bits
    high = high + low & all_bits
    low, high = mixed(low), mixed(high)
    low = low + high & all_bits
    return f"{low:016x}{high + low & all_bits:016x}"
