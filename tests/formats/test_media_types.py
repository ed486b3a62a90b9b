"""The media type of a file: its first bytes count, then its name."""

import pytest

from chatdb.formats.files.media_types import media_type


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n...", "photo.jpg", "image/png"),
        (b"\xff\xd8\xff\xe0", "file-abc.dat", "image/jpeg"),
        (b"GIF89a", None, "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "x.dat", "image/webp"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "x.dat", "audio/wav"),
        (b"%PDF-1.7", "x.txt", "application/pdf"),
        (b"\x00\x00\x00\x18ftypmp42", "x.dat", "video/mp4"),
        (b"ID3\x04", None, "audio/mpeg"),
        (b"OggS\x00", None, "audio/ogg"),
        (b"\x1f\x8b\x08", "x.json", "application/gzip"),
        (b"\x28\xb5\x2f\xfd", None, "application/zstd"),
        (b"\x00\x05\x16\x07", "._photo.png", None),
        (b"PK\x03\x04", "bag", "application/zip"),
        (
            b"PK\x03\x04",
            "Letter.DOCX",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        (b"PK\x03\x04", "lie.txt", "application/zip"),
        (b"a,b\n1,2\n", "table.csv", "text/csv"),
        (b"let x = 1;", "app.ts", "text/plain"),
        (b"{}", "data.json", "application/json"),
        (b"hello", "file-abc.dat", "text/plain"),
        ("é".encode()[:1] + b"", None, "text/plain"),
        (b"\x00\x01", "x.dat", None),
        (b"\x00\x01", None, None),
        (b"", None, None),
        (b"", "empty.txt", "text/plain"),
    ],
)
def test_the_type_of_a_file(head: bytes, name: str | None, kind: str | None) -> None:
    assert media_type(head, name) == kind
