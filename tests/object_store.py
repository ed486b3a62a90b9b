"""A real S3 server on loopback for the tests: `rclone serve s3` on a folder."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BUCKET = "backups"
KEY, SECRET = "test-key", "test/secret+of=the%tests"


@dataclass(frozen=True)
class ObjectStore:
    """The server: `folder` is that of its only bucket; the files in it are the objects."""

    endpoint: str
    folder: Path
    process: "subprocess.Popen[bytes]"

    @property
    def environment(self) -> dict[str, str]:
        """The settings with which Amazon's own library finds and uses it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def running(folder: Path, port: int = 0) -> Iterator[ObjectStore]:
    """Run a server with one bucket: it would notice another one in the folder late."""
    (folder / BUCKET).mkdir(exist_ok=True)
    program = shutil.which("rclone", path=str(Path(sys.executable).parent)) or "rclone"
    address = f"127.0.0.1:{port or free_port()}"
    words = ["serve", "s3", "--addr", address, "--auth-key", f"{KEY},{SECRET}"]
    options = ["--config", "/dev/null", "--vfs-cache-mode", "off", str(folder)]
    process = subprocess.Popen(
        [program, *words, *options], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(address, process)
        yield ObjectStore(f"http://{address}", folder / BUCKET, process)
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    host, _, port = address.partition(":")
    for _ in range(500):
        assert process.poll() is None, "rclone serve s3 ended"
        with socket.socket() as client:
            if client.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("rclone serve s3 does not listen")
