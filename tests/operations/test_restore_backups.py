"""chatdb's own backups brought back: compared with their manifest, or refused."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chatdb.backups.manifest import Manifest, decode, encode
from chatdb.db.migrating.scripts import head_revision
from chatdb.db.url import DatabaseUrl
from tests.operations.restoring import Run, contents, conversations_in, execute, fill, kept_removed


@pytest.fixture
def filled(database_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A database with three conversations; the current directory is for the backups."""
    monkeypatch.chdir(tmp_path)
    fill(database_url)
    with kept_removed(database_url):
        yield database_url


@pytest.fixture
def chatdb(run: Run, filled: DatabaseUrl) -> Run:
    """Run a command on it that must not fail; returns its answer."""

    def call(*words: str, code: int = 0) -> Any:
        done = run(*words, "--database-url", filled.exposed())
        assert done.exit_code == code, done.stderr + done.stdout
        return done

    return call


@pytest.fixture
def backup(chatdb: Run, filled: DatabaseUrl) -> Path:
    """The backup's archive; one conversation has been deleted since."""
    made = json.loads(chatdb("backup", "create", "--format", "json").stdout)
    execute(filled, "DELETE FROM conversations WHERE title LIKE '% 3'")
    return Path(made["file"])


def manifest_of(archive: Path) -> Path:
    """Return the manifest beside an archive."""
    return next(archive.parent.glob(archive.name.partition(".")[0] + ".manifest.json"))


def change_manifest(archive: Path, **fields: Any) -> Manifest:
    """Write the manifest anew with other fields, its digest being right."""
    path = manifest_of(archive)
    manifest = msgspec.structs.replace(decode(path.read_bytes(), name=path.name), **fields)
    path.write_bytes(encode(manifest))
    return manifest


def test_the_latest_backup_comes_back_as_its_manifest_says(
    chatdb: Run, filled: DatabaseUrl, backup: Path
) -> None:
    would = json.loads(chatdb("restore", "latest", "--dry-run", "--format", "json").stdout)
    done = json.loads(chatdb("restore", "latest", "--yes", "--format", "json").stdout)

    assert (would["conversations"], would["messages"], would["revision"]) == (3, 6, head_revision())
    assert (done["conversations"], done["messages"]) == (3, 6)
    assert done["rows"]["messages"] == 6
    assert done["kept"]
    manifest = decode(manifest_of(backup).read_bytes(), name="")
    assert contents(filled).content_hash == manifest.contents.content_hash


@pytest.mark.parametrize("harm", ["cut", "flipped", "swapped", "manifest", "no manifest"])
def test_a_file_that_is_not_what_was_written_is_refused_before_anything(
    chatdb: Run, filled: DatabaseUrl, backup: Path, harm: str
) -> None:
    data = bytearray(backup.read_bytes())
    if harm == "cut":
        backup.write_bytes(data[:-7])
    elif harm == "flipped":
        data[len(data) // 2] ^= 1
        backup.write_bytes(data)
    elif harm == "swapped":
        made = json.loads(chatdb("backup", "create", "--format", "json").stdout)
        shutil.copy(made["file"], backup)
    elif harm == "manifest":
        manifest = manifest_of(backup)
        manifest.write_text(manifest.read_text().replace('"messages": 6', '"messages": 7', 1))
    else:
        manifest_of(backup).unlink()

    refused = chatdb("restore", backup, "--yes", code=1)

    assert backup.name.partition(".")[0] in refused.stderr
    assert conversations_in(filled) == 2
    chatdb("restore", "--undo", "--dry-run", code=5)


def test_a_database_that_is_not_what_the_manifest_says_is_never_put(
    chatdb: Run, filled: DatabaseUrl, backup: Path
) -> None:
    manifest = decode(manifest_of(backup).read_bytes(), name="")
    organization = msgspec.structs.replace(
        manifest.contents.organizations[0], content_hash="0" * 64, messages=7
    )
    wrong = msgspec.structs.replace(
        manifest.contents,
        rows={**manifest.contents.rows, "messages": 7},
        organizations=(organization,),
    )
    change_manifest(backup, contents=wrong)

    refused = chatdb("restore", backup, "--yes", code=1)

    assert "messages has 6 rows, not 7" in refused.stderr
    assert conversations_in(filled) == 2


def test_a_schema_of_a_newer_chatdb_is_told_before_anything(chatdb: Run, backup: Path) -> None:
    change_manifest(backup, revision="9999")

    assert "made by a newer chatdb" in chatdb("restore", backup, "--yes", code=4).stderr


def test_one_organization_comes_back_alone(chatdb: Run, filled: DatabaseUrl) -> None:
    made = json.loads(chatdb("backup", "create", "--org", "default", "--format", "json").stdout)
    execute(filled, "DELETE FROM messages", "DELETE FROM conversations")

    done = json.loads(chatdb("restore", made["file"], "--format", "json").stdout)

    assert (done["new"], done["messages_new"], done["organization"]) == (3, 6, "default")
    assert conversations_in(filled) == 3


def test_the_latest_into_another_place_is_that_of_the_database_that_is_configured(
    run: Run, sqlite_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(sqlite_url)
    words = ("-d", sqlite_url.exposed())
    run("backup", "create", *words)

    done = run("restore", "latest", "--into", "sqlite:///staging.db", *words)

    assert done.exit_code == 0, done.stderr
    assert conversations_in(DatabaseUrl(dialect_name="sqlite", path=tmp_path / "staging.db")) == 3


# --- PostgreSQL --------------------------------------------------------------------------------


@pytest.fixture
def server_database(
    postgresql_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DatabaseUrl]:
    """A PostgreSQL database with three conversations."""
    monkeypatch.chdir(tmp_path)
    fill(postgresql_url)
    with kept_removed(postgresql_url):
        yield postgresql_url


def test_a_directory_is_restored_with_several_jobs(run: Run, server_database: DatabaseUrl) -> None:
    words = ("-d", server_database.exposed())
    assert run("backup", "create", "--jobs", "2", *words).exit_code == 0
    execute(server_database, "DELETE FROM conversations")

    done = run("restore", "latest", "--jobs", "2", "--yes", *words)

    assert done.exit_code == 0, done.stderr
    assert conversations_in(server_database) == 3


def test_in_place_keeps_a_backup_and_prints_the_way_back(
    run: Run, server_database: DatabaseUrl
) -> None:
    words = ("-d", server_database.exposed())
    run("backup", "create", *words)
    first = next(Path("backups").glob("*.dump*"))
    execute(server_database, "DELETE FROM conversations WHERE title LIKE '% 3'")

    would = run("restore", first, "--in-place", "--dry-run", *words)
    assert "would replace the tables of" in would.stdout
    done = run("restore", first, "--in-place", "--yes", *words)

    assert done.exit_code == 0, done.stderr
    assert conversations_in(server_database) == 3
    saved = done.stderr.split("to restore them: ")[1].split(" restore ")[1].split()[0]
    assert "chatdb -d 'postgresql://" in done.stderr
    assert run("restore", saved, "--in-place", "--yes", *words).exit_code == 0
    assert conversations_in(server_database) == 2


@pytest.mark.parametrize(("part", "reason"), [("schema", "revision"), ("data", "no schema")])
def test_a_part_of_a_database_is_none(
    run: Run, server_database: DatabaseUrl, part: str, reason: str
) -> None:
    words = ("-d", server_database.exposed())
    run("backup", "create", f"--{part}-only", *words)

    done = run("restore", next(Path("backups").glob(f"*_{part}.dump*")), "--yes", *words)

    assert done.exit_code == 2
    assert reason in done.stderr


@pytest.mark.parametrize("in_place", [(), ("--in-place",)])
def test_owners_rights_and_policies_are_those_of_the_place(
    run: Run, server_database: DatabaseUrl, in_place: tuple[str, ...]
) -> None:
    words = ("-d", server_database.exposed())
    owner, app, former = (f"{name}_{server_database.database}" for name in ("owner", "app", "old"))
    execute(
        server_database,
        *(f"CREATE ROLE {role}" for role in (owner, app, former)),
        f"GRANT SELECT ON messages TO {former}",
        f"GRANT SELECT (title) ON conversations TO {former}",
    )
    run("backup", "create", *words)
    execute(
        server_database,
        f"REVOKE ALL ON messages, conversations FROM {former}",
        f"GRANT SELECT, INSERT ON messages TO {app}",
        f"GRANT UPDATE (title) ON conversations TO {app}",
        f"ALTER TABLE messages OWNER TO {owner}",
        "ALTER TABLE snapshots FORCE ROW LEVEL SECURITY",
        f'CREATE POLICY "it\'s mine" ON snapshots FOR SELECT TO {app} USING (state IS NOT NULL)',
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {app}",
        "REVOKE EXECUTE ON FUNCTION chatdb_touch_conversations() FROM PUBLIC",
    )
    query = """
        SELECT relname, relowner::regrole::text, relrowsecurity, relforcerowsecurity,
          ARRAY(SELECT a::text FROM aclexplode(coalesce(relacl, acldefault('r', relowner))) a
                ORDER BY 1),
          ARRAY(SELECT attacl::text FROM pg_attribute WHERE attrelid = c.oid
                AND attacl <> '{}' ORDER BY 1),
          ARRAY(SELECT a::text FROM pg_policy a WHERE polrelid = c.oid ORDER BY 1) <> '{}'
        FROM pg_class c WHERE relname IN ('messages', 'conversations', 'snapshots') ORDER BY 1"""
    rights = execute(server_database, query)
    policies = execute(
        server_database, "SELECT tablename, policyname, roles, qual FROM pg_policies ORDER BY 1, 2"
    )

    done = run("restore", "latest", "--yes", *in_place, *words)

    assert done.exit_code == 0, done.stderr
    assert execute(server_database, query) == rights
    assert policies == execute(
        server_database, "SELECT tablename, policyname, roles, qual FROM pg_policies ORDER BY 1, 2"
    )
    functions = "SELECT proacl::text FROM pg_proc WHERE proname = 'chatdb_touch_conversations'"
    assert "=X/" not in execute(server_database, functions)[0][0].replace("chatdb=X/", "")
    assert execute(server_database, "SELECT count(*) FROM pg_default_acl") == [(1,)]


@pytest.mark.large
@pytest.mark.postgresql
def test_vectors_of_pgvector_come_back_beside_and_in_place(
    run: Run, pgvector_url: DatabaseUrl, tmp_path: Path
) -> None:
    fill(pgvector_url)
    write = """INSERT INTO message_embeddings
        SELECT organization_id, conversation_id, id, 'm', '[0.1,-2.5]' FROM messages"""
    execute(pgvector_url, write)
    read = "SELECT message_id, vector::text FROM message_embeddings ORDER BY message_id"
    before = execute(pgvector_url, read)
    words = ("-d", pgvector_url.exposed())
    made = run("backup", "create", "--output", tmp_path, *words, "--format", "json")
    backup = json.loads(made.stdout)["file"]
    manifest = run("backup", "show", backup, "--format", "json")
    assert json.loads(manifest.stdout)["rows"]["message_embeddings"] == len(before) == 6

    with kept_removed(pgvector_url):
        for way in ((), ("--in-place",)):
            execute(pgvector_url, "DELETE FROM message_embeddings")
            done = run("restore", backup, "--yes", *way, *words)
            assert done.exit_code == 0, done.stderr
            assert execute(pgvector_url, read) == before
