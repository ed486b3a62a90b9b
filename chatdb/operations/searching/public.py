"""All that other nouns of operations may import of searching."""

from chatdb.operations.searching.found import FoundConversations, find_conversations
from chatdb.operations.searching.query import parse
from chatdb.operations.searching.search import SearchOptions, search
from chatdb.operations.searching.search_index import (
    LOOK_SECONDS,
    SearchIndexReport,
    check_search_index,
    look_at_search_index,
    rebuild_search_index,
    search_index_warning,
)
from chatdb.operations.searching.words import Matcher

__all__ = [
    "LOOK_SECONDS",
    "FoundConversations",
    "Matcher",
    "SearchIndexReport",
    "SearchOptions",
    "check_search_index",
    "find_conversations",
    "look_at_search_index",
    "parse",
    "rebuild_search_index",
    "search",
    "search_index_warning",
]
