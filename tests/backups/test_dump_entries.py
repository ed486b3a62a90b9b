"""The entries of a dump: cut out of a table of contents and of the heads in a script."""

import pytest

from chatdb.backups.dump_entries import DumpEntry, entries_of, head_of, in_phases
from chatdb.backups.left_out import LeftOut, left_out_lines, write_down
from chatdb.operations.restoring.own_objects import OwnObjects

LISTING = """\
;
; Archive created at 2026-11-29 22:51:19 UTC
;
2; 3079 17609 EXTENSION - hstore
3465; 0 0 COMMENT - EXTENSION hstore
218; 1255 17595 FUNCTION public ok(integer, text) some owner
216; 1259 17596 TABLE public messages owner1
217; 1259 17604 MATERIALIZED VIEW APP sums owner1
3456; 2613 4242 BLOB METADATA - 4242..4250 other
3454; 0 17596 TABLE DATA public messages owner1
3467; 0 0 ACL public TABLE messages owner1
3300; 2606 17590 CONSTRAINT public messages pk_messages owner1
3301; 2606 17591 FK CONSTRAINT public messages app_fk owner1
3302; 1259 17592 INDEX public ix_messages_created_at owner1
3303; 2620 17593 TRIGGER public messages messages_touch_insert owner1
3455; 0 17604 MATERIALIZED VIEW DATA APP sums owner1
""".replace("hstore\n", "hstore \n")  # without an owner


def entries() -> dict[int, DumpEntry]:
    return {entry.id: entry for entry in entries_of(LISTING.splitlines())}


def test_kind_schema_and_name_are_told_apart() -> None:
    found = {number: (each.kind, each.schema, each.name) for number, each in entries().items()}

    assert found[2] == ("EXTENSION", "-", "hstore")
    assert found[217] == ("MATERIALIZED VIEW", "APP", "sums")
    assert found[3456] == ("BLOB METADATA", "-", "4242..4250")
    assert found[3455] == ("MATERIALIZED VIEW DATA", "APP", "sums")
    assert found[3300] == ("CONSTRAINT", "public", "messages pk_messages")
    assert entries()[3456].owner == "other"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (2, "extension hstore"),
        (3465, "comment on extension hstore"),
        (3454, "rows of table public.messages"),
        (3455, "rows of materialized view APP.sums"),
        (3301, "foreign key app_fk of public.messages"),
        (3303, "trigger messages_touch_insert of public.messages"),
        (3467, "privileges on table messages"),
        (3456, "large object 4242..4250"),
    ],
)
def test_an_entry_is_described_in_words(number: int, words: str) -> None:
    assert entries()[number].describe() == words


def test_rights_come_after_the_rows() -> None:
    phases = in_phases(entries().values())

    assert [each.id for each in phases["pre-data"]] == [2, 3465, 218, 216, 217]
    assert [each.id for each in phases["data"]] == [3456, 3454]
    assert [each.id for each in phases["post-data"]] == [3467, 3300, 3301, 3302, 3303, 3455]


def test_what_an_application_added_to_a_table_of_chatdbs_is_not_chatdbs() -> None:
    own = OwnObjects.of("public")

    assert {number for number, entry in entries().items() if own.has(entry)} == {
        *(216, 3454, 3467, 3300, 3302, 3303)
    }
    assert not OwnObjects.of("chat").has(entries()[216])


@pytest.mark.parametrize(
    ("comment", "place"),
    [
        (b"--\n-- Name: tags_idx; Type: INDEX; Schema: public; Owner: o\n--\n", "public.tags_idx"),
        (b"--\n-- Data for Name: a b; Type: TABLE DATA; Schema: s; Owner: o\n--\n", "s.a b"),
        (b"-- PostgreSQL database dump complete\n", None),
        (b"", None),
    ],
)
def test_the_head_of_a_statement_tells_its_entry(comment: bytes, place: str | None) -> None:
    found = head_of(comment)

    assert (found and found.place) == place


def test_what_only_follows_from_another_failure_is_not_told() -> None:
    left_out: dict[DumpEntry, LeftOut] = {}
    for number in (2, 3465, 216, 3454, 216):
        write_down(left_out, entries()[number], LeftOut(str(number), "error"))

    assert [each.object for each in left_out.values()] == ["2", "216"]


def test_of_very_many_some_are_named_in_words() -> None:
    many = [LeftOut(f"index {number}", "broken", "CREATE") for number in range(500)]

    lines = left_out_lines(many)

    assert len(lines) == 41
    assert lines[-1] == "and 480 more (--format json lists all)"
