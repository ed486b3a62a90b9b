"""All that other nouns of operations may import of schema."""

from chatdb.operations.schema import environment
from chatdb.operations.schema.check import SEARCH_INDEX, SEARCH_KIND, check, is_of_search_index
from chatdb.operations.schema.plan import Loss, losses, plan_downgrade
from chatdb.operations.schema.schema import holds_nothing

__all__ = [
    "SEARCH_INDEX",
    "SEARCH_KIND",
    "Loss",
    "check",
    "environment",
    "holds_nothing",
    "is_of_search_index",
    "losses",
    "plan_downgrade",
]
