"""The table of variables has every name that is read, and the template says what is so."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from chatdb import config
from chatdb.variables import VARIABLES, env_template

ROOT = Path(__file__).resolve().parents[1]
NAMES = {name for variable in VARIABLES for name in variable.names}


class Recording(Mapping[str, str]):
    """An environment that remembers which names were looked for."""

    def __init__(self, **values: str) -> None:
        self.values_of = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_of[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_of)

    def __len__(self) -> int:
        return len(self.values_of)


def uncommented(template: str) -> str:
    """Return the template with its settings in force."""
    return re.sub(r"(?m)^#(?=[A-Z_]+=)", "", template)


def test_every_variable_that_is_read_is_in_the_table(tmp_path: Path) -> None:
    empty, libpq = Recording(), Recording(PGHOST="db.example")

    config.load(environment=empty, directory=tmp_path)
    config.load(environment=libpq, directory=tmp_path)
    config.uses_color(empty)

    asked = empty.asked | libpq.asked
    assert asked >= {"DATABASE_URL", "CHATDB_ORG", "CHATDB_DEV_PORT", "PGHOST", "NO_COLOR"}
    assert asked - NAMES == set()


def test_no_name_in_the_sources_is_missing_in_the_table() -> None:
    sources = [
        *(ROOT / "chatdb").rglob("*.py"),
        *(ROOT / "chatdb" / "project_files").iterdir(),
        ROOT / "docker-compose.dev.yml",
    ]
    found = {
        name
        for path in sources
        if path.is_file()
        for name in re.findall(
            r"\bCHATDB_(?!VERSION|IMAGE|EXTRAS|TEST)[A-Z_]+[A-Z]\b", path.read_text()
        )
    }

    assert found
    assert found - NAMES == set()


def test_the_template_names_every_variable_once() -> None:
    lines = re.findall(r"(?m)^#([A-Z_]+)=", env_template())

    assert sorted(lines) == sorted(variable.names[-1] for variable in VARIABLES)
    assert [name for name in NAMES if name not in env_template()] == []


def test_the_template_as_it_stands_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(env_template())

    found = config.load(environment={}, directory=tmp_path)

    assert found == config.load(environment={}, directory=tmp_path / "elsewhere")
    assert found.notes == ()


def test_the_values_of_the_template_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(uncommented(env_template()))

    found = config.load(environment={}, directory=tmp_path)
    without = config.load(environment={}, directory=tmp_path / "elsewhere")

    assert found.notes == ()
    assert found.database_url.source.startswith(".env line")
    assert (found.database_url.value, found.org.value) == (
        without.database_url.value,
        without.org.value,
    )
    for name in ("image", "port", "user", "password", "database"):
        in_file, default = getattr(found.dev, name), getattr(without.dev, name)
        assert in_file.source.startswith(".env line")
        assert in_file.value == default.value


def test_what_the_template_shows_as_an_example_is_set_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(uncommented(env_template()))

    found = config.load(environment={}, directory=tmp_path)
    without = config.load(environment={}, directory=tmp_path / "elsewhere")

    assert found.direct_url is not None
    assert found.schema is not None
    assert (without.direct_url, without.schema) == (None, None)


def test_the_pager_of_the_template_is_the_default() -> None:
    match = re.search(r"(?m)^#PAGER=(.*)$", env_template())

    assert match is not None
    assert match[1] == config.load(environment={}, directory=Path("nowhere")).pager.value
