"""Headings of tables: what people read where programs get the name of a field."""

_HEADINGS = {
    "chatdb_version": "chatdb version",
    "bytes": "Size",
    "id": "ID",
    "last_accessed_at": "Accessed",
    "last_activity_at": "Last active",
    "media_type": "Type",
    "message_count": "Messages",
    "messages_changed": "Changed messages",
    "messages_new": "New messages",
    "seconds": "Took",
    "sha256": "SHA-256",
    "url": "URL",
    "wal_bytes": "WAL size",
}
_ENDINGS = ("_at", "_id", "_bytes", "_seconds")


def heading(name: str) -> str:
    """Return the heading of a field: `updated_at` is Updated; a heading stays as it is."""
    if name in _HEADINGS:
        return _HEADINGS[name]
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
