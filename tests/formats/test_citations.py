"""Citations in ChatGPT's texts become numbered links where they are read."""

from typing import Any

import pytest

from chatdb.formats.citations import with_links
from chatdb.records import Message
from tests.operations.export_rows import message

OPEN, PART, CLOSE = "\ue200", "\ue202", "\ue201"
ROME = "https://example.org/rome"
OSTIA = "https://example.org/ostia"


def mark(kind: str, *parts: str) -> str:
    return OPEN + PART.join((kind, *parts)) + CLOSE


def said(content: str, **metadata: Any) -> Message:
    return message(1, content, role="assistant", metadata={"metadata": metadata})


def page(url: str, pointer: int | None = None, **fields: Any) -> dict[str, Any]:
    ref = {"turn_index": 0, "ref_type": "search", "ref_index": pointer}
    return {"title": "A page", "url": url, "ref_id": ref, "refs": [ref], **fields}


def test_a_mark_becomes_the_links_that_its_reference_names() -> None:
    cited = mark("cite", "turn0search1", "turn0search2")
    reference = {"matched_text": cited, "items": [page(ROME), page(OSTIA)]}

    text = with_links(said(f"Old. {cited} Older.", content_references=[reference]))

    assert text == f"Old. [[1]]({ROME}) [[2]]({OSTIA}) Older."


def test_the_same_address_has_one_number_in_a_message() -> None:
    one, both = mark("cite", "turn0search1"), mark("cite", "turn0search2", "turn0search1")
    groups = [{"domain": "example.org", "entries": [page(ROME, 1), page(OSTIA, 2)]}]

    text = with_links(said(f"a{one} b{both}", search_result_groups=groups))

    assert text == f"a[[1]]({ROME}) b[[2]]({OSTIA}) [[1]]({ROME})"


def test_pointers_are_found_in_the_items_of_any_reference() -> None:
    reference = {"matched_text": "elsewhere", "items": [page(ROME, 4)]}

    text = with_links(said(f"a{mark('cite', 'turn0search4')}", content_references=[reference]))

    assert text == f"a[[1]]({ROME})"


def test_an_address_stands_once_in_a_mark() -> None:
    cited = mark("cite", "turn0search1", "turn0search2")
    reference = {"matched_text": cited, "url": ROME, "items": [page(ROME), page(ROME)]}

    assert with_links(said(cited, content_references=[reference])) == f"[[1]]({ROME})"


def test_supporting_pages_are_linked_too() -> None:
    cited = mark("cite", "turn0search1")
    item = page(ROME, supporting_websites=[page(OSTIA)])

    text = with_links(said(cited, content_references=[{"matched_text": cited, "items": [item]}]))

    assert text == f"[[1]]({ROME}) [[2]]({OSTIA})"


@pytest.mark.parametrize(
    "about",
    [
        {"start_ix": 5, "end_ix": 15, "metadata": {"url": ROME}},
        {"metadata": {"url": ROME, "extra": {"cited_message_idx": 8}}},
    ],
    ids=["by place", "by number"],
)
def test_a_source_in_brackets_is_found(about: dict[str, Any]) -> None:
    text = with_links(said("Old. 【8†source】 Older.", citations=[about]))

    assert text == f"Old. [[1]]({ROME}) Older."


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("plain", "plain"),
        ("Größe 【in brackets】", "Größe 【in brackets】"),
        ("a【8†source】", "a【8†source】"),
        (f"a{mark('cite', 'turn0search1')}.", "a."),
        ("in " + mark("entity", '["city","Rome","Italy"]') + ".", "in Rome."),
        (f"in {mark('entity', 'broken')}.", "in ."),
        (f"see {mark('url', 'the *page*', ROME)}", f"see [the \\*page\\*]({ROME})"),
        (f"see {mark('url', 'the page', 'turn0search1')}", "see the page"),
        ("\ue203marked words\ue204", "marked words"),
        (f"cut {OPEN}cite{PART}turn0", "cut "),
    ],
)
def test_what_is_not_known_loses_its_marks_and_no_words(content: str, shown: str) -> None:
    assert with_links(said(content)) == shown


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://example.org/a b(c)>[d]", "[[1]](https://example.org/a%20b%28c%29%3E%5Bd%5D)"),
        ("https://example.org/%20", "[[1]](https://example.org/%20)"),
        ("https://example.org/\x1b]8;;x", "[[1]](https://example.org/%1B%5D8;;x)"),
        ("http://[::1]:80/[x]", "[[1]](http://[::1]:80/%5Bx%5D)"),
        ("http://[x](y)/", "[[1]](http://%5Bx%5D%28y%29/)"),
        ("https://example.org/é", "[[1]](https://example.org/%C3%A9)"),
        ("https://example.org/\ud800", "[[1]](https://example.org/?)"),
        ("javascript:alert(1)", ""),
        (7, ""),
    ],
)
def test_an_address_can_neither_leave_its_link_nor_run(url: Any, linked: str) -> None:
    cited = mark("cite", "turn0search1")
    references = [{"matched_text": cited, "items": [page(url)]}]

    assert with_links(said(cited, content_references=references)) == linked


@pytest.mark.parametrize(
    "metadata",
    [
        {"content_references": None, "citations": {}, "search_result_groups": "no"},
        {"content_references": [None, {"matched_text": 1, "items": [2], "refs": 3}]},
        {"content_references": [{"items": [{"refs": [{}]}]}], "citations": [{"metadata": []}, 1]},
        {"citations": [{"start_ix": "a", "metadata": {"url": ROME, "extra": 1}}]},
        {"search_result_groups": [{"entries": [{"ref_id": 1, "url": ROME}]}]},
    ],
)
def test_odd_metadata_breaks_nothing(metadata: dict[str, Any]) -> None:
    assert with_links(said(f"a{mark('cite', 'turn0search1')}", **metadata)) == "a"
    assert with_links(message(1, f"a{mark('cite')}", metadata={"metadata": 7})) == "a"
