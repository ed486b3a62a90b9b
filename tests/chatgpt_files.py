"""Small exports of ChatGPT that carry files, made for the tests of attachments."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PNG = b"\x89PNG\r\n\x1a\n" + b"cat" * 50
OTHER_PNG = b"\x89PNG\r\n\x1a\n" + b"dog" * 50
PDF = b"%PDF-1.4 paper"
FILES = {
    "file-Cat1234567-cat.png": PNG,
    "dalle/file_00000000dog1-sanitized.png": OTHER_PNG,
    "file-Paper99999.dat": PDF,
    "file-Nobody0000-secret.txt": b"no message has it",
}
"""Two talks name three of them: a picture twice, and one by its id only."""


def pointer(identifier: str) -> dict[str, Any]:
    return {"content_type": "image_asset_pointer", "asset_pointer": identifier, "size_bytes": 1}


def talk(number: int, part: Any, attachments: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a conversation of a question with a file and its answer."""
    user, answer = f"{number}-question", f"{number}-answer"
    metadata = {"attachments": attachments} if attachments else {}
    return {
        "id": f"conversation-{number}",
        "title": f"Talk {number}",
        "create_time": 1790000000.0 + number,
        "update_time": 1790000001.0 + number,
        "current_node": answer,
        "mapping": {
            "root": {"id": "root", "parent": None, "children": [user], "message": None},
            user: _node(user, "root", [answer], "user", [part, f"question {number}"], metadata),
            answer: _node(answer, user, [], "assistant", [f"answer {number}"], {}),
        },
    }


def _node(
    identifier: str, parent: str, children: list[str], role: str, parts: list[Any], metadata: Any
) -> dict[str, Any]:
    kind = "multimodal_text" if role == "user" else "text"
    message = {
        "id": identifier,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": 1790000000.0,
        "content": {"content_type": kind, "parts": parts},
        "metadata": metadata,
    }
    return {"id": identifier, "parent": parent, "children": children, "message": message}


TALKS = [
    talk(
        1,
        pointer("file-service://file-Cat1234567"),
        [
            {"id": "file-Cat1234567", "name": "my cat.png", "mime_type": "image/png"},
            {"id": "file-Paper99999", "name": "../../paper.pdf"},
        ],
    ),
    talk(2, pointer("sediment://file_00000000dog1"), [{"id": "file-Gone000000", "name": "gone"}]),
]


def export_bytes(files: Mapping[str, bytes] = FILES, talks: list[dict[str, Any]] = TALKS) -> bytes:
    """Return an export as a zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", json.dumps(talks))
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def write_export(path: Path, files: Mapping[str, bytes] = FILES) -> Path:
    """Write an export as a zip, and return its path."""
    path.write_bytes(export_bytes(files))
    return path


def write_folder(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    """Write an unpacked export, and return its folder."""
    folder.mkdir()
    (folder / "conversations.json").write_text(json.dumps(TALKS))
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
