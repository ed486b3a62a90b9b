"""A folder of pages: years, links, lists and an index, made again without loss."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.formats.base import WriteOptions
from chatdb.formats.files.folder_writing import write_folder
from chatdb.formats.files.writing import Written
from chatdb.formats.html import site
from chatdb.formats.html.words import WordIndex, words_of
from chatdb.formats.registry import writer
from chatdb.formats.times import EPOCH
from chatdb.records import Conversation, Message
from tests.operations.export_rows import NOON, conversation, message
from tests.small_disk import small_disk


def chats(*days: int, **fields: Any) -> list[Conversation]:
    """Return conversations so many days after noon on 31 January 2026."""
    return [
        conversation(
            number,
            [message(1, f"hello number{number}")],
            title=f"Chat {number}",
            **{"created_at": NOON + timedelta(days=day)} | fields,
        )
        for number, day in enumerate(days, 1)
    ]


def write(
    folder: Path, records: Iterable[Conversation], *, force: bool = False, **options: Any
) -> tuple[Written, list[str]]:
    written, kept = Written(), list[str]()
    made = writer("html", WriteOptions(**options))
    write_folder(folder, made, records, written, force=force, on_kept=kept.append)
    return written, kept


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def links(path: Path, start: str = "") -> list[str]:
    """Return where the links of a page lead, as paths from its folder."""
    text = path.read_text().partition(start)[2] if start else path.read_text()
    return [unquote(unescape(each)) for each in re.findall(r'href="([^"#]+)"', text)]


def data_of(path: Path) -> dict[str, Any]:
    found = re.search(r'id="entries">(.*?)</script>', path.read_text())
    assert found is not None
    return dict(json.loads(found[1]))


def test_pages_lie_in_the_folders_of_their_years(tmp_path: Path) -> None:
    written, _ = write(tmp_path, chats(0, 400, 0))

    assert list(files(tmp_path)) == [
        "2026/2026-01-31_chat-1_000000000000.html",
        "2026/2026-01-31_chat-3_00000000000000030000000000000000.html",
        "2026/index.html",
        "2027/2027-03-07_chat-2_00000000000000020000000000000000.html",
        "2027/index.html",
        "index.html",
    ]
    assert (written.conversations, written.messages, written.files) == (3, 3, 6)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*.html")} == {0o600}
    assert stat.S_IMODE((tmp_path / "2026").stat().st_mode) == 0o700


def test_every_link_leads_to_a_page(tmp_path: Path) -> None:
    records = chats(0, 400, 30, 31)
    records[2].title = "Fünf Äpfel & 100% 日本?#x"
    records.append(conversation(9, created_at=EPOCH, title="No time"))
    write(tmp_path, records)

    for path in tmp_path.rglob("*.html"):
        assert links(path)
        for each in links(path):
            assert (path.parent / each).is_file(), (path, each)


def test_pages_are_linked_by_time_whatever_their_order(tmp_path: Path) -> None:
    write(tmp_path, chats(5, 0, 400))

    def ends(name: str) -> list[tuple[str, str]]:
        path = next(tmp_path.rglob(f"*_{name}_*.html"))
        nav = path.read_text().partition('<nav class="site"')[2].partition("</nav>")[0]
        found = re.finditer(r'rel="(\w+)".*?<bdi>(.*?)</bdi>', nav)
        return [(each[1], each[2]) for each in found]

    assert ends("chat-2") == [("next", "Chat 1")]
    assert ends("chat-1") == [("prev", "Chat 2"), ("next", "Chat 3")]
    assert ends("chat-3") == [("prev", "Chat 1")]


def test_the_index_lists_the_newest_first_and_names_the_years(tmp_path: Path) -> None:
    write(tmp_path, chats(5, 0, 400))

    index = tmp_path / "index.html"
    assert links(index, '<nav aria-label="Years">')[:2] == ["2027/index.html", "2026/index.html"]
    listed = re.findall(r">(Chat \d)<", index.read_text())
    assert listed == ["Chat 3", "Chat 1", "Chat 2"]


def test_organizations_have_folders_and_links_of_their_own(tmp_path: Path) -> None:
    records = chats(0, 1, 2)
    records[0].organization, records[1].organization = "acme", "Other Org"
    records[2].organization = "acme"
    write(tmp_path, records)

    pages = sorted(str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("*chat*"))
    assert pages[:2] == ["acme/2026", "acme/2026"]
    assert re.fullmatch(r"other-org_[0-9a-f]{12}/2026", pages[2])
    other = next(tmp_path.glob("other*/*/*chat*"))
    assert 'rel="' not in other.read_text().partition("<article>")[0]
    for path in tmp_path.rglob("*.html"):
        assert all((path.parent / each).is_file() for each in links(path))


def test_the_index_knows_what_to_filter_by(tmp_path: Path) -> None:
    (record,) = chats(0, source="chatgpt", starred_at=NOON, kind="document")
    record.messages[0].model = "gpt-5"
    write(tmp_path, [record])

    data = data_of(tmp_path / "index.html")
    (entry,) = data["entries"]
    names = data["names"]
    assert entry[0] == "Chat 1"
    assert entry[2:4] == ["2026-01-31", 1]
    assert [names[at] for at in entry[4]] == ["gpt-5"]
    assert [names[at] for at in entry[5:8]] == ["chatgpt", "", "document"]
    assert [names[at] for at in entry[8]] == ["starred"]
    assert entry[9] == "hello number1"


def test_hostile_titles_end_no_element_of_the_index(tmp_path: Path) -> None:
    (record,) = chats(0)
    record.title = record.messages[0].content = "</script><script>alert(1)</script>\u202e"
    write(tmp_path, [record])

    text = (tmp_path / "index.html").read_text()
    assert text.count("<script") == text.count("</script>") == 3
    assert "alert(1)</" not in text
    assert "\u202e" not in text


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, chats(0, 400))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.html")}

    written, kept = write(tmp_path, chats(0, 400))

    assert (written.unchanged, written.files, written.conversations, kept) == (5, 0, 0, [])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.html")} == before


def test_a_new_conversation_is_linked_from_its_neighbours_and_lists(tmp_path: Path) -> None:
    write(tmp_path, chats(0, 400))

    written, kept = write(tmp_path, chats(0, 400, 10))
    write(tmp_path / "fresh", chats(0, 400, 10))

    assert kept == []
    # The new page, both neighbours, the list of its year and the index.
    assert (written.files, written.unchanged) == (5, 1)
    fresh = files(tmp_path / "fresh")
    assert {name: data for name, data in files(tmp_path).items() if name[:5] != "fresh"} == fresh


def test_pages_of_other_runs_are_counted_for_the_index_does_not_list_them(tmp_path: Path) -> None:
    write(tmp_path, chats(0, 400))
    (tmp_path / "2026" / "notes.html").write_text("mine")

    written, kept = write(tmp_path, chats(0))

    assert (written.unlisted, kept) == (1, [])
    assert "Chat 2" not in (tmp_path / "index.html").read_text()


def test_a_changed_conversation_and_a_stranger_are_kept_unless_forced(tmp_path: Path) -> None:
    write(tmp_path, chats(0))
    index = tmp_path / "index.html"
    index.write_text("<p>mine</p>")
    records = chats(0)
    records[0].messages[0].content = "changed"

    written, kept = write(tmp_path, records)

    page = next(tmp_path.rglob("*chat-1*"))
    assert kept == [str(page), str(index)]
    assert written.kept == 2
    assert index.read_text() == "<p>mine</p>"
    assert write(tmp_path, records, force=True)[1] == []
    assert "changed" in page.read_text()
    assert "Chat 1" in index.read_text()


_KILLED = """
import os, sys
from pathlib import Path
from tests.formats.test_html_folder import chats, write

def some():
    yield from chats(0, 1, 400)
    if len(sys.argv) > 2:
        os.kill(os.getpid(), 9)

write(Path(sys.argv[1]), some())
"""


def test_a_killed_run_leaves_nothing_behind(tmp_path: Path) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    environment = os.environ | {"TMPDIR": str(place), "SQLITE_TMPDIR": str(place)}
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "pages")]

    killed = subprocess.run([*command, "now"], env=environment, check=False)
    assert killed.returncode == -9
    assert list(place.iterdir()) == []
    assert files(tmp_path / "pages") == {}
    subprocess.run(command, env=environment, check=True)
    write(tmp_path / "whole", chats(0, 1, 400))

    assert files(tmp_path / "pages") == files(tmp_path / "whole")


_TOO_LARGE = """
import random, sys
from pathlib import Path
from chatdb.errors import StorageError
from tests.formats.test_html_folder import chats, write

records = chats(*range(150))
for record in records:
    record.messages[0].content = random.Random(record.title).randbytes(50_000).hex()
try:
    write(Path(sys.argv[1]), records)
except StorageError as error:
    print(error, error.hint)
"""


def test_a_full_disk_for_temporary_files_is_told_and_nothing_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        environment = os.environ | {"TMPDIR": str(disk), "SQLITE_TMPDIR": str(disk)}
        command = [sys.executable, "-c", _TOO_LARGE, str(tmp_path / "pages")]
        said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)

    assert "pages cannot wait in a temporary file: database or disk is full" in said.stdout
    assert "TMPDIR" in said.stdout
    assert files(tmp_path / "pages") == {}


def test_unfinished_pages_of_killed_runs_are_removed(tmp_path: Path) -> None:
    write(tmp_path, chats(0))
    names = ["2026/2026-01-31_chat-1_000000000000.html", "2026/index.html", "index.html"]
    for name in names:
        (tmp_path / f"{name}.partial").write_bytes(b"torn")
        (tmp_path / name).unlink()

    write(tmp_path, chats(0))

    assert list(files(tmp_path)) == names


def test_a_long_list_is_cut_and_the_index_leaves_the_search_to_the_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "PAGE", 2)
    monkeypatch.setattr(site, "LISTED", 3)
    write(tmp_path, chats(0, 1, 2, 3, 4))

    lists = [path.name for path in (tmp_path / "2026").glob("index*")]
    assert sorted(lists) == ["index-1.html", "index-2.html", "index.html"]
    assert re.findall(r">(Chat \d)<", (tmp_path / "2026/index-1.html").read_text()) == [
        "Chat 2",
        "Chat 1",
    ]
    assert "index-2.html" in links(tmp_path / "2026/index.html")
    assert len(data_of(tmp_path / "2026/index.html")["entries"]) == 1
    index = (tmp_path / "index.html").read_text()
    assert "<script" not in index
    assert re.findall(r">(Chat \d)<", index) == ["Chat 5", "Chat 4", "Chat 3"]
    assert "2 older ones" in index


def test_words_beyond_the_limit_leave_the_titles() -> None:
    index = WordIndex(40)
    index.add(0, ["one", "two"])
    assert index.text() == "one two\nA A"
    index.add(1, [f"word{number}" for number in range(10)])

    assert index.is_full
    assert index.text() == ""


def test_words_are_cut_like_this() -> None:
    assert words_of(["It's Ärger_2 x" + "y" * 40]) == {"it", "s", "arger_2"}
    assert words_of(["日本語とabc", "字"]) == {"日本", "本語", "語と", "abc", "字"}


def test_gaps_are_written_in_base_32() -> None:
    index = WordIndex(1000)
    for number in (0, 32, 33, 66):
        index.add(number, ["a"])

    # 0, 31, 0, and 32 as two digits, the lower one first and marked.
    assert index.text() == "a\nAfAgB"


@given(st.lists(st.sets(st.sampled_from("abc")), max_size=120), st.integers(0, 120))
def test_an_index_of_two_is_that_of_all(texts: list[set[str]], cut: int) -> None:
    whole, first, second = (WordIndex(10_000) for _ in range(3))
    for number, words in enumerate(texts):
        whole.add(number, words)
        (first if number < cut else second).add(number if number < cut else number - cut, words)

    joined = WordIndex(10_000)
    joined.extend(first, 0)
    joined.extend(second, cut)

    assert joined.text() == whole.text()


def test_a_message_of_megabytes_is_written_whole(tmp_path: Path) -> None:
    record = conversation(1, [Message(id=UUID(int=1), role="user", content="x " * 300_000,
                                      created_at=NOON)])  # fmt: skip
    write(tmp_path, [record])

    assert next(tmp_path.rglob("*untitled*")).stat().st_size > 600_000
