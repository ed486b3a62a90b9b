"""The result of a database's last smoke test, stored in `chatdb_settings`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

KEY = "smoke_test"


class SmokeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run: when it ended, how long it took, how many checks passed, which failed."""

    finished_at: datetime
    outcome: Literal["passed", "failed"]
    passed: int
    failed: tuple[str, ...]
    seconds: float
    chatdb: str


def read_record(settings: Mapping[str, str]) -> SmokeRecord | None:
    """Return the record in the settings; None if there is no readable one."""
    text = settings.get(KEY)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=SmokeRecord)
    except msgspec.DecodeError:
        return None


def record_text(record: SmokeRecord) -> str:
    """Return the record as it is stored."""
    return msgspec.json.encode(record).decode()
