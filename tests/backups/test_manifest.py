"""The manifest: read back as it was written, damage told, newer versions refused."""

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from chatdb.backups.contents import differences
from chatdb.backups.manifest import (
    KEPT_VERIFICATIONS,
    Verification,
    Verifications,
    decode,
    decode_verifications,
    encode,
    encode_verifications,
)
from chatdb.errors import InvalidInputError
from chatdb.primitives import canonical
from tests.backups.making import AT, contents, manifest


def test_a_manifest_is_read_back_as_it_was() -> None:
    written = manifest(organization="Zoë ☃", seconds=0.1 + 0.2)

    assert decode(encode(written), name="m") == written


@pytest.mark.parametrize("at", range(0, 1_000, 97))
def test_a_flipped_bit_in_a_manifest_is_noticed(at: int) -> None:
    data = bytearray(encode(manifest()))
    data[at] ^= 1

    with pytest.raises(InvalidInputError, match=r"m is (damaged|not a chatdb manifest)"):
        decode(bytes(data), name="m")


def test_a_cut_manifest_is_damaged() -> None:
    with pytest.raises(InvalidInputError, match="damaged"):
        decode(encode(manifest())[:-40], name="m")


def test_a_changed_number_in_a_manifest_is_noticed() -> None:
    fields = json.loads(encode(manifest()))
    fields["contents"]["rows"]["messages"] = 4

    with pytest.raises(InvalidInputError, match="digest"):
        decode(json.dumps(fields).encode(), name="m")


def test_a_manifest_of_a_newer_chatdb_names_it() -> None:
    newer = encode(manifest(version=3, chatdb_version="9.0"))

    with pytest.raises(InvalidInputError, match=r"newer chatdb \(9\.0\)"):
        decode(newer, name="m")


def test_fields_that_only_a_later_chatdb_knows_are_no_damage() -> None:
    fields = json.loads(encode(manifest()))
    del fields["sha256"]
    fields["mood"] = "good"
    fields["sha256"] = canonical.digest(fields)

    assert decode(json.dumps(fields).encode(), name="m") == manifest()


def test_the_last_verifications_are_kept() -> None:
    found = Verifications()
    for number in range(KEPT_VERIFICATIONS + 5):
        at = AT + timedelta(days=number)
        found = found.adding(Verification(at=at, way="files", passed=number % 2 == 0, seconds=1.0))

    again = decode_verifications(encode_verifications(found))

    assert again == found
    assert len(again.verifications) == KEPT_VERIFICATIONS
    assert again.last() == again.verifications[-1]
    failed = again.last(passed=False)
    assert failed is not None
    assert not failed.passed


def test_a_damaged_record_of_verifications_holds_nothing() -> None:
    assert decode_verifications(b'{"version"') == Verifications()


def test_equal_contents_do_not_differ() -> None:
    assert differences(contents(), contents()) == ()


def test_each_difference_is_named() -> None:
    wanted = contents()
    (one,) = wanted.organizations
    found = contents(
        revision="0002",
        rows={"conversations": 1},
        organizations=(replace(one, conversations=1, messages=3),),
    )

    assert differences(wanted, found) == (
        "the schema is at revision 0002, not 0003",
        "conversations has 1 rows, not 2 rows",
        "messages has no such table, not 5 rows",
        "organization default: conversations 1, not 2; messages 3, not 5",
    )


def test_the_same_counts_over_other_conversations_differ() -> None:
    wanted = contents()
    (one,) = wanted.organizations
    found = contents(organizations=(replace(one, content_hash="f" * 64),))

    assert "content hash" in differences(wanted, found)[0]


def test_a_manifest_of_before_a_table_misses_nothing_while_the_table_is_empty() -> None:
    old, found = contents(), contents()
    found = replace(found, rows={**found.rows, "message_embeddings": 0})

    assert differences(old, found) == ()
    assert differences(found, old) == ("message_embeddings has no such table, not 0 rows",)
    found = replace(found, rows={**found.rows, "message_embeddings": 2})
    assert differences(old, found) == ("message_embeddings has 2 rows, not no such table",)
