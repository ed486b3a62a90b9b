"""The texts that FTS5 cannot split as the normal form does, and what is indexed of them.

FTS5's tokenizer folds case and the accents of Latin letters: of most texts it makes the words of
the normal form. What it does not know (scripts without blanks, ligatures, marks, symbols ...) is
given to it in a form that it splits right, kept in `messages_search_forms`: to remove a row FTS5
needs what it was given. Triggers have no normal forms: they index the text as it is, and queue its
row.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from chatdb.primitives.normal_form import index_text, normal_form

FORMS, QUEUE = "messages_search_forms", "messages_search_queue"
_AS_IT_IS = (
    r"\x00-\x7f"
    r"\u0080-\u00a1\u00a7\u00ab\u00b5-\u00b7\u00bb\u00bf-\u00c5\u00c7-\u00d6\u00d9-\u00de"
    r"\u00e0-\u00e5\u00e7-\u00f6\u00f9-\u010f\u0112-\u0125\u0128-\u0130\u0134-\u013e"
    r"\u0143-\u0148\u014a-\u0151\u0154-\u0165\u0168-\u01c3\u01cd-\u01df\u01e4-\u01ed\u01f0"
    r"\u01f4-\u01fb\u0200-\u02af\u02b9-\u02c1\u02c6-\u02d1\u02ec\u02ee\u0370-\u0373"
    r"\u0376-\u0377\u037b-\u037e\u0387\u0391-\u03a1\u03a3-\u03a9\u03b1-\u03c9\u03cf-\u03d1"
    r"\u03d5-\u03f1\u03f3-\u03f5\u03f7-\u03f8\u03fa-\u03ff\u0402\u0404-\u040b\u040e-\u044f"
    r"\u0452\u0454-\u045b\u045e-\u0475\u0478-\u0481\u048a-\u04c0\u04c3-\u04cf\u04d4-\u04d5"
    r"\u04d8-\u04d9\u04e0-\u04e1\u04e8-\u04e9\u04f6-\u04f7\u04fa-\u0527\u0529\u052b\u052d"
    r"\u052f\u05d0-\u05ea\u060c\u061b\u061e-\u0621\u0627-\u063f\u0641-\u064a\u1e00-\u1e99"
    r"\u1e9b-\u1e9d\u1e9f-\u1eff\u2000-\u200a\u2010-\u2029\u202f-\u2043\u2045-\u2051"
    r"\u2053-\u205f\uac00-\ud7a3"
)
"""A test compares each of these with FTS5."""
_FIRST_RID, _LAST_RID = -(1 << 63), (1 << 63) - 1
_ROWS = "SELECT rid, content FROM messages_search_source"


@cache
def _not_as_it_is() -> re.Pattern[str]:
    return re.compile(f"[^{_AS_IT_IS}]")


def form_of(text: str) -> str | None:
    """Return what FTS5 is given of a text that it would split in another way; None: the text."""
    if text.isascii() or _not_as_it_is().search(text) is None:
        return None
    return index_text(normal_form(text))


def make_forms(driver: sqlite3.Connection, after: int = _FIRST_RID, upto: int = _LAST_RID) -> None:
    """Make the forms of the rows of a range of rids that need one, before FTS5 is filled."""
    with _whatever_text(driver):
        rows = driver.execute(f"{_ROWS} WHERE rid > ? AND rid <= ?", (after, upto))
        _keep(driver, rows)


def clear_forms(driver: sqlite3.Connection) -> None:
    """Forget all forms: the index is empty."""
    driver.execute(f"DELETE FROM {FORMS}")
    driver.execute(f"DELETE FROM {QUEUE}")


def queued(driver: sqlite3.Connection, most: int) -> int:
    """Return how many rows wait for a form, `most` at most."""
    counted = f"SELECT count(*) FROM (SELECT 1 FROM {QUEUE} LIMIT ?)"
    return int(driver.execute(counted, (most,)).fetchone()[0])


def take_from_queue(driver: sqlite3.Connection, most: int) -> int:
    """Index some of the queued rows in their form; return how many, 0 if none is left."""
    rids = f"SELECT rid FROM {QUEUE} ORDER BY rid LIMIT {most:d}"
    with _whatever_text(driver):
        rows = driver.execute(f"{_ROWS} WHERE rid IN ({rids})").fetchall()
    others = [(rid, text) for rid, text in rows if _form_of_any(text) is not None]
    driver.executemany(
        "INSERT INTO messages_search(messages_search, rowid, content) VALUES ('delete', ?, ?)",
        others,
    )
    _keep(driver, others)
    driver.executemany(
        f"INSERT INTO messages_search(rowid, content) SELECT rid, form FROM {FORMS} WHERE rid = ?",
        ((rid,) for rid, _ in others),
    )
    return driver.execute(f"DELETE FROM {QUEUE} WHERE rid IN ({rids})").rowcount


@contextmanager
def _whatever_text(driver: sqlite3.Connection) -> Iterator[None]:
    """Read text that is not UTF-8 as bytes: one such row must not keep others from the index."""
    before = driver.text_factory
    driver.text_factory = _text_or_bytes
    try:
        yield
    finally:
        driver.text_factory = before


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _keep(driver: sqlite3.Connection, rows: Iterable[tuple[int, object]]) -> None:
    forms = ((rid, form) for rid, text in rows if (form := _form_of_any(text)) is not None)
    driver.executemany(f"INSERT OR REPLACE INTO {FORMS}(rid, form) VALUES (?, ?)", forms)


def _form_of_any(text: object) -> str | None:
    """Return the form of a text; what an application wrote may be none."""
    return form_of(text) if isinstance(text, str) else None
