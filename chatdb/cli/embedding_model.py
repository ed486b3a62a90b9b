"""The model of embeddings that a command means, and the endpoint that is set for it."""

from functools import partial
from typing import TYPE_CHECKING, Protocol

from chatdb.cli.context import CommandContext

if TYPE_CHECKING:
    from chatdb.db.database import Database
    from chatdb.operations.embeddings.models import Endpoint, Model
    from chatdb.operations.searching.search_page import SearchOptions, SearchPage
    from chatdb.store.every_organization import Scope


class WayToSearch(Protocol):
    """`search` or `search_by_meaning`."""

    def __call__(
        self,
        database: "Database",
        text: str,
        /,
        *,
        organization_key: "Scope",
        options: "SearchOptions",
    ) -> "SearchPage":
        """Return the hits."""


def way_to_search(
    command: CommandContext, *, like: str | None, hybrid: bool, model: str | None
) -> WayToSearch:
    """Return what searches as the options of `chatdb search` say."""
    if like is None and not hybrid:
        from chatdb.operations.searching.search import search

        return search
    from chatdb.operations.searching.meaning import Meaning, search_by_meaning

    wanted = Meaning(model=model_meant(command, model), like=like, hybrid=hybrid)
    return partial(search_by_meaning, meaning=wanted)


def model_meant(command: CommandContext, name: str | None) -> "Model":
    """Return the model of an option, else of the settings, else the packaged one."""
    from chatdb.operations.embeddings.models import open_model

    return open_model(name_meant(command, name), endpoint_set(command))


def name_meant(command: CommandContext, name: str | None) -> str | None:
    """Return the name of an option, else of the settings; None for the packaged one."""
    setting = command.config.embeddings.model
    return name or (None if setting is None else setting.value)


def endpoint_set(command: CommandContext) -> "Endpoint | None":
    """Return the endpoint of the settings; raises ConfigurationError for one of another place.

    A cloned folder must choose neither where messages are sent nor who gets the key.
    """
    from chatdb.errors import ConfigurationError
    from chatdb.operations.embeddings.models import Endpoint

    settings, database = command.config.embeddings, command.config.database_url.source
    if settings.url is None:
        return None
    is_projects = settings.url.source.startswith(".env")
    if is_projects and not database.startswith((".env", "default")):
        raise ConfigurationError(
            f"the embeddings API of {settings.url.source} is not used: the database comes"
            f" from {database}",
            hint="set CHATDB_EMBEDDINGS_URL there, too",
        )
    key = settings.key
    if key is not None and key.source.startswith(".env") != is_projects:
        raise ConfigurationError(
            f"the key of the embeddings API comes from {key.source}, its address from"
            f" {settings.url.source}",
            hint="set CHATDB_EMBEDDINGS_KEY and CHATDB_EMBEDDINGS_URL in one place",
        )
    value = None if key is None else key.value
    return Endpoint(settings.url.value, value, settings.url.source)
