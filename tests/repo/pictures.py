"""The pictures of the README, made from the product itself: `make pictures`.

`stats.svg` is what `chatdb stats` prints on a terminal, `page.png` a page of `export --to html` in
Chromium; both show the seeded chats, which are the same on every machine.
"""

import base64
import io
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.browser import open_browser

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "pictures"

_WIDTH = 80
_STATS = ("stats", "--by", "month")
_PAGE = "*median*"
_FONT = "ui-monospace, Menlo, Consolas, monospace"
_MATRIX = ".{unique_id}-matrix {{ font: {char_height}px FONT; line-height: {line_height}px }}"
_CLIP = '<rect width="{terminal_width}" height="{terminal_height}"/>'
_SVG = f"""<svg viewBox="0 0 {{width}} {{height}}" xmlns="http://www.w3.org/2000/svg">
<style>
{_MATRIX.replace("FONT", _FONT)}
{{styles}}
</style>
<defs>
<clipPath id="{{unique_id}}-clip-terminal">{_CLIP}</clipPath>
{{lines}}
</defs>
{{chrome}}
<g transform="translate({{terminal_x}}, {{terminal_y}})">
{{backgrounds}}
<g class="{{unique_id}}-matrix">
{{matrix}}
</g>
</g>
</svg>
"""
"""rich's own loads its font from another site."""


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _chatdb(work, "seed", "--quiet")
        (FOLDER / "stats.svg").write_text(_svg(_on_terminal(work, *_STATS)))
        _chatdb(work, "import", "--quiet", str(ROOT / "docs/examples/chatgpt-export.json"))
        _chatdb(work, "export", "--quiet", "--to", "html", "--all-branches", "--output", "pages/")
        (FOLDER / "page.png").write_bytes(_png(next((work / "pages").rglob(_PAGE)), work))


def _chatdb(work: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "chatdb", *words], cwd=work, check=True)


def _on_terminal(work: Path, *words: str) -> str:
    """Return what a command prints on a terminal, with its colours."""
    ours, its = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(_WIDTH), "TERM": "xterm-256color", "PAGER": "cat"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "chatdb", *words]
    with subprocess.Popen(command, cwd=work, stdin=its, stdout=its, env=environment):
        os.close(its)
        printed = b""
        # Linux tells the end of a terminal by an error.
        try:
            while piece := os.read(ours, 1 << 16):
                printed += piece
        except OSError:
            pass
    os.close(ours)
    return printed.decode().replace("\r\n", "\n")


def _svg(printed: str) -> str:
    console = Console(record=True, width=_WIDTH, file=io.StringIO())
    console.print(Text.from_ansi(f"$ chatdb {' '.join(_STATS)}\n{printed}"))
    return console.export_svg(title="chatdb", code_format=_SVG, unique_id="chatdb")


def _png(page: Path, work: Path) -> bytes:
    with open_browser(work) as browser:
        browser.width(900)
        browser.open(page)
        return base64.b64decode(browser.call("Page.captureScreenshot", format="png")["data"])


if __name__ == "__main__":
    main()
