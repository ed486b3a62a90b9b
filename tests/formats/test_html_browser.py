"""Pages in a real Chromium: searched, switched, walked by keys, printed, and never harmful."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from chatdb.formats.attachment_links import linked_name
from chatdb.formats.base import WriteOptions
from chatdb.formats.files.folder_writing import write_folder
from chatdb.formats.files.writing import Written
from chatdb.formats.registry import writer
from chatdb.records import Conversation, MessageFile
from tests.browser import Browser, open_browser
from tests.formats.pdf_samples import png
from tests.operations.export_rows import NOON, conversation, message

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.large]

ACTIVE = WriteOptions()
HOSTILE = """
<script>document.title = 'harmed'</script><img src=https://evil.example/a.png onerror="harm()">
</details></style></section></article></body></html><style>body { display: none }</style>
[click](javascript:document.title='harmed') <a href="javascript:harm()">x</a> \u202etxt.exe
![remote](https://evil.example/b.png) <iframe src="https://evil.example/c"></iframe>
<meta http-equiv=refresh content="0; url=https://evil.example/d"> <base href=https://evil.example/>
<svg onload="document.title='harmed'"> [y](data:text/html,<script>document.title='harmed'</script>)
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def page(tmp_path: Path, record: Conversation, options: WriteOptions = ACTIVE) -> Path:
    made = writer("html", options)
    path = tmp_path / "page.html"
    path.write_bytes(made.begin() + made.conversation(record) + made.end())
    return path


def talk(number: int, content: str, **fields: object) -> Conversation:
    model = str(fields.pop("model", "gpt-5"))
    answer = message(2, "An answer", role="assistant", model=model, parent_id=UUID(int=1))
    values = {"title": f"Talk {number}", "source": "chatgpt"} | fields
    values.setdefault("created_at", NOON + timedelta(days=300 * number))
    return conversation(number, [message(1, content), answer], **values)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    records = [
        talk(1, "Café on the corner", starred_at=NOON),
        talk(2, "a railway-station in Wrocław", model="opus"),
        talk(3, "東京へ行きたい", source="claude", pinned_at=NOON),
        talk(4, "кошка сидит дома"),
        talk(5, "nothing of note", title="Corner shop", kind="memory"),
        talk(6, HOSTILE, title=f"zebra{HOSTILE}"),
    ]
    records += [talk(number, f"many {number}") for number in range(7, 80)]
    write_folder(
        folder,
        writer("html", WriteOptions()),
        records,
        Written(),
        force=False,
        on_kept=lambda _: None,
    )
    return folder


def found(browser: Browser, query: str) -> list[str]:
    """Search, and return the titles that are shown."""
    browser.run("document.getElementById('query').value = ''")
    browser.run("document.getElementById('query').focus()")
    browser.type(query)
    titles = browser.run("[...document.querySelectorAll('#results a')].map(a => a.textContent)")
    return list(titles)


def choose(browser: Browser, select: str, value: str) -> list[str]:
    """Choose in a filter, and return the titles that are shown."""
    browser.run(
        f"(select => {{ select.value = '{value}';"
        "select.dispatchEvent(new Event('input', {bubbles: true})) })"
        f"(document.getElementById('{select}'))"
    )
    titles = browser.run("[...document.querySelectorAll('#results a')].map(a => a.textContent)")
    return list(titles)


def test_the_index_searches_titles_and_texts(browser: Browser, pages: Path) -> None:
    browser.open(pages / "index.html")

    assert browser.run("document.getElementById('search').hidden") is False
    assert found(browser, "corner") == ["Talk 1", "Corner shop"][::-1]
    assert found(browser, "cafe") == found(browser, "CAFÉ") == ["Talk 1"]
    assert found(browser, "rail stat") == ["Talk 2"]
    assert found(browser, "東京") == ["Talk 3"]
    assert found(browser, "京") == ["Talk 3"]
    assert found(browser, "東行") == []
    assert found(browser, "行き 東京") == ["Talk 3"]
    assert found(browser, "КОШКА") == ["Talk 4"]
    assert found(browser, "corner zebra") == []
    assert browser.text("#count") == "0 conversations found"
    assert browser.problems == []


def test_a_long_answer_is_shown_in_parts(browser: Browser, pages: Path) -> None:
    browser.open(pages / "index.html")

    assert len(found(browser, "many")) == 50
    assert browser.text("#count") == "73 conversations found"
    browser.run("document.getElementById('more').click()")
    assert browser.run("document.querySelectorAll('#results a').length") == 73
    assert browser.run("document.getElementById('more').hidden") is True


def test_filters_narrow_and_are_reset(browser: Browser, pages: Path) -> None:
    browser.open(pages / "index.html")

    assert choose(browser, "mark", "starred") == ["Talk 1"]
    browser.run("document.getElementById('reset').click()")
    browser.run("new Promise(done => setTimeout(done))")
    assert browser.run("document.getElementById('everything').hidden") is False
    assert choose(browser, "source", "claude") == ["Talk 3"]
    assert choose(browser, "mark", "starred") == []
    browser.open(pages / "index.html")
    assert choose(browser, "kind", "memory") == ["Corner shop"]
    browser.open(pages / "index.html")
    assert choose(browser, "model", "opus") == ["Talk 2"]
    browser.open(pages / "index.html")
    assert choose(browser, "year", "2026") == ["Talk 1"]
    assert browser.run("document.getElementById('organization')") is None


def test_a_hit_leads_to_its_page_and_back(browser: Browser, pages: Path) -> None:
    browser.open(pages / "index.html")
    assert found(browser, "railway") == ["Talk 2"]

    browser.open(str(browser.run("document.querySelector('#results a').href")))
    assert browser.text("h1") == "Talk 2"
    browser.open(str(browser.run("document.querySelector('a[rel=next]').href")))
    assert browser.text("h1") == "Talk 3"
    browser.open(str(browser.run("document.querySelector('nav a').href")))
    assert browser.text("h1") == "Conversations"


def test_without_scripts_the_index_lists_and_links(browser: Browser, pages: Path) -> None:
    browser.scripts(on=False)
    try:
        browser.open(pages / "index.html")
        assert browser.run("getComputedStyle(document.getElementById('search')).display") == "none"
        assert browser.run("document.querySelectorAll('#everything a').length") == 79
        assert "2027" in browser.text("nav")
    finally:
        browser.scripts(on=True)


def branched() -> Conversation:
    """Return 1 -> 2 -> 3 with 4 -> 5 beside 2, and 6 beside 5; the active leaf is 3."""
    parents = {1: None, 2: 1, 3: 2, 4: 1, 5: 4, 6: 4, 7: 5}
    messages = [
        message(n, f"text {n}", parent_id=None if parent is None else UUID(int=parent))
        for n, parent in parents.items()
    ]
    return conversation(1, messages, current_message_id=UUID(int=3), title="Branches")


def seen(browser: Browser) -> list[str]:
    return re.findall(r"text \d", browser.text("article"))


def test_branches_are_switched_without_a_script_and_by_keys(
    browser: Browser, tmp_path: Path
) -> None:
    browser.scripts(on=False)
    try:
        browser.open(page(tmp_path, branched(), WriteOptions(all_branches=True)))
        assert seen(browser) == ["text 1", "text 2", "text 3"]

        browser.run("document.querySelector('input').focus()")
        browser.press("ArrowRight")
        assert seen(browser) == ["text 1", "text 4", "text 5", "text 7"]
        browser.press("Tab")
        while browser.run("document.activeElement.name") != "f2":
            browser.press("Tab")
        browser.press("ArrowRight")
        assert seen(browser) == ["text 1", "text 4", "text 6"]
        browser.run("document.querySelector('input').click()")
        assert seen(browser) == ["text 1", "text 2", "text 3"]
    finally:
        browser.scripts(on=True)


def test_a_link_to_a_message_of_another_branch_shows_it(browser: Browser, tmp_path: Path) -> None:
    path = page(tmp_path, branched(), WriteOptions(all_branches=True))
    browser.open(path)
    hidden = browser.run("document.querySelector('.alt .m').id")

    browser.open("about:blank")
    browser.open(f"{path.as_uri()}#{hidden}")

    assert "text 4" in seen(browser)


def test_keys_reach_every_link_and_are_held_nowhere(browser: Browser, pages: Path) -> None:
    browser.open(next(pages.rglob("*talk-2_*")))
    wanted = browser.run("document.querySelectorAll('a, summary, input').length")

    reached = []
    for _ in range(wanted + 1):
        browser.press("Tab")
        reached.append(browser.run("document.activeElement.outerHTML.slice(0, 200)"))

    assert wanted > 6
    assert len([each for each in reached if each.startswith("<a ")]) >= wanted
    assert reached[-1] in {reached[0], browser.run("document.body.outerHTML.slice(0, 200)")}


@pytest.mark.parametrize("name", ["page", "index.html"])
def test_nothing_is_wider_than_400_pixels(
    browser: Browser, pages: Path, tmp_path: Path, name: str
) -> None:
    wide = (
        "word" * 100
        + "\n\n```python\n"
        + "x = " * 200
        + "\n```\n\n| "
        + " | ".join("abcdefgh" * 3)
        + " |\n|"
    )
    wide += "---|" * 24 + f"\n\n- {'long' * 50}\n\n`{'code' * 50}` https://a.example/{'b' * 300}"
    record = talk(1, wide, title="title" * 40, user_id="u" * 200)
    record.messages[1].attachments = [{"name": "f" * 200}]
    record.messages[1].tool_calls = [{"name": "t" * 200, "input": {"code": "y" * 500}}]
    browser.width(400)
    try:
        browser.open(page(tmp_path, record) if name == "page" else pages / name)
        browser.run("document.querySelectorAll('details').forEach(each => each.open = true)")
        if name == "index.html":
            assert found(browser, "zebra")
        assert browser.run("document.documentElement.scrollWidth") <= 400
    finally:
        browser.call("Emulation.clearDeviceMetricsOverride")


def test_a_hostile_conversation_does_nothing_and_loads_nothing(
    browser: Browser, pages: Path, tmp_path: Path
) -> None:
    record = talk(1, HOSTILE, title=HOSTILE, user_id=HOSTILE, source=HOSTILE, model=HOSTILE)
    record.messages[1].reasoning = record.messages[1].attached_text = HOSTILE
    record.messages[1].tool_calls = [{"name": HOSTILE, "input": {"code": HOSTILE}}]
    record.messages[1].attachments = [{"name": HOSTILE}]
    for path in (page(tmp_path, record), pages / "index.html"):
        browser.loaded.clear()
        browser.problems.clear()
        browser.open(path)
        if path.name == "index.html":
            (title,) = found(browser, "zebra")
            assert "harmed" in title
        else:
            assert browser.run("document.querySelectorAll('section.m').length") == 2
            assert browser.text("article").count("evil.example/c") > 1
        browser.run("document.querySelectorAll('details').forEach(each => each.open = true)")
        browser.run("new Promise(done => setTimeout(done))")

        assert browser.loaded == [path.as_uri()]
        assert browser.problems == []
        assert browser.run("document.title") != "harmed"
        assert browser.run("document.querySelectorAll('img, iframe, svg, base').length") == 0
        assert browser.run("[...document.links].every(a => /^(file|https?):/.test(a.href))")


SHAPES = """Promise.all([...document.images].map(each => each.decode().then(
    () => [each.naturalWidth, each.alt, each.clientWidth > 0])))"""


def test_kept_pictures_are_seen_inside_a_page_and_beside_those_of_a_folder(
    browser: Browser, tmp_path: Path
) -> None:
    picture = png(900, 40)
    record = talk(1, "x")
    record.messages[0].attachments = [{"name": "cat & dog.png"}, {"name": "paper.pdf"}]
    record.files = [
        MessageFile(
            message_id=record.messages[0].id,
            position=position,
            digest=f"{position}" * 64,
            name=name,
            media_type=kind,
        )
        for position, (name, kind) in enumerate(
            (("cat & dog.png", "image/png"), ("paper.pdf", "application/pdf"))
        )
    ]
    options = WriteOptions(read_file=lambda *_: picture)
    (tmp_path / "attachments").mkdir()
    for file in record.files:
        (tmp_path / "attachments" / linked_name(file)).write_bytes(picture)
    write_folder(
        tmp_path,
        writer("html", replace(options, attachments="attachments")),
        [record],
        Written(),
        force=False,
        on_kept=lambda _: None,
    )
    linked = next(tmp_path.rglob("*_talk-1_*"))
    browser.problems.clear()
    for path in (page(tmp_path, record, options), linked):
        for pixels in (400, 1000):
            browser.width(pixels)
            browser.open(path)
            assert browser.run(SHAPES) == [[900, "cat & dog.png", True]]
            assert browser.run("document.documentElement.scrollWidth") <= pixels
    browser.call("Emulation.clearDeviceMetricsOverride")
    assert browser.problems == []


def test_the_policy_stops_what_would_get_past_the_escaping(
    browser: Browser, tmp_path: Path
) -> None:
    path = page(tmp_path, talk(1, "x"))
    injected = (
        "<script>document.title = 'harmed'</script><img src='https://evil.example/x.png'"
        " onerror=\"document.title = 'harmed'\"><style>h1 { display: none }</style>"
    )
    path.write_text(path.read_text().replace("</article>", f"{injected}</article>"))
    browser.loaded.clear()

    browser.open(path)

    assert browser.run("document.title") == "Talk 1"
    assert browser.text("h1") == "Talk 1"
    assert len([each for each in browser.problems if "Content Security Policy" in each]) >= 3
    browser.problems.clear()


def test_a_right_to_left_text_stands_right(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(tmp_path, talk(1, "مرحبا بالعالم\n\nEnglish\n\n- نقطة", title="שלום")))

    script = """[...document.querySelectorAll('h1, .text p, .text li')].map(each => {
        const range = document.createRange();
        range.selectNodeContents(each);
        const box = range.getBoundingClientRect(), page = document.body.getBoundingClientRect();
        return box.left + box.right > page.left + page.right ? 'right' : 'left';
    })"""
    assert browser.run(script) == ["right", "right", "left", "right", "left"]


def test_a_page_is_printed_whole(browser: Browser, tmp_path: Path) -> None:
    messages = [message(number, f"text {number}\n\n" * 20) for number in range(1, 40)]
    browser.open(page(tmp_path, conversation(1, messages, title="Long")))

    printed = browser.pdf()

    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 10
