"""All that other nouns of operations may import of organizations."""

from chatdb.operations.organizations import organizations, users
from chatdb.operations.organizations.organizations import DEFAULT, check_key, check_name, require
from chatdb.operations.organizations.users import check_id

__all__ = ["DEFAULT", "check_id", "check_key", "check_name", "organizations", "require", "users"]
