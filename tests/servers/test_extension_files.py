"""Which extensions a server could make, by the files beside its programs."""

from pathlib import Path

from chatdb.servers.extension_files import extensions_of
from chatdb.servers.postgres_tools import Program


def test_they_are_found_beside_the_programs_in_a_folder_of_any_name(tmp_path: Path) -> None:
    home = tmp_path / "{major} and {more}"
    (home / "bin").mkdir(parents=True)
    folder = home / "share" / "postgresql@18" / "extension"
    folder.mkdir(parents=True)
    (folder / "vector.control").touch()
    path = home / "bin" / "postgres"
    program = Program(name="postgres", path=path, version=(18, 6), source="here")

    assert extensions_of(program, ["vector", "missing_one"]) == {"vector"}
