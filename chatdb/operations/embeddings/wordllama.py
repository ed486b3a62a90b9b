"""The model in the wheel of wordllama: a vector for each piece of a word, and their mean.

Its own `load()` looks for the tokenizer on the network, so its files are read here. A piece never
reaches over a blank: each word is cut into pieces once, and looked up from then on.
"""

from array import array
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from tokenizers import Tokenizer

from chatdb.errors import ProgramMissingError
from chatdb.operations.embeddings.unit_rows import unit_rows

if TYPE_CHECKING:
    from chatdb.operations.embeddings.models import Vectors

_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_MOST_PIECES = 500_000
"""Pieces of words that are remembered: some 20 MB."""
_HEAD = 8


class WordLlama:
    """`l2_supercat` with 256 numbers, mostly English; needs no network and no other process."""

    name = "wordllama"
    at_once = 1_000

    def __init__(self, folder: Path) -> None:
        paths = folder / _WEIGHTS, folder / _TOKENIZER
        for path in paths:
            if not path.is_file():
                raise ProgramMissingError(
                    f"the installed package wordllama has no file {path.name}",
                    hint="to install the version that has: pip install 'chatdb-cli[semantic]'",
                )
        self._stored = _weights(paths[0])
        self._table: Any = None
        self._tokenizer = Tokenizer.from_file(str(paths[1]))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._pieces: dict[str, bytes] = {}
        self._count = 0

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return the vectors of messages."""
        if self._table is None:
            self._table = self._stored.astype(np.float32)
        return self._rows(texts, self._table)

    def embed_query(self, text: str) -> "Vectors":
        """Return the vector of one text, for which only its own rows are read."""
        return self._rows([text], self._stored)

    def _rows(self, texts: Sequence[str], table: Any) -> "Vectors":
        words = [text.split() for text in texts]
        self._learn(set(chain.from_iterable(words)))
        of = self._pieces.__getitem__
        sums = np.zeros((len(words), table.shape[1]), dtype=np.float32)
        for row, own in zip(sums, words, strict=True):
            # Message by message: what one needs stays in the processor's cache.
            pieces = np.frombuffer(b"".join(map(of, own)), dtype=np.int32)
            table.take(pieces, axis=0).sum(axis=0, dtype=np.float32, out=row)
        if self._count > _MOST_PIECES:
            self._pieces.clear()
            self._count = 0
        return unit_rows(sums)

    def _learn(self, words: set[str]) -> None:
        unknown = [word for word in words if word not in self._pieces]
        found = self._tokenizer.encode_batch_fast(unknown, add_special_tokens=False)
        for word, pieces in zip(unknown, found, strict=True):
            self._pieces[word] = array("i", pieces.ids).tobytes()
            self._count += len(pieces.ids)


def _weights(path: Path) -> Any:
    """Return the table in a file of safetensors, which stays on the disk until it is read."""
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(_HEAD), "little")
        described = msgspec.json.decode(stream.read(size))["embedding.weight"]
    start = described["data_offsets"][0]
    return np.memmap(path, "<f2", "r", _HEAD + size + start, tuple(described["shape"]))
