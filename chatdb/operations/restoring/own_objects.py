"""Which entries of a dump are chatdb's own: a restore must have them, whatever else fails."""

from dataclasses import dataclass

from chatdb.backups.dump_entries import DumpEntry
from chatdb.db.migrating.catalogue import expected_catalogue
from chatdb.db.schema import TABLE_NAMES

_NAMED_WITH_TABLE = ("CONSTRAINT", "TRIGGER", "POLICY", "RULE")
_OF_ANOTHER = ("ACL", "COMMENT", "SECURITY LABEL")


@dataclass(frozen=True, slots=True)
class OwnObjects:
    """The names in the schema of chatdb's tables."""

    schema: str
    names: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, schema: str | None) -> "OwnObjects":
        """Return the names of this chatdb's revisions; without a schema, in public.

        Objects that an application added to chatdb's tables (an index, a trigger, a policy) do not
        count.
        """
        names = {(entry.table, entry.name) for entry in expected_catalogue("postgresql")}
        return cls(schema or "public", frozenset(names))

    def has(self, entry: DumpEntry) -> bool:
        """Tell whether an entry is one of them."""
        words = entry.name.split(" ")
        if entry.kind == "SCHEMA":
            return entry.name == self.schema
        if entry.schema != self.schema:
            return False
        if entry.kind in _OF_ANOTHER:
            return entry.kind == "ACL" and len(words) > 1 and words[1] in TABLE_NAMES
        if entry.kind == "INDEX":
            return any(words[0] == name for _, name in self.names)
        if entry.kind == "FUNCTION":
            return words[0].startswith("chatdb_")
        if entry.kind.endswith(_NAMED_WITH_TABLE):
            return len(words) > 1 and (words[0], words[1]) in self.names
        return words[0] in TABLE_NAMES
