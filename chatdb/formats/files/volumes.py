"""A document in several files: `NAME-1.pdf`, `NAME-2.pdf` ..., all of them or none."""

from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path

from chatdb.formats.base import VolumeWriter
from chatdb.formats.files.outputs import open_output
from chatdb.formats.files.writing import Written, check_file, write_stream
from chatdb.records import Conversation


def volume_name(name: str, number: int | None) -> str:
    """Return the name of a volume: of `chats.pdf.gz` the second is `chats-2.pdf.gz`."""
    if number is None:
        return name
    path = Path(name)
    endings = path.suffixes[-2:] if path.suffix in (".gz", ".zst") else path.suffixes[-1:]
    ending = "".join(endings)
    return f"{name.removesuffix(ending)}-{number}{ending}"


def write_volumes(
    path: Path,
    writer: VolumeWriter,
    records: Iterable[Conversation],
    written: Written,
    *,
    force: bool,
) -> None:
    """Write all records to a file, or to several if they are too many for one.

    Raises RefusedError for one that exists, unless `force`, and StorageError.
    """
    if path.exists() and not path.is_file():
        with open_output(path) as stream:
            write_stream(stream, writer, records, written)
        written.files = 1
        return
    named = (("", record) for record in records)
    with ExitStack() as stack, closing(writer.documents(named, empty="")) as documents:
        for document in documents:
            place = path.with_name(volume_name(path.name, document.number))
            check_file(place, force=force)
            # They get their names when all are complete.
            stack.enter_context(open_output(place)).write(document.data)
            written.count_document(document)
            written.files += 1
