"""`chatdb export` to a folder of HTML against a plain loop over the same texts; its index.

The loop renders each text by markdown-it-py, code by Pygments, with its lexers kept, and writes
nothing: CPU seconds of whole processes. The index is opened in Chromium, and asked.

    python -m benchmarks.export_html
"""

import json
import statistics
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.databases import migrated_sqlite
from benchmarks.dataset import seeded_file
from benchmarks.measure import Bench, Claim, Figure, Limit, Run, in_turn, python, run_alone
from chatdb.formats.base import Tally, WriteOptions
from chatdb.formats.files.selection import chosen_messages
from chatdb.formats.files.sources import open_source
from chatdb.formats.native import reader
from chatdb.records import Conversation
from tests.browser import open_browser

LOOP = """
import json, sys
from functools import lru_cache
from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

formatter = HtmlFormatter(nowrap=True)

@lru_cache
def lexer(name):
    try:
        return get_lexer_by_name(name)
    except ClassNotFound:
        return None

def coloured(code, name, _):
    found = lexer(name) if name else None
    return highlight(code, found, formatter) if found else ""

made = MarkdownIt("commonmark", {"html": False, "highlight": coloured})
made.enable(["table", "strikethrough"])
with open(sys.argv[1], encoding="utf-8") as stream:
    print(sum(len(made.render(json.loads(line))) for line in stream))
"""

SEARCH = """(word => {
    const query = document.getElementById('query');
    const started = performance.now();
    query.value = word;
    query.dispatchEvent(new Event('input', {bubbles: true}));
    document.body.offsetHeight;
    return performance.now() - started;
})"""
WORDS = ("the", "th", "rucksack", "night train", "a", "数据", "zebra", "2026")

MOST_MEMORY = 400e6
MOST_OPENING = 1.0
MOST_SEARCHING = 0.1


def rendering(bench: Bench) -> Figure:
    """Export 1,000 conversations, and render the texts of their pages by the loop."""
    source = _conversations(bench, bench.size(1_000, quick=100))
    texts = bench.folder / "texts"
    with open_source(str(source)) as opened, texts.open("w", encoding="utf-8") as stream:
        for record in reader.read(opened, Tally()):
            if isinstance(record, Conversation):
                for each in chosen_messages(record, WriteOptions()):
                    stream.write(json.dumps(each.message.content) + "\n")
    export = _exporting(bench, source)
    sides = in_turn(bench.rounds(3, quick=1), export, lambda: python("-c", LOOP, str(texts)))
    ours, theirs = (
        statistics.median(run.cpu for run in runs) for runs in (sides.ours, sides.theirs)
    )
    return Figure(f"export: {ours:.2f} s of CPU", f"plain loop: {theirs:.2f} s", ours / theirs)


def memory(bench: Bench) -> Figure:
    """Export 10,000 conversations with their index."""
    resident = _exporting(bench, _many(bench))().resident
    return Figure(
        f"export: {resident / 1e6:.0f} MB resident",
        f"{MOST_MEMORY / 1e6:.0f} MB",
        resident / MOST_MEMORY,
    )


def opening(bench: Bench) -> Figure:
    """Open the index of 10,000 conversations in Chromium."""
    seconds = statistics.median(_opened(bench)[0])
    return Figure(f"opened in {1000 * seconds:.0f} ms", "1 s", seconds / MOST_OPENING)


def searching(bench: Bench) -> Figure:
    """Search in that index, the slowest of some queries by the median of each."""
    seconds = max(map(statistics.median, _opened(bench)[1].values()))
    return Figure(f"slowest answer in {1000 * seconds:.0f} ms", "100 ms", seconds / MOST_SEARCHING)


def _conversations(bench: Bench, conversations: int) -> Path:
    del bench
    return seeded_file(conversations, messages=15 * conversations)


def _many(bench: Bench) -> Path:
    return _conversations(bench, bench.size(10_000, quick=500))


_NUMBERS = count()


def _exporting(bench: Bench, source: Path) -> "partial[Run]":
    """Return the export of a file's conversations from SQLite into a new folder each time."""
    name = f"html-{source.stem}"
    path = bench.folder / f"{name}.db"
    environment = {"DATABASE_URL": f"sqlite:///{path}"}
    if not path.exists():
        environment = {"DATABASE_URL": migrated_sqlite(path).exposed()}
        python("-m", "chatdb", "import", "--quiet", str(source), **environment)
    return partial(_export, bench.folder, name, environment)


def _export(folder: Path, name: str, environment: dict[str, str]) -> Run:
    output = f"{folder / name}-{next(_NUMBERS)}/"
    words = ("-m", "chatdb", "export", "--quiet", "--all-orgs", "--to", "html", "--output")
    return python(*words, output, **environment)


def _opened(bench: Bench) -> tuple[list[float], dict[str, list[float]]]:
    """Return the seconds of every opening, and of every answer."""
    source = _many(bench)
    folders = sorted(bench.folder.glob(f"html-{source.stem}-*/"))
    if not folders:
        _exporting(bench, source)()
        folders = sorted(bench.folder.glob(f"html-{source.stem}-*/"))
    opened: list[float] = []
    answered: dict[str, list[float]] = {word: [] for word in WORDS}
    with open_browser(bench.folder) as browser:
        for _ in range(bench.rounds(5, quick=3)):
            browser.open(folders[0] / "index.html")
            timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
            opened.append(browser.run(timing) / 1000)
            # Nobody types before the page has had a moment for itself.
            browser.run("new Promise(done => requestIdleCallback(() => setTimeout(done)))")
            for word in WORDS:
                answered[word].append(browser.run(f"{SEARCH}({word!r})") / 1000)
    return opened, answered


CLAIMS = (
    Claim("export-html", Limit("at most", 1.5), rendering, needs_size=True),
    Claim("export-html-memory", Limit("at most", 1.0), memory),
    Claim("open-html-index", Limit("at most", 1.0), opening),
    Claim("search-html-index", Limit("at most", 1.0), searching),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
