"""All that other nouns of operations may import of doctor."""

from chatdb.operations.doctor.findings import Check, Finding, error, examined, info, ok, warning

__all__ = ["Check", "Finding", "error", "examined", "info", "ok", "warning"]
