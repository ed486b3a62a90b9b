"""All that other nouns of operations may import of security."""

from chatdb.operations.security.isolation import prove
from chatdb.operations.security.roles import Role, list_roles

__all__ = ["Role", "list_roles", "prove"]
