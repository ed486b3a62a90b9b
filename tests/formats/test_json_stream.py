"""Cutting JSON into its top-level values, whatever the windows and whatever is broken."""

import io
import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatdb.formats.files import json_seams, json_stream
from chatdb.formats.files.json_stream import Broken, Element, JsonStream

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
WINDOWS = st.integers(1, 64)


def cut(data: bytes, *, window: int = 1 << 20) -> tuple[JsonStream, list[Element | Broken]]:
    """Cut the data, and once more with guesses, which must come to the same."""
    stream = JsonStream(io.BytesIO(data), window=window)
    items = list(stream)
    guessing = JsonStream(io.BytesIO(data), window=window, decode=msgspec.json.decode)
    guessed = list(guessing)
    assert [
        replace(item, value=None) if isinstance(item, Element) else item for item in guessed
    ] == items
    for item in guessed:
        if isinstance(item, Element) and item.value is not None:
            assert item.value == (msgspec.json.decode(item.data),)
    assert (guessing.layout, guessing.outer_fields) == (stream.layout, stream.outer_fields)
    return stream, items


def values(items: list[Element | Broken]) -> list[Any]:
    assert all(isinstance(item, Element) for item in items), items
    return [json.loads(item.data) for item in items if isinstance(item, Element)]


def same(left: Any, right: Any) -> bool:
    """Compare with NaN equal to itself."""
    return json.dumps(left) == json.dumps(right)


@settings(max_examples=60, deadline=None)
@given(JSON.map(lambda value: [value] * 3) | st.lists(JSON), WINDOWS, st.booleans())
def test_a_list_is_cut_as_json_reads_it(value: list[Any], window: int, ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, indent=window % 3 or None)

    stream, items = cut(data.encode("utf-8", "surrogatepass"), window=window)

    assert stream.layout == "list"
    assert same(values(items), value)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.text(), JSON), min_size=1), WINDOWS, st.sampled_from("\n \t"))
def test_values_one_after_another_are_cut(value: list[Any], window: int, between: str) -> None:
    data = between.join(json.dumps(item) for item in value)

    stream, items = cut(data.encode(), window=window)

    assert stream.layout == "objects"
    assert same(values(items), value)


@settings(max_examples=40, deadline=None)
@given(st.lists(JSON), WINDOWS)
def test_offsets_name_the_bytes_of_the_stream(value: list[Any], window: int) -> None:
    data = json.dumps(value).encode()

    for item in cut(data, window=window)[1]:
        assert isinstance(item, Element)
        assert data[item.offset : item.offset + len(item.data)] == item.data


@settings(max_examples=60, deadline=None)
@given(st.lists(JSON, min_size=1, max_size=5), st.data(), WINDOWS)
def test_a_cut_list_gives_everything_before_the_cut(
    value: list[Any], data: st.DataObject, window: int
) -> None:
    text = json.dumps(value).encode()
    end = data.draw(st.integers(1, len(text) - 1))

    _, items = cut(text[:end], window=window)

    complete = [item for item in items if isinstance(item, Element)]
    assert isinstance(items[-1], Broken) == (len(items) != len(complete))
    assert isinstance(items[-1], Broken)
    assert items[-1].offset <= end
    whole = [json.loads(item.data) for item in complete[:-1]]
    assert same(whole, value[: len(whole)])


@pytest.mark.parametrize("calibration", [None, json_stream._CALIBRATION])
def test_the_slow_way_cuts_like_the_fast_one(
    calibration: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "_CALIBRATION", calibration)
    value = [{"a\\": '\\"]}'}, [], {}, [[["x"]]], "s\\\\", 1.5, None, {"b": {"c": {"d": [{}]}}}]

    for window in range(1, 60):
        assert values(cut(json.dumps(value).encode(), window=window)[1]) == value


@pytest.mark.parametrize("number", [1, 97, 98, 99, 100, 1_000, 10_000])
@pytest.mark.parametrize("inner", [{"a": "x", "b": []}, {"a": {"b": {"c": "]"}}}, "s", 5, [[1]]])
def test_a_value_that_ends_with_the_file_is_whole_however_much_is_in_it(
    number: int, inner: object
) -> None:
    value = {"id": "a", "items": [inner] * number, "z": "end"}

    _, items = cut(json.dumps(value).encode())

    assert values(items) == [value]


def test_msgspec_still_tells_where_trailing_characters_are() -> None:
    """Without it reading is several times slower: a change of msgspec must not go unnoticed."""
    assert json_stream._CALIBRATION is not None
    assert json_stream._end_in(b'{"a": [1, 2]} , 3', 0) in (13, 14)


def test_an_object_around_the_list_is_opened_and_its_other_fields_named() -> None:
    data = b'{"version": 1, "user": {"a": []}, "conversations": [{"x": 1}, 2], "projects": []}'

    stream, items = cut(data)

    assert stream.layout == "wrapped"
    assert values(items) == [{"x": 1}, 2]
    assert stream.outer_fields == ["version", "user", "projects"]


@pytest.mark.parametrize("data", [b"", b" \n", b"hello", b"\x89PNG", b"<html>", b"42"])
def test_what_is_no_json_text_has_no_values(data: bytes) -> None:
    stream, items = cut(data)

    assert stream.layout == "other"
    assert items == []


@pytest.mark.parametrize("odd", [b'"\\ud800"', b"NaN", b"[1e400]", b'{"a": -Infinity}', b"{nope}"])
def test_an_odd_value_is_cut_out_whole(odd: bytes) -> None:
    for window in (1, 7, 1 << 20):
        items = cut(b'[{"a": 1}, ' + odd + b' , {"b": 2}]', window=window)[1]

        assert [item.data.strip() for item in items if isinstance(item, Element)] == [
            b'{"a": 1}',
            odd,
            b'{"b": 2}',
        ]


def test_a_stray_bracket_is_named_and_the_rest_read() -> None:
    items = cut(b'[{"a": 1}}, {"b": 2}, {"c": 3}]')[1]

    assert [item.data for item in items if isinstance(item, Element)] == [
        b'{"a": 1}',
        b'{"b": 2}',
        b'{"c": 3}',
    ]
    assert any(isinstance(item, Broken) and item.offset == 9 for item in items)


def test_what_follows_the_list_is_named() -> None:
    items = cut(b"[1] [2]")[1]

    assert isinstance(items[-1], Broken)
    assert items[-1].offset == 4


@pytest.mark.parametrize("data", [b"[[" * 100_000, b"[" + b'{"a":' * 100_000 + b"1"])
def test_deep_nesting_does_not_overflow(data: bytes) -> None:
    assert isinstance(cut(data)[1][-1], Broken)


def test_a_string_of_escapes_longer_than_many_windows_is_one_value() -> None:
    text = '\\"{[' * 50_000

    for window in (1000, 4096):
        items = cut(json.dumps([text, "\ud800" + text]).encode(), window=window)[1]

        assert [json.loads(item.data) for item in items if isinstance(item, Element)] == [
            text,
            "\ud800" + text,
        ]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60).map(lambda data: b"[" + data), WINDOWS)
def test_no_bytes_whatever_raise_or_hang(data: bytes, window: int) -> None:
    for item in cut(data, window=window)[1]:
        assert isinstance(item, Element | Broken)
        if isinstance(item, Element):
            assert item.data == data[item.offset : item.offset + len(item.data)] != b""


def guessed(records: list[Any], *, between: str = ", ") -> list[bool]:
    """Tell of each record whether its end was guessed."""
    data = "[" + between.join(json.dumps(record) for record in records) + "]"
    items = list(JsonStream(io.BytesIO(data.encode()), decode=msgspec.json.decode))
    assert values(items) == records
    return [isinstance(item, Element) and item.value is not None for item in items]


@pytest.mark.parametrize("between", [",", ", ", ",\n  "])
def test_objects_that_begin_alike_are_decoded_as_they_are_cut(between: str) -> None:
    records = [{"title": str(number), "text": '"}, {\\"title\\": '} for number in range(5)]

    assert guessed(records, between=between) == [False, True, True, True, False]


def test_objects_inside_that_look_like_the_next_one_do_not_mislead() -> None:
    plain = {"title": "a", "inner": []}
    misleading = {"title": "b", "inner": [{"title": "x"}, {"title": "y"}, {"title": "z"}]}

    assert guessed([plain, misleading, plain, plain]) == [False, False, True, False]


def test_guessing_ends_where_it_is_mostly_wrong() -> None:
    misleading = {"title": "b", "inner": [{"title": "x"}, {"title": "y"}]}
    plain = {"title": "a"}

    assert not any(guessed([*[misleading] * (json_seams.MOST_MISSES + 1), plain, plain]))
