"""A tar archive is known to be whole before pg_restore is given it."""

import io
import tarfile

import pytest

from chatdb.backups.tar_archives import require_whole_tar
from chatdb.errors import InvalidInputError


def archive() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name in ("toc.dat", "1.dat"):
            member = tarfile.TarInfo(name)
            member.size = 3_000
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return stream.getvalue()


def test_a_whole_archive_passes() -> None:
    require_whole_tar(io.BytesIO(archive()), "chat.tar")


@pytest.mark.parametrize("length", [100, 512, 2_000, 512 + 3_072, 6_000, 2 * (512 + 3_072)])
def test_one_that_is_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(InvalidInputError, match=r"chat\.tar is a"):
        require_whole_tar(io.BytesIO(archive()[:length]), "chat.tar")
