"""All that other nouns of operations may import of smoke_test."""

from chatdb.operations.smoke_test.record import SmokeRecord, read_record

__all__ = ["SmokeRecord", "read_record"]
