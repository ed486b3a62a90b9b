"""HTML of conversations: what a page holds, and that nothing in a text is markup of the page."""

import re
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.formats import registry
from chatdb.formats.attachment_links import LinkedEntry
from chatdb.formats.base import WriteOptions
from chatdb.formats.html.highlighting import highlighted
from chatdb.formats.html.rendering import rendered
from chatdb.formats.markdown_reading import LONGEST
from chatdb.formats.message_body import LONGEST_COLOURED
from chatdb.formats.times import EPOCH
from chatdb.records import Conversation
from tests.operations.export_rows import ODD_TEXTS, ODD_TIMES, conversation, message

HIDDEN = {"chatdb": {"hidden": True}}
VOID = {"meta", "input", "br", "hr", "img"}


class Balanced(HTMLParser):
    """Reads a page, and fails at an end that fits no beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(*records: Conversation, **options: Any) -> str:
    writer = registry.writer("html", WriteOptions(**options))
    parts = [writer.begin(), *map(writer.conversation, records), writer.end()]
    text = writer.separator.join(parts).decode()
    parsed = Balanced()
    parsed.feed(text)
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {tag for tag, _ in parsed.seen} & {"script", "iframe", "object", "form", "link"} == set()
    handlers = [name for _, attributes in parsed.seen for name in attributes if name[:2] == "on"]
    assert handlers == []
    assert all("style" not in attributes for _, attributes in parsed.seen)
    return text


def body(text: str) -> str:
    return text.partition("<body>\n")[2].removesuffix("</body>\n</html>\n")


def branched() -> Conversation:
    """Return 1 -> 2 -> 3 with a second answer 4 to 1; the active leaf is 3."""
    parents = {1: None, 2: 1, 3: 2, 4: 1}
    messages = [
        message(n, f"text {n}", parent_id=None if parent is None else UUID(int=parent))
        for n, parent in parents.items()
    ]
    return conversation(1, messages, current_message_id=UUID(int=3), title="Branches")


def test_a_conversation_reads_like_this() -> None:
    record = conversation(
        1,
        [
            message(1, "Hello **there**"),
            message(2, "Hi", role="assistant", model="gpt-5", reasoning="think"),
        ],
        title="Trip to <Rome>",
        user_id="anna",
        source="chatgpt",
    )

    assert body(page(record)) == (
        '<article>\n<h1 dir="auto" lang="">Trip to &lt;Rome&gt;</h1>\n'
        '<p class="about"><span><time datetime="2026-01-31T12:01:00+00:00">2026-01-31 12:01</time>'
        " UTC</span><span>2 messages</span><span><bdi>anna</bdi></span>"
        "<span><bdi>chatgpt</bdi></span><span><bdi>gpt-5</bdi></span></p>\n"
        '<section class="m user" id="m1">\n<h2><a href="#m1">User</a>'
        '<small><time datetime="2026-01-31T12:00:01+00:00">2026-01-31 12:00</time></small></h2>\n'
        '<div class="text" dir="auto" lang="">\n<p>Hello <strong>there</strong></p>\n'
        "</div>\n</section>\n"
        '<section class="m assistant" id="m2">\n<h2><a href="#m2">Assistant</a>'
        "<small>gpt-5</small>"
        '<small><time datetime="2026-01-31T12:00:02+00:00">2026-01-31 12:00</time></small></h2>\n'
        '<details class="fold"><summary>Reasoning</summary><div>\n'
        '<pre dir="auto"><code>think</code></pre>\n</div></details>\n'
        '<div class="text" dir="auto" lang="">\n<p>Hi</p>\n</div>\n</section>\n</article>\n'
    )


def test_one_conversation_gives_the_page_its_title_and_several_do_not() -> None:
    records = [conversation(n, [message(1, "same")], title=f"Chat {n}") for n in (1, 2, 3)]

    assert "<title>Chat 1</title>" in page(records[0])
    together = page(*records)
    assert "<title>Conversations</title>" in together
    assert re.findall(r'<h1[^>]*>(.*?)</h1>|id="(c?\d?m1)"', together) == [
        ("Chat 1", ""), ("", "m1"), ("Chat 2", ""), ("", "c2m1"), ("Chat 3", ""), ("", "c3m1"),
    ]  # fmt: skip
    assert "No conversation matched" in page()


def test_a_page_may_load_and_run_nothing() -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page())

    assert policy is not None
    rules = dict(each.split(maxsplit=1) for each in policy[1].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules.keys() == {"default-src", "style-src", "base-uri", "form-action"}
    assert "img-src data:;" in page(
        conversation(1, [message(1, "![x](data:image/png;base64,AAAA)")])
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "</div></details></section></article></body>",
        '<img src=x onerror="alert(1)">',
        "</style><style>body{display:none}</style>",
        "[x](javascript:alert(1)) [y](//evil/share) [z](file:///etc/passwd) [d](data:text/html,x)",
        '[a](https://example.org/"onclick="x) ![b](https://e.org/x.png "onload=x")',
        "<https://example.org/<script>> <javascript:alert(1)>",
        "`</code></pre>` ```\n</pre>",
        '```"><script>\nx\n```',
        '| a"onclick= | b |\n|:-:|--:|\n| </td> | <b> |',
        "# </h1> {onclick=x}",
        "\\(</span>\\) $$<script>$$ \\[\"'\\]",
        "&lt;script&gt; &#x3c;script&#x3e;",
        *ODD_TEXTS,
    ],
)
def test_nothing_in_a_text_is_markup(text: str) -> None:
    record = conversation(
        1,
        [
            message(1, text, author=text, model=text, user_id=text, attached_text=text),
            message(2, text, role="tool", reasoning=[{"text": text}], attachments=[text]),
            message(3, text, tool_calls=[{"name": text, "input": {"code": text}}]),
            message(4, tool_outputs={"name": text}, attachments=[{"name": text, "type": text}]),
        ],
        title=text, organization=text, user_id=text, source=text, source_name=text,
    )  # fmt: skip

    found = page(record)

    addresses = re.findall(r'(?:href|src)="([^"]*)"', found)
    assert [each for each in addresses if not each.startswith(("#m", "https://e"))] == []
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", found)


def test_markdown_becomes_what_it_means() -> None:
    assert rendered("# A\n\n- b\n- `c`") == (
        "<h3>A</h3>\n<ul>\n<li>b</li>\n<li><code>c</code></li>\n</ul>\n"
    )
    assert rendered("one\ntwo ~~three~~") == "<p>one<br>\ntwo <s>three</s></p>\n"
    assert rendered("| a | b |\n|---|--:|\n| 1 | 2 |").count('<td class="right">2</td>') == 1
    assert rendered("plain\nlines") == "<p>plain<br>\nlines</p>\n"
    assert rendered("  ") == ""


@given(st.text("ab .:-=+>#\"'!?\n\t1)é語\u00a0\u3000", max_size=30))
def test_plain_paragraphs_are_what_markdown_makes_of_them(text: str) -> None:
    # An empty comment of Markdown's changes nothing and takes the long way.
    assert rendered(text) == rendered(f"{text}\n\n[x]: https://a.example")


BLOCKS = (
    *("plain words", "two\nlines", "- item", "1. one\n2. two", "  - inner", "> quoted", "**bold**"),
    *("```\ncode\n```", "```", "    indented", "a\n===", "| a |\n|---|\n| b |", "~~~", " ", ""),
)


@given(st.lists(st.sampled_from(BLOCKS), max_size=8), st.sampled_from(["\n\n", "\n \n", "\n"]))
def test_paragraphs_between_other_blocks_are_what_they_are_in_the_whole_text(
    blocks: list[str], between: str
) -> None:
    text = between.join(blocks)
    whole = rendered(f"[x]: https://a.example\n\n{text}")

    assert rendered(text) == whole


@given(st.text("ab *_`[]()!\\\\$&#>\n-1.:/h", max_size=40))
def test_texts_that_need_few_rules_are_what_all_rules_make_of_them(text: str) -> None:
    # Before it: a fence that the text leaves open would swallow what comes after.
    assert rendered(text) == rendered(f"[x]: https://a.example\n\n{text}")


def test_addresses_are_links_that_tell_the_other_side_nothing() -> None:
    start = '<a href="https://a.example/b_c" rel="noreferrer noopener nofollow">'

    assert f"{start}https://a.example/b_c</a>." in rendered("see https://a.example/b_c.")
    assert f"{start}words</a>" in rendered("[words](https://a.example/b_c)")
    assert rendered("[https://a.example/b_c](https://a.example/b_c)").count("<a ") == 1


def test_a_remote_picture_is_a_link_and_one_in_the_text_is_shown() -> None:
    remote = rendered("![chart](https://a.example/c.png)")
    assert "<img" not in remote
    assert '<span class="picture">chart</span></a>' in remote
    assert rendered("[![x](https://a.example/c.svg)](https://b.example)").count("<a ") == 1
    assert '<img src="data:image/png;base64,AAAA" alt="dot">' in rendered(
        "![dot](data:image/png;base64,AAAA)"
    )


def test_mathematics_stays_as_it_is_written() -> None:
    assert r'<span class="math" dir="ltr">\(a_1 * b_1\)</span>' in rendered(r"is \(a_1 * b_1\)")


def test_code_is_coloured_if_its_language_is_known() -> None:
    assert highlighted("x = 'a' # b", "python") == (
        'x = <span class="hs">&#x27;a&#x27;</span> <span class="hc"># b</span>'
    )
    assert highlighted("a < b", "no-such") == highlighted("a < b", "") == "a &lt; b"
    assert "<span" not in highlighted("x = 1\n" * LONGEST_COLOURED, "python")


def test_a_text_of_megabytes_is_shown_as_it_is() -> None:
    assert rendered("*a* " * LONGEST).startswith('<pre dir="auto"><code>*a* *a* ')


def test_code_that_a_tool_ran_is_code() -> None:
    call = {"name": "python", "id": "1", "input": {"code": "print(1)", "timeout": 5}}

    found = page(conversation(1, [message(1, tool_calls=[call])]))

    assert "<summary>Tool call: python</summary>" in found
    assert '<code><span class="hb">print</span>(<span class="hn">1</span>)</code>' in found
    assert "timeout" in found


def test_an_output_shows_its_text_before_its_other_fields() -> None:
    outputs = [{"name": "t", "text": "a\nb"}, {"content": [{"text": "c"}], "id": "7"}, {"rows": 1}]

    found = page(conversation(1, [message(1, tool_outputs=outputs)]))

    folded = re.findall(r"<summary>(.*?)</summary><div>\n(.*?)</div>", found, re.DOTALL)
    plain = [(name, re.sub("<.*?>|\\s", "", inside)) for name, inside in folded]
    assert plain == [
        ("Tool output: t", "ab"),
        ("Tool output", "c{&quot;id&quot;:&quot;7&quot;}"),
        ("Tool output", "{&quot;rows&quot;:1}"),
    ]


def test_attachments_are_named_with_their_sizes() -> None:
    files = [{"name": "a <b>.txt", "mime_type": "text/plain", "size": 12_345}, {"id": "x"}, {}]

    found = page(conversation(1, [message(1, attachments=files)]))

    assert re.findall("<li>(.*?)</li>", found) == [
        "<bdi>a &lt;b&gt;.txt</bdi> <small>text/plain, 12 kB</small>",
        "<bdi>x</bdi>",
        "<bdi>unnamed</bdi>",
    ]


def test_a_kept_file_is_linked_unless_a_browser_would_run_it() -> None:
    entries = [LinkedEntry({"name": name}, f"../attachments/1_{name}", name) for name in "ab"]
    entries += [LinkedEntry({"name": "c.html"}, "../attachments/1_c.HTML", "c.html")]
    entries += [LinkedEntry({"id": "x"}, '../attachments/1_"&', "d & e")]

    found = page(conversation(1, [message(1, attachments=entries)]))

    assert re.findall("<li>(.*?)</li>", found) == [
        '<a href="../attachments/1_a"><bdi>a</bdi></a>',
        '<a href="../attachments/1_b"><bdi>b</bdi></a>',
        "<bdi>c.html</bdi>",
        '<a href="../attachments/1_&quot;&amp;"><bdi>d &amp; e</bdi></a>',
    ]


def test_other_branches_stand_behind_a_switch_if_wanted() -> None:
    active = body(page(branched()))
    assert "text 4" not in active
    assert "radio" not in active

    found = body(page(branched(), all_branches=True))

    assert re.findall(r"text \d|checked|<div class=\"alt\">|</label>", found) == [
        "text 1", "checked", "</label>", "</label>", '<div class="alt">', "text 4", "text 2",
        "text 3",
    ]  # fmt: skip
    assert 'aria-label="2 versions"' in found


def test_very_many_branches_are_folded() -> None:
    messages = [message(1, "text")]
    for n in range(2, 700, 2):
        above = UUID(int=n - 1)
        messages += [message(n, "other", parent_id=above), message(n + 1, "text", parent_id=above)]
    record = conversation(1, messages, current_message_id=messages[-1].id)

    found = body(page(record, all_branches=True))

    assert "radio" not in found
    assert found.count("<summary>Another branch</summary>") == 349
    assert found.count("<p>other</p>") == 349


def test_a_text_that_is_kept_shows_its_current_version_and_folds_the_others() -> None:
    versions = [message(n, f"version {n}") for n in (1, 2, 3)]
    record = conversation(1, versions, kind="document", current_message_id=UUID(int=2))

    assert re.findall(r"version \d", page(record)) == ["version 2"]
    found = page(record, all_branches=True)
    assert re.findall(r"version \d|<details", found) == [
        "version 2", "<details", "version 1", "<details", "version 3",
    ]  # fmt: skip
    assert "<span>document</span>" in found


def test_hidden_messages_are_left_out_unless_wanted() -> None:
    record = conversation(1, [message(1, "secret", metadata=HIDDEN), message(2, "open")])

    assert "secret" not in page(record)
    assert "<small>hidden</small>" in page(record, include_hidden=True)


def test_times_of_any_year_and_none_are_told() -> None:
    for time in ODD_TIMES:
        found = page(conversation(1, [message(1, "x", created_at=time)]))
        assert f'datetime="{time.isoformat(timespec="seconds")}"' in found
    record = conversation(
        1, [message(1, "x", created_at=EPOCH)], created_at=EPOCH, updated_at=EPOCH
    )
    assert "<time" not in page(record)


def test_citations_are_links() -> None:
    mark = "\ue200cite\ue202turn0search1\ue201"
    reference = {"matched_text": mark, "items": [{"url": "https://a.example/"}]}
    metadata = {"metadata": {"content_references": [reference]}}

    found = page(conversation(1, [message(1, f"So it is {mark}.", metadata=metadata)]))

    assert 'href="https://a.example/"' in found
    assert ">[1]</a>" in found
    assert "\ue200" not in found
