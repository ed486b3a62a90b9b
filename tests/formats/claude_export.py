"""Parts of Claude.ai exports since August 2026, made up for tests."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

ACCOUNT = "0a1b2c3d-0000-4000-8000-0000000000ac"
PROJECT = "0a1b2c3d-0000-4000-8000-0000000000b1"
DOCUMENT = "0a1b2c3d-0000-4000-8000-0000000000d0"
ARTIFACT = "0a1b2c3d-0000-4000-8000-0000000000a7"
MADE = "2026-08-01T10:00:00.000000Z"
CHANGED = "2026-09-01T10:00:00.000000Z"


def document(content: Any = "five percent brine", **fields: Any) -> dict[str, Any]:
    made = {"uuid": DOCUMENT, "filename": "brine.md", "content": content, "created_at": MADE}
    return made | fields


def project(*documents: Any, **fields: Any) -> dict[str, Any]:
    return {
        "uuid": PROJECT,
        "name": "Kitchen",
        "description": "about pickles",
        "is_private": True,
        "is_starter_project": False,
        "prompt_template": "",
        "created_at": MADE,
        "updated_at": MADE,
        "creator": {"uuid": ACCOUNT, "full_name": "Ann Example"},
        "docs": list(documents),
    } | fields


def memories(own: Any = "likes pickles", **fields: Any) -> dict[str, Any]:
    return {"account_uuid": ACCOUNT, "conversations_memory": own} | fields


def version(identifier: Any, **fields: Any) -> dict[str, Any]:
    return {"id": identifier, "title": "Till", "description": "", "created_at": MADE} | fields


def artifact(*versions: Any, **fields: Any) -> dict[str, Any]:
    return {
        "id": ARTIFACT,
        "kind": "artifact",
        "visibility": "private",
        "versions": list(versions),
        "owner_account": ACCOUNT,
        "updated_at": CHANGED,
        "active_version": versions[-1]["id"] if versions else None,
    } | fields


def artifact_files(value: dict[str, Any], **files: Any) -> dict[str, Any]:
    """Return the files of an artifact by path; `v1__html` is the file `versions/v1.html`."""
    folder = f"artifacts/{value['id']}/"
    named = {f"versions/{name.replace('__', '.')}": text for name, text in files.items()}
    return {folder + "artifact.json": value, **{folder + name: named[name] for name in named}}


def written(path: Path, files: dict[str, Any]) -> Path:
    """Write files into a folder, or into a zip where the name says so."""
    if path.suffix == ".zip":
        path.write_bytes(zipped(files))
        return path
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(_bytes(content))
    return path


def zipped(files: dict[str, Any]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, _bytes(content))
    return data.getvalue()


def _bytes(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    return content.encode() if isinstance(content, str) else json.dumps(content).encode()
