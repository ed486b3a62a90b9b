"""All that other nouns of operations may import of embeddings."""

from chatdb.operations.embeddings.models import Model

__all__ = ["Model"]
