"""Write `docs/native-format.schema.json` anew: `python -m tests.store.write_native_schema`."""

import json
from pathlib import Path

from tests.store.native_schema import native_schema

PATH = Path(__file__).resolve().parents[2] / "docs" / "native-format.schema.json"


def schema_text() -> str:
    """Return the file's text."""
    return json.dumps(native_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(schema_text(), encoding="utf-8")
