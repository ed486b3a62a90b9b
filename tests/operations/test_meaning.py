"""Search by meaning on both databases: vectors, the nearest of them, and whose they are.

The model in the wheel is used as it is: what is near in meaning is said in other words.
"""

from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError, NotFoundError, UsageError
from chatdb.operations.conversations import branches
from chatdb.operations.conversations.delete_messages import delete_messages
from chatdb.operations.copying.copy_database import copy_database
from chatdb.operations.embeddings.build import BuildReport, build_vectors
from chatdb.operations.embeddings.models import Model, open_model
from chatdb.operations.embeddings.status import drop_vectors, embeddings_status
from chatdb.operations.organizations.delete import delete_organization
from chatdb.operations.searching.meaning import Meaning, search_by_meaning
from chatdb.operations.searching.search import SearchOptions, SearchPage
from chatdb.store.every_organization import EVERY
from tests.operations.conversation_rows import add_conversation
from tests.operations.copying import Watch
from tests.operations.importing import conversation, identifier, load, message
from tests.operations.tenants import ACME, GLOBEX

TEXTS = {
    "bread": "Feed your sourdough culture with flour and water every day, and keep it warm.",
    "car": "The engine does not turn over: the battery is flat, charge it.",
    "python": "Use a virtual environment, and install packages with pip.",
    "tax": "You can deduct the cost of your home office from your income.",
    "empty": " \n\t ",
    "hidden": "Yeast in dough dies when it gets too hot.",
}
LIKE = "keeping yeast alive for baking"


@pytest.fixture(scope="module")
def model() -> Model:
    """The model in wordllama's wheel."""
    return open_model("wordllama")


def fill(database: Database) -> None:
    """Import a conversation of texts, one of them hidden, one without words."""
    talk = [
        message(
            name,
            content=text,
            metadata={"chatdb": {"hidden": True}} if name == "hidden" else {},
            role="assistant" if name in ("bread", "car") else "user",
        )
        for name, text in TEXTS.items()
    ]
    load(database, [conversation(messages=talk, user_id="ann")])


def build(database: Database, model: Model, **options: Any) -> BuildReport:
    return build_vectors(database, model, Watch(), **({"scope": "default"} | options))


def find(
    database: Database,
    model: Model,
    text: str = "",
    *,
    like: str | None = LIKE,
    hybrid: bool = False,
    scope: Any = "default",
    **options: Any,
) -> SearchPage:
    return search_by_meaning(
        database,
        text,
        organization_key=scope,
        options=SearchOptions(**options),
        meaning=Meaning(model=model, like=like, hybrid=hybrid),
    )


def names(page: SearchPage) -> list[str]:
    by_id = {identifier(name): name for name in TEXTS}
    return [by_id[hit.message_id] for hit in page.hits if hit.message_id is not None]


def rows(database: Database) -> int:
    with database.transaction() as connection:
        counted = sa.select(sa.func.count()).select_from(schema.message_vectors)
        return connection.execute(counted).scalar_one()


def test_what_is_meant_is_found_in_other_words(database: Database, model: Model) -> None:
    fill(database)

    report = build(database, model)
    page = find(database, model)

    assert (report.embedded, report.without_text, report.unchanged) == (5, 1, 0)
    assert names(page)[0] == "bread"
    assert set(names(page)) == {"bread", "car", "python", "tax"}
    scores = [hit.score or 0 for hit in page.hits]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.2
    assert page.notes == ()
    assert names(find(database, model, limit=1)) == ["bread"]
    assert find(database, model, limit=1).has_more
    assert "hidden" in names(find(database, model, include_hidden=True))


def test_filters_narrow_what_is_compared(database: Database, model: Model) -> None:
    fill(database)
    build(database, model)

    def found(text: str, **options: Any) -> set[str]:
        return set(names(find(database, model, text, **options)))

    assert found("role:assistant") == {"bread", "car"}
    assert found("user:ann -role:assistant") == {"python", "tax"}
    assert found("", users=frozenset({"ann"})) == {"bread", "car", "python", "tax"}
    assert found("user:bob") == found("source:claude") == found("since:2026-01-01") == set()
    assert found("source:test kind:chat until:2025-12") == {"bread", "car", "python", "tax"}
    assert found("-user:ann has:code") == set()


def test_words_and_meaning_are_fused(database: Database, model: Model) -> None:
    fill(database)
    build(database, model)

    both = find(database, model, "battery", like=LIKE, hybrid=True)
    own_words = find(database, model, "charge OR flour role:assistant", like=None, hybrid=True)
    no_hit = find(database, model, "sourdough starter", like=None, hybrid=True)

    assert names(both)[0] == "car"
    assert names(both)[1] == "bread"
    first = both.hits[0]
    assert first.highlights
    assert first.score is not None
    assert 1 / 61 < first.score <= 2 / 61
    assert set(names(own_words)) == {"bread", "car"}
    assert names(no_hit)[0] == "bread"
    assert "sorted by meaning alone" in no_hit.notes[0]


def test_only_what_changed_is_embedded_again_and_what_is_gone_is_taken_away(
    database: Database, model: Model
) -> None:
    fill(database)
    partly = build(database, model, limit=2)
    note = find(database, model).notes[0]
    rest = build(database, model)
    add_conversation(database, ["a boat sails on the sea"], number=7)
    with database.transaction(write=True) as connection:
        m = schema.messages
        changed = sa.update(m).where(m.c.id == identifier("tax"))
        connection.execute(changed.values(content="Keeping yeast alive is needed for baking."))
        connection.execute(sa.delete(m).where(m.c.id == identifier("python")))

    again = build(database, model)

    assert (partly.embedded, partly.complete) == (2, False)
    assert note.startswith("3 messages have no vector yet")
    assert (rest.embedded, rest.unchanged, rest.complete) == (3, 3, True)
    assert (again.embedded, again.unchanged, again.removed) == (2, 4, 1)
    assert names(find(database, model, limit=1)) == ["tax"]
    (status,) = embeddings_status(database, scope="default")
    assert (status.vectors, status.without_text, status.missing) == (5, 1, 0)
    assert status.numbers == 256


def test_several_models_stand_side_by_side_and_one_is_dropped(
    database: Database, model: Model
) -> None:
    fill(database)
    build(database, model)
    other = _Renamed(model, "other's %(model)s")
    build(database, other)

    assert names(find(database, other, limit=1)) == ["bread"]
    assert [each.model for each in embeddings_status(database, scope=EVERY)] == [
        "other's %(model)s",
        "wordllama",
    ]
    preview = drop_vectors(database, scope="default", model="wordllama", dry_run=True)
    dropped = drop_vectors(database, scope="default", model="wordllama", dry_run=False)
    assert preview == dropped
    assert (dropped.models, dropped.removed) == (("wordllama",), 6)
    with pytest.raises(NotFoundError, match="wordllama are built; there are some of other's"):
        find(database, model)
    assert drop_vectors(database, scope="default", model=None, dry_run=False).removed == 6
    with pytest.raises(NotFoundError, match="no embeddings of the model wordllama") as caught:
        find(database, model)
    assert caught.value.hint == "chatdb embeddings build --model wordllama"


class _Renamed:
    """A model by another name, of other numbers if that is asked for."""

    at_once = 2

    def __init__(self, model: Model, name: str, numbers: int | None = None) -> None:
        self.name = name
        self._model = model
        self._numbers = numbers

    def embed(self, texts: Any) -> Any:
        return self._model.embed(texts)[:, : self._numbers]

    def embed_query(self, text: str) -> Any:
        return self._model.embed_query(text)[:, : self._numbers]


class _Ending(_Renamed):
    """A model that ends the build in the middle."""

    at_once = 3
    batches = 0

    def embed(self, texts: Any) -> Any:
        self.batches += 1
        if self.batches == 3:
            raise KeyboardInterrupt
        return super().embed(texts)


def test_a_build_that_is_broken_off_loses_one_batch(database: Database, model: Model) -> None:
    texts = [f"number {number}" for number in range(20)]
    add_conversation(database, texts)

    with pytest.raises(KeyboardInterrupt):
        build(database, _Ending(model, "wordllama"))

    assert rows(database) == 2 * 3
    assert build(database, model).embedded == 20 - 2 * 3


def test_a_model_that_changed_its_numbers_is_refused(database: Database, model: Model) -> None:
    fill(database)
    build(database, model)
    shorter = _Renamed(model, "wordllama", 100)
    add_conversation(database, ["new"], number=7)

    with pytest.raises(DatabaseFailedError, match="have 256 numbers here, the model makes 100"):
        build(database, shorter)
    with pytest.raises(DatabaseFailedError, match="have 256 numbers, the model makes 100"):
        find(database, shorter)


def test_vectors_follow_their_messages(database: Database, model: Model) -> None:
    fill(database)
    build(database, model)
    talk = identifier("talk")

    branches.fork(database, str(talk), str(identifier("car")), organization_key="default")
    assert rows(database) == 6 + 2
    assert len(find(database, model, like="a flat battery", limit=2).hits) == 2
    moved = branches.split(database, str(talk), str(identifier("car")), organization_key="default")
    branches.merge(database, talk, moved.id, organization_key="default", keep_to=None)
    assert build(database, model).embedded == 0

    delete_messages(database, talk, [identifier("bread")], organization_key="default", keep_to=None)
    assert rows(database) == 6 + 2 - 1
    delete_organization(database, "default", keep_to=None, keep_row=True)
    assert rows(database) == 0


def test_a_copy_leaves_vectors_to_be_built(
    database: Database, empty_database_url: DatabaseUrl, model: Model
) -> None:
    fill(database)
    build(database, model)

    with Database.open(empty_database_url, create=True) as other:
        copy_database(database, other, Watch())

        assert rows(other) == 0
        assert build(other, model).embedded == 5


@pytest.mark.parametrize(
    ("text", "asked", "words"),
    [
        ("starter", {}, "add --hybrid"),
        ("in:title starter", {"hybrid": True}, "leave out in:title"),
        ("role:user", {"hybrid": True, "like": None}, "starter alive"),
        ("", {"like": " "}, "--like"),
        ("", {"rank": True}, "leave out --rank"),
        ("", {"raw": True}, "leave out --raw"),
        ("", {"after": "x"}, "leave out --after"),
    ],
)
def test_what_meaning_cannot_answer_is_said(
    sqlite_url: DatabaseUrl, model: Model, text: str, asked: dict[str, Any], words: str
) -> None:
    with Database.open(sqlite_url) as database, pytest.raises(UsageError) as caught:
        find(database, model, text, **asked)

    assert words in (caught.value.hint or "")


def near_secrets(database: Database, model: Model, *, hybrid: bool, scope: Any = ACME) -> set[str]:
    text = "shared" if hybrid else ""
    page = find(database, model, text, like="secret of bob", hybrid=hybrid, scope=scope)
    return {hit.snippet for hit in page.hits}


@pytest.mark.parametrize("hybrid", [False, True])
def test_tenants_and_users_see_their_own_alone(
    database: Database, model: Model, hybrid: bool
) -> None:
    from tests.operations.tenants import two_tenants

    two_tenants(database)
    build(database, model, scope=EVERY)

    found = near_secrets(database, model, hybrid=hybrid)
    everything = near_secrets(database, model, hybrid=hybrid, scope=EVERY)

    assert len(found) == 3
    assert all(ACME in text for text in found)
    assert {text for text in everything if GLOBEX in text}


def test_the_packaged_model_is_that_of_its_own_package(model: Model) -> None:
    """Blanks and line ends apart, which it is not given."""
    from tokenizers import Tokenizer
    from wordllama.inference import WordLlamaInference

    from chatdb.operations.embeddings.models import package_folder
    from chatdb.operations.embeddings.wordllama import _TOKENIZER, _WEIGHTS, _weights

    folder = package_folder("wordllama")
    theirs = WordLlamaInference(
        np.array(_weights(folder / _WEIGHTS)), Tokenizer.from_file(str(folder / _TOKENIZER))
    )
    texts = ["Hello, world! How are you?", "def f(x): return x+1", "学习 mixed", "naïve “quoted”"]

    ours = model.embed(texts)

    assert np.abs(ours - theirs.embed(texts, norm=True)).max() < 1e-5
    assert not model.embed(["", " \n"]).any()
    assert np.abs(model.embed_query(texts[0]) - ours[:1]).max() < 1e-5
