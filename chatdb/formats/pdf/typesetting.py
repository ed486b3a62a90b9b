"""Compiles documents as a process of its own: `python typesetting.py FONTS...`.

Each line of its input is a task as JSON, each line of its output the answer. So an interrupt ends
it at once, its memory ends with it, and whatever a text does to the compiler, chatdb goes on.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

MAIN = "main.typ"
OUTPUT = "out.pdf"


def main() -> None:
    """Answer tasks until the input ends."""
    # The other process is interrupted, too, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    # Nothing else may write there.
    os.dup2(2, 1)
    fonts = None
    for line in sys.stdin:
        try:
            import typst

            fonts = fonts or typst.Fonts(font_paths=[Path(each) for each in sys.argv[1:]])
            answer = _answer(fonts, json.loads(line))
        except BaseException as error:  # noqa: BLE001 - panics of the library are no Exception
            answer = {"error": str(getattr(error, "message", "") or error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(fonts: Any, task: dict[str, str]) -> dict[str, Any]:
    import typst

    if task["kind"] == "faces":
        faces = fonts.fonts()
        return {"faces": [[each.family, each.path, each.index, each.weight] for each in faces]}
    folder = Path(task["folder"])
    compiler = typst.Compiler(
        root=folder, font_paths=fonts, package_path=folder, package_cache_path=folder
    )
    if task["kind"] == "picture":
        name = json.dumps(task["name"])
        compiler.compile(f"#image({name}, width: 1pt)".encode(), format="pdf")
    else:
        # Tags for reading aloud would make the file three times as large.
        compiler.compile(folder / MAIN, output=folder / OUTPUT, format="pdf", pdf_tags=False)
    return {}


if __name__ == "__main__":
    main()
