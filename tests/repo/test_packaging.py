"""The wheel and the source archive work away from the checkout, without development tools."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# One worker builds; the others would only do the same work again.
pytestmark = pytest.mark.xdist_group("packaging")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, built by the same backend as `make wheel`."""
    folder = tmp_path_factory.mktemp("dist")
    script = (
        "import sys; from hatchling.build import build_sdist, build_wheel;"
        "build_sdist(sys.argv[1]); build_wheel(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], cwd=ROOT, check=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `chatdb` of a fresh environment with the wheel and what it requires, nothing else.

    pip installs the wheel; its requirements are links to those of this environment, for
    downloading them again would test the network. What the wheel does not require is absent.
    """
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    wheel = next(built.glob("*.whl"))
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for source in required_packages():
        (packages / source.name).symlink_to(source)
    return folder / "bin" / "chatdb"


def required_packages() -> set[Path]:
    """Return the top-level files of everything that chatdb requires, however indirectly."""
    from importlib.metadata import distribution
    from tomllib import loads

    from packaging.requirements import Requirement

    project = loads((ROOT / "pyproject.toml").read_text())["project"]
    pending = [Requirement(line) for line in project["dependencies"]]
    names: set[str] = set()
    found: set[Path] = set()
    while pending:
        wanted = pending.pop()
        if wanted.name in names:
            continue
        names.add(wanted.name)
        dist = distribution(wanted.name)
        for line in dist.requires or []:
            child = Requirement(line)
            extras = [{"extra": extra} for extra in (*wanted.extras, "")]
            if child.marker is None or any(child.marker.evaluate(extra) for extra in extras):
                pending.append(child)
        for file in dist.files or []:
            if file.parts[0] not in ("..", "__pycache__"):
                found.add(Path(str(dist.locate_file(file.parts[0]))))
    return found


def run(command: Path, *words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the installed command in a folder, without this checkout in sight."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    return subprocess.run(
        [command, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def test_the_wheel_carries_the_migrations_and_the_compose_file(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())

    versions = {path.name for path in (ROOT / "migrations/versions").glob("*.py")}
    assert {f"chatdb/_migrations/versions/{name}" for name in versions} <= names
    assert {"chatdb/_migrations/env.py", "chatdb/_compose/docker-compose.dev.yml"} <= names
    assert {
        "chatdb/project_files/docker-compose.production.yml",
        "chatdb/project_files/Dockerfile.chatdb",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "migrations/", "docs/"))]


def test_the_source_archive_has_what_building_needs(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "docker-compose.dev.yml",
        "migrations/env.py",
        "migrations/script.py.mako",
        "docs/examples/chatgpt-export.json",
        "chatdb/__main__.py",
    } <= names


def test_the_installed_command_works_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    example = ROOT / "docs/examples/chatgpt-export.json"

    migrated = run(installed, "migrate", folder=tmp_path)
    imported = run(installed, "import", str(example), "--format", "json", folder=tmp_path)
    found = run(installed, "search", "dough", "--format", "jsonl", folder=tmp_path)

    assert (migrated.returncode, imported.returncode, found.returncode) == (0, 0, 0), (
        migrated.stderr + imported.stderr + found.stderr
    )
    assert found.stdout.count("\n") >= 1
    assert (tmp_path / "data" / "chatdb.db").is_file()


def test_the_installed_command_has_the_compose_file(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "init", folder=tmp_path).returncode == 0

    name = "docker-compose.dev.yml"
    assert (tmp_path / name).read_text() == (ROOT / name).read_text()


def test_the_installed_command_needs_no_development_package(
    installed: Path, tmp_path: Path
) -> None:
    for words in (("--version",), ("--help",), ("formats",), ("config", "show")):
        assert run(installed, *words, folder=tmp_path).returncode == 0
