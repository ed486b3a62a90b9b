"""Makes vectors of the messages that lack one, or whose text has changed since."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from chatdb.db.contract.vectors import MadeVector
from chatdb.db.database import Database
from chatdb.errors import DatabaseFailedError
from chatdb.primitives.watch import Watch
from chatdb.records import Organization
from chatdb.store.every_organization import Scope, chosen
from chatdb.store.vectors import (
    Place,
    count_messages,
    delete_left_over,
    numbers_of,
    texts_after,
)

if TYPE_CHECKING:
    from chatdb.operations.embeddings.models import Model

_READ_AT_ONCE = 1_000
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build did, in messages.

    `embedded` got a vector now, `unchanged` had one already, `without_text` have nothing to embed;
    `removed` are vectors of messages that are gone. `complete` is False if the limit ended it.
    """

    model: str
    embedded: int
    unchanged: int
    without_text: int
    removed: int
    complete: bool


@dataclass(frozen=True, slots=True)
class _Text:
    place: Place
    text: str
    digest: bytes


@dataclass(slots=True)
class _Counts:
    embedded: int = 0
    unchanged: int = 0
    without_text: int = 0
    removed: int = 0
    is_full: bool = False


def build_vectors(
    database: Database, model: "Model", watch: Watch, *, scope: Scope, limit: int | None = None
) -> BuildReport:
    """Embed all messages in the scope that need it, at most `limit`, hidden ones too.

    Each batch is a transaction: a build that is broken off loses one, and the next goes on. Raises
    DatabaseFailedError if the model makes vectors of another length than before.
    """
    with database.transaction() as connection:
        organizations = list(chosen(connection, database.dialect, scope))
        total = sum(count_messages(connection, each.id) for each in organizations)
    watch.begin("building embeddings", total, "messages")
    counts = _Counts()
    for organization in organizations:
        _Build(database, model, watch, organization, counts, limit).run()
        if counts.is_full:
            break
    return BuildReport(
        model=model.name,
        embedded=counts.embedded,
        unchanged=counts.unchanged,
        without_text=counts.without_text,
        removed=counts.removed,
        complete=not counts.is_full,
    )


@dataclass(slots=True)
class _Build:
    """The build for one organization: a thread reads and writes while the model works."""

    database: Database
    model: "Model"
    watch: Watch
    organization: Organization
    counts: _Counts
    limit: int | None
    numbers: int | None = None

    def run(self) -> None:
        name = self.model.name
        with self.database.transaction() as connection:
            self.numbers = numbers_of(connection, self.organization.id, name)
        with ThreadPoolExecutor(1) as beside:
            self._embed_all(beside.submit)
        if not self.counts.is_full:
            with self.database.transaction(write=True) as connection:
                self.counts.removed += delete_left_over(connection, self.organization.id, name)

    def _embed_all(self, submit: Callable[..., Future[Any]]) -> None:
        writes: deque[Future[Any]] = deque()
        ahead = submit(self._read, None)
        while rows := ahead.result():
            ahead = submit(self._read, (rows[-1][0], rows[-1][1]))
            for texts in self._batches(rows):
                made = self._made(texts)
                while writes:
                    writes.popleft().result()
                writes.append(submit(self._write, made))
            self.watch.advance(len(rows))
            if self.counts.is_full:
                break
        while writes:
            writes.popleft().result()

    def _read(self, place: Place | None) -> Sequence[Any]:
        statement = texts_after(self.organization.id, self.model.name, place, _READ_AT_ONCE)
        with self.database.transaction() as connection:
            return connection.execute(statement).fetchall()

    def _batches(self, rows: Sequence[Any]) -> Iterator[Sequence[_Text]]:
        """Yield what is to be embedded, as many at once as the model takes."""
        batch: list[_Text] = []
        for conversation, message, text, before in rows:
            saying = sum(1 for each in batch if each.text.strip()) if self.limit else 0
            if self.limit is not None and self.counts.embedded + saying >= self.limit:
                self.counts.is_full = True
                break
            digest = blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
            if digest == before:
                self.counts.unchanged += 1
                continue
            batch.append(_Text((conversation, message), text, digest))
            if len(batch) == self.model.at_once:
                yield batch
                batch = []
        if batch:
            yield batch

    def _made(self, texts: Sequence[_Text]) -> list[MadeVector]:
        saying = [each for each in texts if each.text.strip()]
        vectors: dict[Place, bytes] = {}
        if saying:
            rows = self.model.embed([each.text for each in saying])
            self._require_numbers(rows.shape[1])
            little = rows.astype("<f4", copy=False)
            vectors = {
                each.place: row.tobytes()
                for each, row in zip(saying, little, strict=True)
                if row.any()
            }
        self.counts.embedded += len(vectors)
        self.counts.without_text += len(texts) - len(vectors)
        return [
            MadeVector(
                conversation_id=each.place[0],
                message_id=each.place[1],
                digest=each.digest,
                vector=vectors.get(each.place),
            )
            for each in texts
        ]

    def _require_numbers(self, numbers: int) -> None:
        self.numbers = self.numbers or numbers
        if numbers != self.numbers:
            raise DatabaseFailedError(
                f"the vectors of {self.model.name} have {self.numbers} numbers here, the model"
                f" makes {numbers} now",
                hint=f"chatdb embeddings drop --model {self.model.name}, then build them again",
            )

    def _write(self, made: Sequence[MadeVector]) -> None:
        vectors = self.database.dialect.vectors()
        with self.database.transaction(write=True) as connection:
            vectors.write(connection, self.organization.id, self.model.name, made)
