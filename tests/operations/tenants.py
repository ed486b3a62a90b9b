"""Two organizations with two users each, for every test of isolation."""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import snapshots
from chatdb.records import organization_id_of
from tests.operations.conversation_rows import START, add_conversation, add_organization

ACME, GLOBEX = "acme", "globex"
USERS = ("ann", "bob")
HOSTILE_TEXTS = (
    "'",
    "' OR '1'='1",
    "'; DROP TABLE messages; --",
    "%",
    "_",
    "a%",
    "\\",
    "\\'",
    '"',
    "$$",
    "%s",
    ":user",
    "a\x00b",
    "\udcff",
    "\u202eann",
    "\uff41nn",
    "ann\n",
    "漢字 🏮",
)
"""What somebody may type, or an application hand on, where an id or a key is asked for."""


@dataclass(frozen=True)
class Tenant:
    """An organization, and the conversation of each user in it."""

    key: str
    id: UUID
    conversations: dict[str, UUID]


def two_tenants(database: Database) -> tuple[Tenant, Tenant]:
    """Make two organizations whose users have the same ids, each with words of its own.

    Every conversation has two messages and a snapshot; all have the word "shared".
    """
    first, second = (_tenant(database, key, start) for key, start in ((ACME, 10), (GLOBEX, 20)))
    return first, second


def _tenant(database: Database, key: str, start: int) -> Tenant:
    organization = add_organization(database, key)
    made = {
        user: add_conversation(
            database,
            [f"shared secret of {user} at {key}: {key}{user}", f"shared answer {key}"],
            number=start + place,
            organization=key,
            title=f"shared title {key} {user}",
            user_id=user,
        )
        for place, user in enumerate(USERS)
    }
    with database.transaction(write=True) as connection:
        for identifier in made.values():
            connection.execute(
                sa.insert(snapshots).values(
                    organization_id=organization,
                    conversation_id=identifier,
                    id=identifier,
                    state={"of": key},
                    created_at=START,
                )
            )
    assert organization == organization_id_of(key)
    return Tenant(key, organization, made)
