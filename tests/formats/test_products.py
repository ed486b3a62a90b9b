"""Files that chatdb does not read are known by their marks and named."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chatdb.errors import InvalidInputError
from chatdb.formats.files.sampling import sample_of
from chatdb.formats.files.sources import open_source
from chatdb.formats.products import product_among, product_named, product_of
from chatdb.formats.registry import detect
from tests.formats.reading import read_value

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("CHATDB_CORPUS", ROOT.parent / "shared" / "data"))

SAID = [{"role": "user", "content": "hello"}]

NAMED = [
    ({"type": "user", "sessionId": "s", "uuid": "u", "message": {"role": "user"}}, "Claude Code"),
    ({"type": "summary", "summary": "s", "leafUuid": "u"}, "Claude Code"),
    ({"type": "queue-operation", "sessionId": "s", "content": "x"}, "Claude Code"),
    ({"type": "user", "sessionId": "s", "parentUuid": None, "provenance": "x"}, "Qwen Code"),
    ({"timestamp": "t", "type": "session_meta", "payload": {}}, "Codex"),
    ({"timestamp": "t", "type": "response_item", "payload": {}}, "Codex"),
    ({"sessionId": "s", "projectHash": "h", "kind": "main"}, "Gemini CLI"),
    ({"type": "session", "version": 3, "cwd": "/"}, "pi session"),
    ({"messages": SAID, "origin": {"sessionId": "s"}, "agent": "lead"}, "Cline"),
    ({"ts": 1, "type": "say", "say": "text", "text": "x"}, "Cline"),
    ({"conversationId": "c", "messages": [{"messageId": "m"}]}, "LibreChat"),
    ({"conversationId": "c", "messagesTree": []}, "LibreChat"),
    ({"version": 4, "history": [], "folders": [], "prompts": []}, "Chatbot UI"),
    ({"mapping": {}, "inserted_at": "t"}, "DeepSeek"),
    ({"conversation": {}, "responses": []}, "Grok"),
    ({"header": "Gemini Apps", "title": "Prompted x", "products": []}, "Takeout"),
    ({"title": "x", "conversation_turns": []}, "Takeout"),
    ({"chunkedPrompt": {"chunks": []}}, "AI Studio"),
    ({"message_tree_id": "t", "prompt": {}}, "OpenAssistant"),
    ({"user_name": "a", "character_name": "b"}, "SillyTavern"),
    ({"id": "x", "conversations": [{"from": "human", "value": "hi"}]}, "ShareGPT"),
    ({"from": "human", "value": "hi"}, "ShareGPT"),
    ({"messages": SAID, "tools": []}, "fine-tuning"),
]


@pytest.mark.parametrize(
    ("value", "name"), NAMED, ids=[f"{name} {place}" for place, (_, name) in enumerate(NAMED)]
)
def test_another_product_is_named_and_said_to_be_unread(value: Any, name: str) -> None:
    found = product_of(value)

    assert found is not None
    assert name in found.what
    assert found.refusal == f"{found.what}; chatdb does not read it yet"
    assert found.part_of is None
    assert found.holds_words


def test_a_product_that_has_a_reader_of_its_own_is_named_among_other_files() -> None:
    found = product_of({"id": "c", "chat": {"history": {"messages": {}}}})

    assert found is not None
    assert found.refusal == "an Open WebUI export; give that file alone"


PARTS = [
    ({"threads": [{"comments": [{"text": "x"}]}]}, "comments on an artifact", True),
    ({"uuid": "u", "full_name": "Ann", "email_address": "a@example.org"}, "users", False),
    ({"login_events": []}, "logins", False),
    ({"chats": [{"id": "g", "messages": [{"text": "x"}]}]}, "group chats", True),
    ({"id": "t", "title": "Note", "content": "Dear"}, "a canvas", True),
    ({"id": "m", "conversation_id": "c", "rating": "thumbsUp"}, "feedback", False),
    ({"id": "s", "conversation_id": "c", "is_anonymous": True}, "shared links", False),
    ({"id": "user-1", "email": "a@example.org"}, "the account", False),
    ({"file-0AbC.dat": "holiday.jpg"}, "names of files", False),
]


@pytest.mark.parametrize(
    ("value", "what", "has_words"),
    PARTS,
    ids=[f"{part[1]} {place}" for place, part in enumerate(PARTS)],
)
def test_a_part_of_an_export_is_named_and_asks_for_the_whole(
    value: Any, what: str, has_words: bool
) -> None:
    found = product_of(value)

    assert found is not None
    assert f"export ({what})" in found.what
    assert found.refusal == f"{found.what}: give the zip or the folder"
    assert found.holds_words is has_words


LINKS = [
    {"data_files": [{"export_url": "https://example.invalid/1", "filename": "a-000.zip"}] * 2},
    {"export_id": "e", "files": [{"url": "https://example.invalid/1", "name": "a-000.zip"}] * 2},
]


@pytest.mark.parametrize("value", LINKS)
def test_a_list_of_links_says_what_to_do_with_them(value: Any) -> None:
    found = product_of(value)

    assert found is not None
    assert "a list of links that work once" in found.what
    assert found.refusal.endswith("fetch these zips and import them: a-000.zip, a-000.zip")
    assert "example.invalid" not in found.refusal
    assert str(found.hint).startswith("chatdb import FOLDER")


def test_a_list_of_links_that_is_given_alone_gets_the_next_command_as_hint() -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_value(LINKS[0])

    assert "fetch these zips and import them: a-000.zip" in caught.value.text
    assert str(caught.value.hint).startswith("chatdb import FOLDER")


def test_a_long_list_of_links_names_the_first_and_says_that_there_are_more() -> None:
    files = [{"export_url": "x", "filename": f"{number}-{'n' * 200}.zip"} for number in range(500)]

    found = product_of({"data_files": files})

    assert found is not None
    assert found.refusal.endswith(" ...")
    assert len(found.refusal) < 2_000


def test_links_without_names_are_named_all_the_same() -> None:
    found = product_of({"data_files": [{"export_url": "x"}]})

    assert found is not None
    assert found.refusal.endswith("fetch these zips and import them")


def test_feedback_is_known_by_where_an_export_has_it() -> None:
    name = "0a1b2c3d-0000-4000-8000-0000000000ac.json"

    for place in (f"reflections/{name}", f"feedback-000.zip:reflections/{name}"):
        found = product_named(place)
        assert found is not None
        assert "export (feedback)" in found.what
        assert not found.holds_words
    assert product_named("reflections/diary.json") is None
    assert product_named(f"my-reflections/{name}") is None


def test_a_file_is_known_by_any_of_its_first_values_or_by_its_text() -> None:
    summary = {"type": "summary", "leafUuid": "u"}

    assert product_among([1, None, {"type": "mode"}, summary]) == product_of(summary)
    page = product_among([], b"<html><head><title>ChatGPT Data Export</title>")
    assert page is not None
    assert not page.holds_words
    assert product_among([], b"hello") is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "history",
        {},
        {"messages": []},
        {"id": "a", "title": "x", "messages": SAID},
        {"role": "user", "content": "hello", "id": "1", "title": "x"},
        {"x": []},
    ],
)
def test_what_has_no_marks_is_nothing_known(value: Any) -> None:
    assert product_of(value) is None


REAL = [
    ("chatbotui/chatbotui-export.json", "Chatbot UI"),
    ("claude-code/claude-code-log-representative_messages.jsonl", "Claude Code"),
    ("claude-code/transcripts-sample_session.jsonl", "Claude Code"),
    ("codex/transcripts-sample_codex_session.jsonl", "Codex"),
    ("gemini/chatlore-MyActivity.json", "Takeout"),
    ("gemini/polylogue-multi_turn_prompt.json", "AI Studio"),
    ("grok/polylogue-grok-export.json", "Grok"),
    ("librechat/librechat-linear.json", "LibreChat"),
    ("librechat/librechat-tree.json", "LibreChat"),
    ("oasst/en_100_tree.jsonl", "OpenAssistant"),
    ("openai-finetune/cookbook-toy_chat_fine_tuning.jsonl", "fine-tuning"),
    ("openwebui/librechat-openwebui-export.json", "Open WebUI"),
    ("openwebui/openwebui-importer-webui-json.json", "Open WebUI"),
    ("sharegpt/fastchat-dummy_conversation.json", "ShareGPT"),
    ("sharegpt/llamafactory-v1_sft_demo.jsonl", "fine-tuning"),
    ("agents/claude-code-2.1.332/projects", "Claude Code"),
    ("agents/codex-0.171.0/sessions", "Codex"),
    ("agents/gemini-cli-0.61.0/1-first-turn", "Gemini CLI"),
    ("agents/pi-1.6.0/sessions", "pi session"),
    ("agents/qwen-code-0.24.4/projects/-home-asha-project/chats", "Qwen Code"),
    ("agents/cline-3.0.65/data/sessions", "Cline"),
]


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus in {CORPUS}")
@pytest.mark.parametrize(("path", "name"), REAL, ids=[path for path, _ in REAL])
def test_real_files_of_other_products_are_named(path: str, name: str) -> None:
    with open_source(CORPUS / path) as source:
        found = {product_among(sample_of(file).values) for file in source.files}

    named = {each.what for each in found if each is not None}
    assert len(named) == 1
    assert name in named.pop()


@pytest.mark.parametrize("given", ["zip", "folder"])
def test_who_gave_the_zip_or_folder_is_not_asked_for_it(given: str, tmp_path: Path) -> None:
    users = [{"uuid": "u", "full_name": "Ann", "email_address": "ann@example.org"}]
    folder = tmp_path / "light_metadata-000"
    folder.mkdir()
    alone = folder / "users.json"
    alone.write_text(json.dumps(users))
    path = folder
    if given == "zip":
        path = tmp_path / "light_metadata-000.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(alone, "users.json")

    with open_source(path) as source, pytest.raises(InvalidInputError) as caught:
        detect(source)
    with open_source(alone) as source, pytest.raises(InvalidInputError) as by_itself:
        detect(source)

    assert "a part of a Claude export (users); no conversation is in it" in caught.value.text
    assert "the conversations are in another file of that export" in caught.value.text
    assert "give the zip" not in caught.value.text
    assert by_itself.value.text.endswith("(users): give the zip or the folder")
