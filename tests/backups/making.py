"""Manifests for the tests of what is built on them."""

from datetime import UTC, datetime
from typing import Any

from chatdb.backups.contents import Contents, OrganizationContents
from chatdb.backups.manifest import BackupFile, Manifest

AT = datetime(2026, 11, 25, 19, 33, tzinfo=UTC)


def contents(**changes: Any) -> Contents:
    """Return the contents of a database with one organization of two conversations."""
    organization = OrganizationContents(
        key="default",
        id="00000000-0000-0000-0000-000000000001",
        conversations=2,
        messages=5,
        newest_message_at=AT,
        content_hash="ab" * 32,
    )
    fields: dict[str, Any] = {
        "revision": "0003",
        "rows": {"conversations": 2, "messages": 5},
        "organizations": (organization,),
        "newest_message_at": AT,
        "content_hash": "cd" * 32,
    }
    return Contents(**{**fields, **changes})


def manifest(name: str = "relay_20261125T193300Z", **changes: Any) -> Manifest:
    """Return a manifest of a full PostgreSQL backup; `changes` are fields that differ."""
    fields: dict[str, Any] = {
        "name": name,
        "kind": "custom",
        "database": "relay",
        "database_kind": "postgresql",
        "schema": "public",
        "created_at": AT,
        "seconds": 1.25,
        "chatdb_version": "0.1.0",
        "tool": "pg_dump",
        "tool_version": "18.6",
        "server_version": "18.6",
        "revision": "0003",
        "compression": "zstd",
        "files": (BackupFile(f"{name}.dump.zst", 100, "0" * 64),),
        "unpacked_bytes": 300,
        "contents": contents(),
    }
    return Manifest(**{**fields, **changes})
