"""The ids of the Salesforce organisation: checksums, and blocks of them."""

import pytest

from novade_pipeline.sandbox.salesforce.ids import (
    BLOCK,
    block_of_ids,
    case_safe,
    number_of,
    record_id,
)


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        # The first is Salesforce's own example.
        ("001A0000006Vm9r", "001A0000006Vm9rIAC"),
        ("0014000000aBcDe", "0014000000aBcDeAAK"),
        ("000000000000000", "000000000000000AAA"),
        ("ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNO555"),
    ],
)
def test_the_checksum_of_an_id_tells_its_capitals(short: str, whole: str) -> None:
    assert case_safe(short) == whole


def test_an_id_of_another_length_has_no_checksum() -> None:
    with pytest.raises(ValueError, match="15 characters before its checksum, not 4"):
        case_safe("001A")


def test_ids_count_and_are_made_in_blocks_alike() -> None:
    ids = [record_id("003", number) for number in range(2 * BLOCK)]
    assert ids == sorted(ids)
    assert ids == block_of_ids("003", 0) + block_of_ids("003", 1)
    assert [number_of(id_) for id_ in ids[::777]] == list(range(0, 2 * BLOCK, 777))
