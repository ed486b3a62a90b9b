"""What a fresh machine lacks is installed, or left out by name; only CI fails for it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_ci_runs_what_make_check_runs() -> None:
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert "make check" in script.read_text()


@dataclass(frozen=True)
class Machine:
    """A machine of stand-ins: `.ci/install` with an apt-get that tells what it was asked for."""

    folder: Path

    @classmethod
    def new(cls, folder: Path, *, user: int) -> "Machine":
        checkout = folder / "checkout"
        for name in ("bin", "checkout/.ci", "checkout/.venv/bin"):
            (folder / name).mkdir(parents=True)
        for name in ("dirname", "rm", "mkdir", "touch", "chmod"):
            (folder / "bin" / name).symlink_to(shutil.which(name) or "")
        machine = cls(folder)
        # A package that this distribution lacks is refused.
        refuses = 'echo "apt-get $*" >> asked\ncase "$*" in *docker-compose*) exit 100; esac'
        machine.write("bin/apt-get", refuses)
        machine.write("bin/id", f"echo {user}")
        made = ".ci/compose/bin"
        machine.write(
            "checkout/.venv/bin/python",
            f"mkdir -p {made} && touch {made}/docker-compose && chmod +x {made}/docker-compose",
        )
        script = (ROOT / ".ci" / "install").read_text()
        script = script.replace("/usr/lib/postgresql/15", str(folder / "15"))
        script = script.replace("/usr/share/fonts", str(folder / "fonts"))
        (checkout / ".ci" / "install").write_text(script.replace("/usr/sbin", str(folder / "sbin")))
        return machine

    def write(self, name: str, script: str = "") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def install(self) -> tuple[str, str, list[str]]:
        """Return what the script says on both streams, and the packages asked for."""
        asked = self.folder / "checkout" / "asked"
        asked.unlink(missing_ok=True)
        done = subprocess.run(
            ["/bin/bash", self.folder / "checkout" / ".ci" / "install"],
            env={"PATH": str(self.folder / "bin")},
            capture_output=True,
            text=True,
            check=True,
        )
        calls = asked.read_text().splitlines() if asked.exists() else []
        return done.stdout, done.stderr, [call.split()[-1] for call in calls if "install" in call]


def test_root_gets_each_missing_package_once_and_goes_on_without_one(tmp_path: Path) -> None:
    machine = Machine.new(tmp_path, user=0)

    said, trouble, asked = machine.install()

    packages = [
        "postgresql-15",
        "pgbouncer",
        "docker.io",
        "docker-compose",
        "age",
        "git",
        "sqlite3",
    ]
    fonts = ["fonts-wqy-microhei", "fonts-noto-color-emoji"]
    assert asked == [*packages, "openssh-client", "chromium", "systemd", *fonts]
    assert said == f"installing {' '.join(asked)}\ninstalling Compose 5\n"
    assert trouble == "could not install docker-compose\n"
    there = (
        "dockerd",
        "docker-compose",
        "age",
        "git",
        "sqlite3",
        "ssh-keygen",
        "chromium",
        "systemd-analyze",
    )
    fonts = ["fonts/truetype/wqy/wqy-microhei.ttc", "fonts/truetype/noto/NotoColorEmoji.ttf"]
    for name in ("sbin/pgbouncer", *(f"bin/{name}" for name in there), *fonts):
        machine.write(name)
    assert machine.install() == ("installing postgresql-15\n", "", ["postgresql-15"])
    machine.write("15/bin/postgres")
    here = "PostgreSQL 15, PgBouncer, Docker, docker-compose, age, git and sqlite3"
    assert machine.install() == (f"{here} are here\n", "", [])


def test_a_user_goes_on_without_what_only_root_can_install(tmp_path: Path) -> None:
    said, trouble, asked = Machine.new(tmp_path, user=1000).install()

    assert said == "installing Compose 5\n"
    assert "going on without postgresql-15" in trouble
    assert "only root can install them, with apt-get" in trouble
    assert asked == []


def run_tests_without_programs(tmp_path: Path, **variables: str) -> tuple[int, str, list[str]]:
    """Run the tests that want `age` where no program is found."""
    left_out = tmp_path / "left-out"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider"),
            *("--left-out", left_out, "tests/backups/test_encryption.py"),
            *("-k", "age_program or ssh_key"),
        ],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, left_out.read_text().splitlines()


@pytest.mark.large
def test_tests_that_miss_a_program_are_counted_with_the_command_that_installs_it(
    tmp_path: Path,
) -> None:
    code, said, lines = run_tests_without_programs(tmp_path)

    assert code == 0, said
    [line] = lines
    assert line.startswith("left out: ")
    assert line.endswith(" tests: age is not installed; as root: apt-get install age")
    assert int(line.split()[2]) > 0


@pytest.mark.large
def test_ci_fails_where_a_program_is_missing(tmp_path: Path) -> None:
    code, said, lines = run_tests_without_programs(tmp_path, CI="true")

    assert code == 1
    assert "age is not installed; as root: apt-get install age (CI skips nothing)" in said
    assert lines == []
