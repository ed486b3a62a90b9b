"""Which boot of this machine it is: processes and locks of an earlier one are gone."""

from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return the id that Linux gives each boot; elsewhere the same text always."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return "boot"
