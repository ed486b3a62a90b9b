"""Looks at the beginning of a file to tell what it is."""

from typing import Any

from chatdb.formats.base import Sample
from chatdb.formats.files.json_records import decode_value
from chatdb.formats.files.json_stream import Element, JsonStream
from chatdb.formats.files.source_files import SourceFile
from chatdb.formats.products import Product

HEAD = 64 << 10
MAX_VALUES = 50
"""Invalid entries may come first: look a little further."""
# The first value is read whole, however large: only complete values can be decoded.
MAX_BYTES = 4 << 20
_DUMPS = (b"PGDMP", b"--\n-- PostgreSQL database dump")
"""Standard input and pipes can be read only once, but a dump is read twice."""


def sample_of(file: SourceFile, *, most: int = MAX_VALUES) -> Sample:
    """Read the beginning of a file: at most some megabytes, but at least one whole value.

    `most` is how many values are enough.
    """
    with file.open(counting=False) as stream:
        head = stream.read1(HEAD)
    values: list[Any] = []
    trouble: str | None = None
    hint: str | None = None
    with file.open(counting=False) as stream:
        elements = JsonStream(stream)
        seen_bytes = 0
        for element in elements:
            if not isinstance(element, Element):
                trouble, hint = trouble or element.reason, element.hint
                break
            seen_bytes += len(element.data)
            decoded = decode_value(element.data)
            if decoded.error is None:
                values.append(decoded.value)
            else:
                trouble = trouble or decoded.error
            if element.index + 1 >= most or seen_bytes > MAX_BYTES:
                break
        return Sample(head, elements.layout, tuple(values), trouble, hint)


def seen(
    name: str, sample: Sample, product: Product | None = None, *, is_inside: bool = False
) -> str:
    """Describe in a sentence what an unrecognised file looks like, or which product's it is.

    `is_inside` tells that a zip or folder was given which has it.
    """
    if product is not None:
        return f"{name} is {product.refusal_inside if is_inside else product.refusal}"
    head = sample.head.strip()
    if not sample.head:
        return f"{name} is empty"
    if not head:
        return f"{name} contains only white space"
    if head.startswith(_DUMPS):
        return f"{name} is a dump of PostgreSQL; write it to a file, and import that"
    if sample.layout == "other":
        return f"{name} is not JSON: it begins with {_beginning(head)}"
    if not sample.values:
        if head in (b"[]", b"{}"):
            return f"{name} is JSON that contains no conversation"
        trouble = (sample.trouble or "it contains no complete value").removeprefix(f"{name} ")
        return f"{name} cannot be read as JSON: {trouble}"
    return f"{name} is JSON but not a chat export chatdb recognises: {_shape(sample)}"


def _beginning(head: bytes) -> str:
    text = head[:24].decode("utf-8", "replace")
    return repr(text) + (" ..." if len(head) > 24 else "")


def _shape(sample: Sample) -> str:
    what = {"list": "a list of", "wrapped": "a list of", "objects": ""}[sample.layout]
    first = sample.values[0]
    if isinstance(first, dict):
        keys = ", ".join(repr(str(key)[:30]) for key in list(first)[:6])
        more = ", ..." if len(first) > 6 else ""
        kind = "objects" if what else "an object"
        return f"{what} {kind} with {keys}{more}".strip() if first else f"{what} {kind}".strip()
    return f"{what} {type(first).__name__} values".strip()
