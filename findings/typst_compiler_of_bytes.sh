#!/usr/bin/env bash
# typst (the Python package): a Compiler that is made of bytes.
#
# Most expect: `Compiler(b"...")` keeps what it compiles, as `Compiler("file.typ")` does; compile() may be called again,
#   for another format or for a picture beside the PDF.
# What happens: the first call compiles the bytes, the second looks for a file `__typst_py_bytes__.typ` in the root and raises
#   TypstError. With a path, and with the bytes given to compile() itself, any number of calls work.
# Seen with: typst 0.15.2, Python 3.11, 2026-11-30.
set -euo pipefail

folder=$(mktemp -d /tmp/finding.XXXXXX)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check typst==0.15.2
mkdir "$folder/root"
printf 'Hello' > "$folder/root/main.typ"

cat > "$folder/look.py" <<'PYTHON'
import sys
from pathlib import Path

import typst

root = Path(sys.argv[1])


def twice(compiler, *given):
    """Return what two calls do: done, or the error's words."""
    done = []
    for kind in ("pdf", "png"):
        try:
            compiler.compile(*given, format=kind)
            done.append("done")
        except typst.TypstError as error:
            done.append(str(error).partition(" (")[0])
    return done


seen = {
    "a path": twice(typst.Compiler(root / "main.typ", root=root)),
    "bytes": twice(typst.Compiler(b"Hello", root=root)),
    "bytes with each call": twice(typst.Compiler(root=root), b"Hello"),
}
for name, done in seen.items():
    print(f"{name}: {', then '.join(done)}")
sys.exit(list(seen.values()) != [["done", "done"], ["done", "file not found"], ["done", "done"]])
PYTHON
"$folder/venv/bin/python" "$folder/look.py" "$folder/root"
echo "as described"
