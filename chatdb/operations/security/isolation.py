"""Tries, as an application role, to access another tenant's data; everything is rolled back.

Two organizations with two users each are created, SET ROLE switches to the role, everything it
should not be able to do is tried, and the transaction is rolled back.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

ANN, BOB = "ann", "bob"
WORD = "chatdbisolation"

_MAKE = """
INSERT INTO organizations (id, key, name, created_at)
  SELECT o, 'chatdb-isolation-' || o, 'x', now() FROM unnest(ARRAY[%(a)s, %(b)s]) AS o;
INSERT INTO conversations (organization_id, id, user_id, title, created_at, updated_at, metadata)
  VALUES (%(a)s, %(ann)s, 'ann', 't', now(), now(), '{}'),
         (%(a)s, %(bob)s, 'bob', 't', now(), now(), '{}'),
         (%(b)s, %(other)s, 'ann', 't', now(), now(), '{}');
INSERT INTO messages
  (organization_id, conversation_id, id, position, role, content, metadata, created_at)
  SELECT organization_id, id, id, 0, 'user', %(word)s, '{}', now()
  FROM conversations WHERE organization_id IN (%(a)s, %(b)s);
INSERT INTO snapshots (organization_id, conversation_id, id, state, created_at)
  SELECT organization_id, id, id, '{}', now()
  FROM conversations WHERE organization_id IN (%(a)s, %(b)s);
INSERT INTO files (organization_id, digest, size)
  SELECT id, repeat('0', 64), 1 FROM organizations WHERE id IN (%(a)s, %(b)s);
INSERT INTO message_files (organization_id, conversation_id, message_id, position, digest)
  SELECT organization_id, id, id, 0, repeat('0', 64)
  FROM conversations WHERE organization_id IN (%(a)s, %(b)s);
INSERT INTO message_embeddings (organization_id, conversation_id, message_id, model, vector)
  SELECT organization_id, id, id, 'm', '[1]'
  FROM conversations WHERE organization_id IN (%(a)s, %(b)s);
INSERT INTO message_vectors (organization_id, conversation_id, message_id, model, digest)
  SELECT organization_id, id, id, 'm', ''
  FROM conversations WHERE organization_id IN (%(a)s, %(b)s);
INSERT INTO tombstones (organization_id, conversation_id, message_id, deleted_at)
  VALUES (%(a)s, %(ann)s, %(a)s, now()), (%(b)s, %(other)s, %(b)s, now())
"""
_OTHERS = {
    "organizations": "id <> %(a)s",
    "conversations": "organization_id <> %(a)s",
    "conversation_summaries": "organization_id <> %(a)s",
    "messages": "organization_id <> %(a)s",
    "snapshots": "organization_id <> %(a)s",
    "files": "organization_id <> %(a)s",
    "message_files": "organization_id <> %(a)s",
    "message_embeddings": "organization_id <> %(a)s",
    "message_vectors": "organization_id <> %(a)s",
    "tombstones": "organization_id <> %(a)s",
}
"""Which rows of each table belong to another organization."""
_OF_USERS = (
    "conversations",
    "conversation_summaries",
    "messages",
    "snapshots",
    "message_files",
    "message_embeddings",
    "message_vectors",
)
_OTHER_USERS = {
    "conversations": "user_id IS DISTINCT FROM 'ann'",
    "conversation_summaries": "user_id IS DISTINCT FROM 'ann'",
    "messages": "conversation_id <> %(ann)s",
    "snapshots": "conversation_id <> %(ann)s",
    "message_files": "conversation_id <> %(ann)s",
    "message_embeddings": "conversation_id <> %(ann)s",
    "message_vectors": "conversation_id <> %(ann)s",
}
_MESSAGE = (
    "INSERT INTO messages"
    " (organization_id, conversation_id, id, position, role, content, metadata, created_at)"
    " VALUES ({org}, {conversation}, %(new)s, 1, 'user', 'x', '{{}}', now())"
)
_CONVERSATION = (
    "INSERT INTO conversations (organization_id, id, user_id, created_at, updated_at, metadata)"
    " VALUES ({org}, %(new)s, {user}, now(), now(), '{{}}')"
)
_SNAPSHOT = (
    "INSERT INTO snapshots (organization_id, conversation_id, id, state, created_at)"
    " VALUES (%(b)s, %(other)s, %(new)s, '{}', now())"
)
_EMBEDDING = (
    "INSERT INTO message_embeddings (organization_id, conversation_id, message_id, model, vector)"
    " VALUES (%(b)s, %(other)s, %(new)s, 'm', '[1]')"
)
_VECTOR = (
    "INSERT INTO message_vectors (organization_id, conversation_id, message_id, model, digest)"
    " VALUES (%(b)s, %(other)s, %(new)s, 'm', '')"
)
_FILE = (
    "INSERT INTO files (organization_id, digest, size) VALUES (%(b)s, repeat('1', 64), 1)",
    (
        "INSERT INTO message_files (organization_id, conversation_id, message_id, position, digest)"
        " VALUES (%(b)s, %(other)s, %(new)s, 0, repeat('0', 64))"
    ),
)
_TOMBSTONE = (
    "INSERT INTO tombstones (organization_id, conversation_id, message_id, deleted_at)"
    " VALUES (%(b)s, %(other)s, %(new)s, now())"
)
_FOREIGN_WRITES = (
    _CONVERSATION.format(org="%(b)s", user="'ann'"),
    _MESSAGE.format(org="%(b)s", conversation="%(other)s"),
    "UPDATE conversations SET title = 'x' WHERE organization_id = %(b)s",
    "UPDATE messages SET content = 'x' WHERE organization_id = %(b)s",
    "UPDATE conversations SET organization_id = %(b)s WHERE id = %(bob)s",
    "UPDATE messages SET organization_id = %(b)s, conversation_id = %(other)s WHERE id = %(bob)s",
    "DELETE FROM conversations WHERE organization_id = %(b)s",
    "DELETE FROM messages WHERE organization_id = %(b)s",
    "DELETE FROM snapshots WHERE organization_id = %(b)s",
    "DELETE FROM files WHERE organization_id = %(b)s",
    "DELETE FROM message_files WHERE organization_id = %(b)s",
    "DELETE FROM message_embeddings WHERE organization_id = %(b)s",
    "DELETE FROM message_vectors WHERE organization_id = %(b)s",
    "DELETE FROM tombstones WHERE organization_id = %(b)s",
    _SNAPSHOT,
    *_FILE,
    _EMBEDDING,
    _VECTOR,
    _TOMBSTONE,
    "UPDATE organizations SET name = 'x'",
    "DELETE FROM organizations",
    "INSERT INTO organizations (id, key, name, created_at) VALUES (%(new)s, 'x', 'x', now())",
)
_OTHER_USERS_WRITES = (
    _CONVERSATION.format(org="%(a)s", user="'bob'"),
    _CONVERSATION.format(org="%(a)s", user="NULL"),
    _MESSAGE.format(org="%(a)s", conversation="%(bob)s"),
    "UPDATE conversations SET user_id = 'bob' WHERE id = %(ann)s",
    "UPDATE conversations SET title = 'x' WHERE id = %(bob)s",
    "UPDATE messages SET content = 'x' WHERE conversation_id = %(bob)s",
    "UPDATE messages SET conversation_id = %(bob)s, position = 9 WHERE conversation_id = %(ann)s",
    "DELETE FROM conversations WHERE id = %(bob)s",
    "DELETE FROM messages WHERE conversation_id = %(bob)s",
    "DELETE FROM snapshots WHERE conversation_id = %(bob)s",
    "DELETE FROM message_files WHERE conversation_id = %(bob)s",
    "DELETE FROM message_embeddings WHERE conversation_id = %(bob)s",
    "DELETE FROM message_vectors WHERE conversation_id = %(bob)s",
)
_OWN_WRITES = (
    _MESSAGE.format(org="%(a)s", conversation="%(ann)s"),
    "UPDATE conversations SET title = 'x' WHERE id = %(ann)s",
    "DELETE FROM messages WHERE id = %(ann)s",
)
_NEVER = (
    "ALTER TABLE messages DISABLE ROW LEVEL SECURITY",
    "DROP POLICY messages_tenant ON messages",
    "TRUNCATE messages CASCADE",
    "DROP TABLE snapshots",
    "CREATE POLICY open ON messages USING (true)",
    "CREATE TABLE chatdb_isolation_probe (id int)",
    "SELECT subject FROM chatdb_log",
    "DELETE FROM chatdb_log",
    "SELECT owner FROM chatdb_leases",
    "UPDATE chatdb_settings SET value = 'x'",
    "UPDATE chatdb_version SET version_num = 'x'",
    "SET LOCAL row_security = off; SELECT count(*) FROM messages",
)
_UNSET = ("", "x", "00000000-0000-0000-0000-000000000000", "' OR true --")


@dataclass(frozen=True, slots=True)
class Proof:
    """How many attempts were made, and which succeeded that should not have (or the reverse)."""

    attempts: int
    breaches: tuple[str, ...]


def prove(
    connection: "psycopg.Connection[Any]", role: str, *, may_write: bool, schema: str | None = None
) -> Proof:
    """Try everything as the role, from a connection of the owner's or a superuser's.

    All of it is rolled back. Raises psycopg.Error if we may not switch to the role.
    """
    stage = _Stage(connection)
    with connection.transaction(force_rollback=True):
        if schema is not None:
            path = sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema))
            connection.execute(path)
        stage.make()
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        _see_nothing(stage)
        stage.be(organization=stage.ids["a"])
        _see_own(stage, _OTHERS, conversations=2)
        if may_write:
            stage.refuse(_FOREIGN_WRITES)
            stage.allow(_OWN_WRITES)
        else:
            stage.refuse(_OWN_WRITES)
        stage.be(organization=stage.ids["a"], user=ANN)
        _see_own(stage, _OTHERS | _OTHER_USERS, conversations=1)
        if may_write:
            stage.refuse(_OTHER_USERS_WRITES)
            stage.allow(_OWN_WRITES)
        stage.refuse(_NEVER)
    return Proof(stage.attempts, tuple(stage.breaches))


def prove_own(connection: "psycopg.Connection[Any]", *, schema: str | None = None) -> Proof:
    """Try what can be tried as the connected role, with organizations that do not exist."""
    stage = _Stage(connection)
    with connection.transaction(force_rollback=True):
        if schema is not None:
            path = sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema))
            connection.execute(path)
        _see_nothing(stage)
        for user in ("", ANN):
            stage.be(organization=stage.ids["a"], user=user)
            for table in _OTHERS:
                stage.see_none(f"SELECT FROM {table}", "of an organization that does not exist")
            stage.refuse(_FOREIGN_WRITES)
        stage.refuse(_NEVER)
    return Proof(stage.attempts, tuple(stage.breaches))


def _see_nothing(stage: "_Stage") -> None:
    """If the organization is not set, or is unknown, no row may be visible."""
    for value in _UNSET:
        stage.be(organization=value)
        for table in _OTHERS:
            stage.see_none(f"SELECT FROM {table}", f"app.organization_id is {value!r}")
        stage.see_none(_hits(), f"app.organization_id is {value!r}")


def _see_own(stage: "_Stage", others: Mapping[str, str], *, conversations: int) -> None:
    for table, condition in others.items():
        stage.see_none(f"SELECT FROM {table} WHERE {condition}", "of another tenant or user")
    hits = f"{_hits()} AS h WHERE h.conversation_id NOT IN (%(ann)s, %(bob)s)"
    stage.see_none(hits, "of another tenant")
    for query in (*(f"SELECT FROM {table}" for table in _OF_USERS), _hits()):
        stage.see_as_many(query, conversations)
    stage.see_as_many("SELECT FROM tombstones", 1)


def _hits() -> str:
    return "SELECT FROM chatdb_search_hits(chatdb_search_query(%(word)s))"


class _Stage:
    """The rows that were created, and the results of the attempts on them."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self.attempts = 0
        self.breaches: list[str] = []
        self._reasons: set[str] = set()
        names = ("a", "b", "ann", "bob", "other", "new")
        self.ids: dict[str, UUID] = {name: uuid4() for name in names}
        self._values: dict[str, object] = {**self.ids, "word": WORD}
        self._connection = connection

    def make(self) -> None:
        for statement in _MAKE.split(";"):
            self._execute(statement)

    def be(self, *, organization: object, user: str = "") -> None:
        """Set whose rows the role may see; without a user those of no particular one."""
        self._execute(
            "SELECT set_config('app.organization_id', %(organization)s, true),"
            " set_config('app.user_id', %(user)s, true)",
            organization=str(organization),
            user=user,
        )

    def see_none(self, query: str, why: str) -> None:
        """Note a breach if there is a row."""
        self.attempts += 1
        with self._attempt(query):
            rows = len(self._execute(query).fetchall())
            if rows:
                self.breaches.append(f"sees {rows} rows ({why}): {_shown(query)}")

    def see_as_many(self, query: str, rows: int) -> None:
        """Note if the role does not see its own rows: the other attempts would prove nothing."""
        self.attempts += 1
        with self._attempt(query):
            found = len(self._execute(query).fetchall())
            if found != rows:
                self.breaches.append(f"sees {found} rows instead of its {rows}: {_shown(query)}")

    def refuse(self, statements: Sequence[str]) -> None:
        """Note a breach for each statement that succeeds, or fails for another reason."""
        for statement in statements:
            self.attempts += 1
            try:
                with self._connection.transaction(force_rollback=True):
                    rows = self._run_all(statement)
            except psycopg.errors.InsufficientPrivilege:
                continue
            except psycopg.Error as error:
                reason = str(error).strip().partition("\n")[0]
                self.breaches.append(f"is not refused but fails: {_shown(statement)}: {reason}")
                continue
            if rows:
                self.breaches.append(f"is not refused: {_shown(statement)}")

    def allow(self, statements: Sequence[str]) -> None:
        """Note if the role cannot do what it is made for."""
        for statement in statements:
            self.attempts += 1
            with self._attempt(statement):
                if self._run_all(statement) != 1:
                    self.breaches.append(f"cannot do what its kind allows: {_shown(statement)}")

    @contextmanager
    def _attempt(self, statement: str) -> Iterator[None]:
        try:
            with self._connection.transaction(force_rollback=True):
                yield
        except psycopg.Error as error:
            reason = str(error).strip().partition("\n")[0]
            if reason not in self._reasons:
                self._reasons.add(reason)
                self.breaches.append(f"cannot run what it should: {reason}: {_shown(statement)}")

    def _run_all(self, statement: str) -> int:
        """Return how many rows it affected; a command without rows counts as one."""
        for part in statement.split("; "):
            rows = self._execute(part).rowcount
        return 1 if rows < 0 else rows

    def _execute(self, statement: str, **values: object) -> "psycopg.Cursor[Any]":
        return self._connection.execute(statement.encode(), {**self._values, **values})


def _shown(statement: str) -> str:
    """Return a statement on one line, its word filled in."""
    return " ".join(statement.split()).replace("%(word)s", f"'{WORD}'")
