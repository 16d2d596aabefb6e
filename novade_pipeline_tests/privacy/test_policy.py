"""What is marked personal, and what becomes of it."""

import hashlib
import hmac
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novade_pipeline.privacy.policy import Personal, PersonalDataPolicy, masked, protect

HASH = PersonalDataPolicy("hash", b"a key")
DROP = PersonalDataPolicy("drop")
KEEP = PersonalDataPolicy()


def _text(value: str | None, mark: Personal, policy: PersonalDataPolicy) -> str | None:
    rows = pa.table({"x": pa.array([value], pa.string())})
    (found,) = protect(rows, {"x": mark}, policy)["x"].to_pylist()
    assert found is None or isinstance(found, str)
    return found


def _json(value: Any, policy: PersonalDataPolicy, *paths: str) -> Any:
    found = _text(json.dumps(value), Personal(*paths), policy)
    return None if found is None else json.loads(found)


def test_the_hash_is_hmac_sha256() -> None:
    digest = hmac.new(b"a key", "jané".encode(), hashlib.sha256).hexdigest()
    assert HASH.hash("jané") == digest[:32]


def test_equal_values_have_equal_hashes_in_columns_and_documents_alike() -> None:
    name = HASH.hash("jane")
    assert _text("jane", Personal(), HASH) == name
    assert _json({"user": {"id": "jane"}}, HASH, "user.id") == {"user": {"id": name}}
    assert _json({"any": ["jane"]}, HASH, "**") == {"any": [name]}


def test_another_key_makes_another_hash() -> None:
    assert HASH.hash("jane") != PersonalDataPolicy("hash", b"another").hash("jane")


def test_a_fingerprint_tells_policies_and_keys_apart_and_holds_no_key() -> None:
    policies = [KEEP, DROP, HASH, PersonalDataPolicy("hash", b"another")]
    assert len({policy.fingerprint for policy in policies}) == 4
    assert "a key" not in HASH.fingerprint + repr(HASH)


@pytest.mark.parametrize("policy", [KEEP, HASH, DROP])
def test_what_is_not_marked_stays(policy: PersonalDataPolicy) -> None:
    rows = pa.table({"x": ["jane", None], "y": [1, 2]})
    assert protect(rows, {"absent": Personal()}, policy) == rows


def test_keep_keeps() -> None:
    assert _text("jane", Personal(), KEEP) == "jane"


def test_drop_leaves_nothing() -> None:
    assert _text("jane", Personal(), DROP) is None


@pytest.mark.parametrize("policy", [HASH, DROP])
@pytest.mark.parametrize(
    "column",
    [pa.array([1.5]), pa.array([b"x"]), pa.array([7]), pa.array([True]), pa.array([["x"]])],
    ids=str,
)
def test_what_is_no_text_becomes_null_and_keeps_its_type(
    column: pa.Array, policy: PersonalDataPolicy
) -> None:
    found = protect(pa.table({"x": column}), {"x": Personal()}, policy)["x"]
    assert (found.type, found.to_pylist()) == (column.type, [None])


def test_null_stays_null_and_an_empty_text_is_hashed() -> None:
    assert _text(None, Personal(), HASH) is None
    assert _text("", Personal(), HASH) == HASH.hash("")


def test_repeated_values_and_nulls_stay_in_their_places() -> None:
    values = ["a", None, "b", "a", None]
    rows = pa.table({"x": pa.chunked_array([values[:2], values[2:]])})
    found = protect(rows, {"x": Personal()}, HASH)["x"].to_pylist()
    assert found == [None if v is None else HASH.hash(v) for v in values]


NAME = HASH.hash("jane")
DOCUMENTS: dict[str, tuple[Any, tuple[str, ...], Any, Any]] = {
    "a key": ({"email": "jane", "song": 1}, ("email",), {"email": NAME, "song": 1}, {"song": 1}),
    "whatever its case": ({"E-Mail": "jane"}, ("e-mail",), {"E-Mail": NAME}, {}),
    "the mark's case too": ({"email": "jane"}, ("EMAIL",), {"email": NAME}, {}),
    "a path": (
        {"contact": {"phone": "jane", "x": 1}, "phone": "2"},
        ("contact.phone",),
        {"contact": {"phone": NAME, "x": 1}, "phone": "2"},
        {"contact": {"x": 1}, "phone": "2"},
    ),
    "in a list": (
        {"contact": [{"phone": "jane"}, {"x": 1}, 3]},
        ("contact.phone",),
        {"contact": [{"phone": NAME}, {"x": 1}, 3]},
        {"contact": [{}, {"x": 1}, 3]},
    ),
    "a list at the root": ([{"email": "jane"}], ("email",), [{"email": NAME}], [{}]),
    "any key": (
        {"a": {"email": "jane"}, "b": {"email": None}, "email": "x"},
        ("*.email",),
        {"a": {"email": NAME}, "b": {"email": None}, "email": "x"},
        {"a": {}, "b": {}, "email": "x"},
    ),
    "however deep": (
        {"email": "jane", "a": [{"b": {"Email": "jane", "c": 1}}], "d": {"email": {"email": 1}}},
        ("**.email",),
        {
            "email": NAME,
            "a": [{"b": {"Email": NAME, "c": 1}}],
            "d": {"email": HASH.hash('{"email": 1}')},
        },
        {"a": [{"b": {"c": 1}}], "d": {}},
    ),
    "what is under what goes as well": (
        {"address": {"email": "jane"}},
        ("**.email", "**.address"),
        {"address": HASH.hash('{"email": "jane"}')},
        {},
    ),
    "a number": ({"phone": 7}, ("phone",), {"phone": HASH.hash("7")}, {}),
    "an object": (
        {"email": {"b": 1, "a": "x"}},
        ("email",),
        {"email": HASH.hash('{"a": "x", "b": 1}')},
        {},
    ),
    "null": ({"email": None}, ("email",), {"email": None}, {}),
    "not there": ({"song": 1}, ("email", "a.b"), {"song": 1}, {"song": 1}),
    "a text alone": ("jane", ("**",), NAME, None),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_marked_parts_of_a_document_are_hashed_or_go(name: str) -> None:
    value, paths, hashed, dropped = DOCUMENTS[name]
    assert _json(value, HASH, *paths) == hashed
    assert _json(value, DROP, *paths) == dropped


@pytest.mark.parametrize("policy", [HASH, DROP])
def test_everything_means_every_value(policy: PersonalDataPolicy) -> None:
    value = {"a": "jane", "b": [{"c": "jane"}, "jane", ["jane"]], "d": {"e": {"f": "jane"}}}
    found = _text(json.dumps(value), Personal("**"), policy)
    assert "jane" not in (found or "")


@pytest.mark.parametrize("policy", [HASH, DROP])
def test_a_document_that_cannot_be_read_goes(policy: PersonalDataPolicy) -> None:
    assert _text('{"email":', Personal("email"), policy) is None


@pytest.mark.parametrize("depth", [400, 900, 100_000])
@pytest.mark.parametrize("policy", [HASH, DROP])
def test_a_document_that_is_nested_too_deep_goes_or_is_searched(
    policy: PersonalDataPolicy, depth: int
) -> None:
    text = '{"email":"jane","x":' + "[" * depth + '{"email":"jane"}' + "]" * depth + "}"
    for paths in (("email", "*.email"), ("**",), ("**.email",)):
        assert "jane" not in (_text(text, Personal(*paths), policy) or "")


def test_masked_rows_show_nobody() -> None:
    rows = pa.table({"who": ["jane"], "document": ['{"email":"jane","song":1}'], "n": [1]})
    found = masked(rows, {"who": Personal(), "document": Personal("email")})
    assert found.to_pylist() == [{"who": None, "document": '{"song":1}', "n": 1}]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just("jane") | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["email", "Email", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(value=st.dictionaries(st.sampled_from(["email", "a"]), VALUES, max_size=3))
def test_a_marked_key_never_keeps_its_value(value: dict[str, Any]) -> None:
    hashed = _json(value, HASH, "email")
    dropped = _json(value, DROP, "email")
    assert "email" not in dropped
    assert {k: v for k, v in hashed.items() if k != "email"} == dropped
    if value.get("email") is not None:
        told = value["email"]
        text = told if isinstance(told, str) else json.dumps(told, sort_keys=True)
        assert hashed["email"] == HASH.hash(text)


@given(value=VALUES)
def test_hashing_everything_keeps_the_shape_and_no_text(value: Any) -> None:
    found = _json(value, HASH, "**")
    assert "jane" not in json.dumps(found, ensure_ascii=False)
    if isinstance(value, dict):
        assert found.keys() == value.keys()
