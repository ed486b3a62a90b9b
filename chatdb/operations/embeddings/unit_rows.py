"""Vectors of unit length: the product of two is their similarity."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from chatdb.operations.embeddings.models import Vectors


def unit_rows(rows: Any) -> "Vectors":
    """Return the rows in single precision with length 1; zeros where a row has no length."""
    found = np.ascontiguousarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    usable = np.isfinite(lengths) & (lengths > 0)
    made: Vectors = np.divide(found, lengths, out=np.zeros_like(found), where=usable)
    return made
