"""The JSON schema of the native format, made of the columns; docs/native-format.schema.json is it.

`python -m tests.store.write_native_schema` writes the file anew.
"""

from typing import Any

from chatdb.store.columns import columns_of

_DEFINED = {
    "conversation": "conversations",
    "message": "messages",
    "snapshot": "snapshots",
    "file": "message_files",
    "embedding": "message_embeddings",
}
"""The records, and the tables that their fields stand in; a file's bytes are those of `files`."""


def _object(properties: dict[str, Any], *, required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


_SHARED: dict[str, Any] = {
    "time": {
        "description": "RFC 3339 in UTC with up to six digits of a second.",
        "type": "string",
        "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$",
    },
    "id": {
        "description": "A UUID in lower case.",
        "type": "string",
        "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    },
    "vector": {
        "description": "Numbers of IEEE 754 binary32, written in full.",
        "type": "array",
        "minItems": 1,
        "maxItems": 16000,
        "items": {"type": "number"},
    },
    "header": _object(
        {
            "format": {"const": "chatdb"},
            "version": {"const": 2},
            "created": {"$ref": "#/$defs/time"},
            "source": {"type": "string"},
        },
        required=["format", "version"],
    ),
}
"""What the records use, and the header."""

_LABELS = {
    "organization": {
        "description": "The key of the organization that the conversation belongs to.",
        "type": "string",
    },
    "organization_name": {
        "description": "That organization's name, where it is not the key.",
        "type": "string",
    },
}


def native_schema() -> dict[str, Any]:
    """Return the schema of a line of the native format."""
    definitions = _SHARED | {name: _record(table) for name, table in _DEFINED.items()}
    conversation = definitions["conversation"]["properties"]
    definitions["conversation"]["properties"] = {
        "id": conversation.pop("id"),
        **_LABELS,
        **conversation,
        "messages": _list("message", "Every message of every branch, parents before children."),
        "snapshots": _list("snapshot"),
        "files": _list("file", "By ascending message_id and position, one of each pair."),
        "embeddings": _list("embedding", "By ascending message_id and model, one of each pair."),
    }
    of_bytes = [each for each in columns_of("files") if each.native and each.name != "digest"]
    definitions["file"]["properties"] |= {each.name: each.kind.json for each in of_bytes}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:chatdb:native:2",
        "title": "A line of chatdb's native format, version 2",
        "description": "The first line of a file is a header; every other line is a conversation.",
        "oneOf": [{"$ref": "#/$defs/header"}, {"$ref": "#/$defs/conversation"}],
        "$defs": definitions,
    }


def _record(table: str) -> dict[str, Any]:
    fields = [column for column in columns_of(table) if column.native]
    return _object(
        {column.name: column.kind.json for column in fields},
        required=[column.name for column in fields if column.absent == "never"],
    )


def _list(name: str, description: str = "") -> dict[str, Any]:
    told = {"description": description} if description else {}
    return {**told, "type": "array", "minItems": 1, "items": {"$ref": f"#/$defs/{name}"}}
