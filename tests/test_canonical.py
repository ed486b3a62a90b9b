"""The one form of JSON and text: stable under JSONB, storable in both databases."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl
from chatdb.primitives import canonical

any_text = st.text(st.characters(codec=None))
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=20,
)


@given(any_json)
def test_a_cleaned_value_is_clean_and_its_encoding_decodes_to_the_same_bytes(value: Any) -> None:
    cleaned, _ = canonical.clean(value)
    encoded = canonical.encode(cleaned)

    assert canonical.clean(cleaned) == (cleaned, 0)
    assert canonical.encode(canonical.decode(encoded)) == encoded


@given(any_text)
def test_cleaning_replaces_exactly_what_the_databases_cannot_hold(text: str) -> None:
    cleaned, replaced = canonical.clean_text(text)

    assert canonical.is_clean_text(cleaned)
    cleaned.encode()
    assert cleaned.count("\ufffd") == text.count("\ufffd") + replaced


@pytest.mark.parametrize(
    ("text", "cleaned", "replaced"),
    [
        ("plain \N{PILE OF POO}", "plain \N{PILE OF POO}", 0),
        ("a\x00b", "a\ufffdb", 1),
        ("\ud800x\udc00", "\ufffdx\ufffd", 2),
        ("\ud83d\ude00", "\N{GRINNING FACE}", 0),
        ("\ufffd\x00", "\ufffd\ufffd", 1),
    ],
)
def test_clean_text_counts_what_it_replaced(text: str, cleaned: str, replaced: int) -> None:
    assert canonical.clean_text(text) == (cleaned, replaced)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ({"b": 1, "a": [1.0, 0.5]}, b'{"a":[1.0,0.5],"b":1}'),
        (1e22, b"10000000000000000000000"),
        (-0.0, b"0.0"),
        (1e-7, b"1e-7"),
        (2**70, b"1180591620717411303424"),
        ("\u2028é", '"\u2028é"'.encode()),
    ],
)
def test_canonical_forms(value: Any, encoded: bytes) -> None:
    assert canonical.encode(value) == encoded


def test_decode_reads_what_pythons_json_reads() -> None:
    assert canonical.decode(b'["\\ud800", NaN]')[0] == "\ud800"
    with pytest.raises(ValueError, match="char 3"):
        canonical.decode(b"[1,")


def test_the_digest_does_not_depend_on_order_or_spaces() -> None:
    one = canonical.decode('{"a": 1, "b": [2, 3]}')
    other = canonical.decode('{"b":[2,3],"a":1}')

    assert canonical.digest(one) == canonical.digest(other)
    assert canonical.digest(one) != canonical.digest({"a": 1})


def test_a_value_nested_a_thousand_deep_is_cleaned() -> None:
    value: Any = "\x00"
    for _ in range(5_000):
        value = [value]

    cleaned, replaced = canonical.clean(value)

    assert replaced == 1
    while isinstance(cleaned, list):
        cleaned = cleaned[0]
    assert cleaned == "\ufffd"


@pytest.mark.postgresql
def test_jsonb_gives_back_the_canonical_bytes(empty_postgresql_url: DatabaseUrl) -> None:
    connection = connect_postgresql(empty_postgresql_url)

    @settings(max_examples=200, deadline=None)
    @given(any_json)
    def check(value: Any) -> None:
        encoded = canonical.encode(canonical.clean(value)[0])
        row = connection.execute("SELECT %s::jsonb::text", (encoded.decode(),)).fetchone()
        assert row is not None
        assert canonical.encode(canonical.decode(row[0])) == encoded

    with connection:
        check()


def test_pythons_json_reads_the_canonical_form() -> None:
    value = {"é": [1e300, 1.5, None, True], "z": {"y": "x"}}

    assert json.loads(canonical.encode(value)) == value


@given(st.lists(any_json, max_size=5), st.sampled_from([None, 1]))
def test_many_texts_become_what_each_becomes(values: list[Any], indent: int | None) -> None:
    clean = [canonical.clean(value)[0] for value in values]
    texts = [json.dumps(value, ensure_ascii=False, indent=indent).encode() for value in clean]

    assert canonical.normalise_all(texts) == [canonical.encode(value) for value in clean]


def test_what_is_canonical_stays_as_it_is() -> None:
    values = [{"a": 1, "b": ["é", "1e16", None]}, 12, 1.5, "text\n", [], {}]
    texts = [canonical.encode(value) for value in values]

    assert canonical.normalise_all(texts) == texts


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ('{"b":1,"a":2}', '{"a":2,"b":1}'),
        ('{"a": 1}', '{"a":1}'),
        ("1e16", "10000000000000000"),
        ('{"a":1E2}', '{"a":100.0}'),
        ("-0.0", "0.0"),
        ("1.50", "1.5"),
        ('{"a":\n1}', '{"a":1}'),
        ('{"a":1,"a":2}', '{"a":2}'),
    ],
)
def test_other_forms_become_canonical_among_others(text: str, normal: str) -> None:
    texts = [b'{"z":null}', text.encode(), b"[]"]

    assert canonical.normalise_all(texts) == [b'{"z":null}', normal.encode(), b"[]"]


@pytest.mark.parametrize(
    "texts",
    [
        [""],
        ["1\n2"],
        ["1\n2", ""],
        ['{"a":1}', "nothing"],
        ['{"a":[1', "2]}"],
        ["1,2", '{"a":[1', "2]}"],
    ],
)
def test_what_is_no_json_is_found_among_others(texts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical.normalise_all([text.encode() for text in texts])


@given(any_json)
def test_a_copy_is_equal_and_shares_nothing_that_can_change(value: Any) -> None:
    copy = canonical.copied(value)

    assert repr(copy) == repr(value)
    assert copy is not value or not isinstance(value, list | dict)


def test_a_value_of_any_depth_is_copied() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]

    assert len(canonical.copied(deep)) == 1
