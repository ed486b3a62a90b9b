"""Databases of PostgreSQL with two tenants and the roles of an application."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.operations.security import roles
from chatdb.operations.security.roles import RoleKind
from tests.operations.tenants import Tenant, two_tenants
from tests.postgres_server import PASSWORD, PostgresServer


@dataclass(frozen=True)
class Deployment:
    """A database with the addresses of its owner, its application and its reports."""

    owner: DatabaseUrl
    app: DatabaseUrl
    readonly: DatabaseUrl
    first: Tenant
    second: Tenant
    schema: str | None = None

    def open(self, url: DatabaseUrl, *, user: str | None = None) -> Database:
        """Open it for the first tenant."""
        handle = Database.open(url, schema=self.schema, keep=True)
        return handle.for_tenant(self.first.id, user)


@contextmanager
def deployed(owner: DatabaseUrl, *, schema: str | None = None) -> Iterator[Deployment]:
    """Make tenants and roles in a migrated database; take the roles away at the end."""
    names = {kind: f"{kind.value}_{owner.database}" for kind in RoleKind}
    with Database.open(owner, schema=schema) as database:
        first, second = two_tenants(database)
        for kind, name in names.items():
            roles.create(database, kind, name, password=PASSWORD)
        app, readonly = (
            replace(owner, user=names[kind], password=PASSWORD)
            for kind in (RoleKind.APP, RoleKind.READONLY)
        )
        try:
            yield Deployment(owner, app, readonly, first, second, schema)
        finally:
            for role in roles.list_roles(database):
                if role.name in names.values():
                    roles.drop(database, role.name)


@contextmanager
def new_deployment(postgres: PostgresServer, template: str) -> Iterator[Deployment]:
    """Make a database of its own with tenants and roles."""
    with postgres.new_database(template=template) as url, deployed(url) as made:
        yield made
