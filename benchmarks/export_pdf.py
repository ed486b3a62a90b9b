"""`chatdb convert` to PDF: pages a second of CPU, and memory per 1,000 messages.

Messages of 260 characters at most, in one conversation and in many. Memory is the highest of
either process, chatdb's and the compiler's.

    python -m benchmarks.export_pdf
"""

import re
from pathlib import Path

import msgspec
from pypdfium2 import PdfDocument

from benchmarks.dataset import native_file
from benchmarks.measure import Bench, Claim, Figure, Limit, Run, python, run_alone
from chatdb.formats import native
from chatdb.formats.base import Tally
from chatdb.formats.files.sources import open_source
from chatdb.records import Conversation

CHARACTERS = 260
MOST_PER_THOUSAND = 80e6
LEAST_PAGES = 30


def speed(bench: Bench) -> Figure:
    """Convert 1,000 messages, and count the pages."""
    run, pages = _converted(bench, bench.size(1_000, quick=200))
    a_second = pages / run.cpu
    return Figure(
        f"convert: {pages:,} pages, {a_second:.0f} a second of CPU",
        f"{LEAST_PAGES} pages",
        a_second / LEAST_PAGES,
    )


def memory(bench: Bench) -> Figure:
    """Convert 1,000 and 4,000 messages: what each 1,000 more take."""
    few, many = bench.size(1_000, quick=500), bench.size(4_000, quick=1_500)
    resident = [_converted(bench, count)[0].resident for count in (few, many)]
    a_thousand = (resident[1] - resident[0]) / (many - few) * 1_000
    return Figure(
        f"convert: {a_thousand / 1e6:.0f} MB more per 1,000 messages",
        f"{MOST_PER_THOUSAND / 1e6:.0f} MB",
        a_thousand / MOST_PER_THOUSAND,
    )


def bounded(bench: Bench) -> Figure:
    """Convert 20,000 messages, which become several volumes."""
    resident = _converted(bench, bench.size(20_000, quick=6_000))[0].resident
    limit = 5 * MOST_PER_THOUSAND + 200e6
    return Figure(
        f"convert of 20,000: {resident / 1e6:.0f} MB resident",
        f"{limit / 1e6:.0f} MB",
        resident / limit,
    )


def _converted(bench: Bench, messages: int) -> tuple[Run, int]:
    source = _cut(bench, messages)
    output = bench.folder / f"pdf-{messages}" / "out.pdf"
    output.parent.mkdir(exist_ok=True)
    run = python("-m", "chatdb", "convert", "--quiet", "--force", source, output)
    return run, sum(map(_pages, output.parent.iterdir()))


def _cut(bench: Bench, messages: int) -> Path:
    """Return a native file of so many short messages."""
    path = bench.folder / f"short-{messages}.jsonl"
    with open_source(str(native_file(messages))) as source, path.open("wb") as stream:
        for record in native.reader.read(source, Tally()):
            if isinstance(record, Conversation):
                for each in record.messages:
                    each.content = re.sub(r"\s+", " ", each.content)[:CHARACTERS]
                stream.write(native.conversation_line(msgspec.structs.replace(record)))
    return path


def _pages(path: Path) -> int:
    document = PdfDocument(path)
    try:
        return len(document)
    finally:
        document.close()


CLAIMS = (
    Claim("export-pdf-pages", Limit("at least", 1.0), speed, needs_size=True),
    Claim("export-pdf-memory", Limit("at most", 1.0), memory),
    Claim("export-pdf-volumes", Limit("at most", 1.0), bounded),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
