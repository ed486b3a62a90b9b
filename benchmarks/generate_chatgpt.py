"""Write a seeded ChatGPT `conversations.json` of a given size, shaped like real exports.

Messages average about 600 characters; every conversation has a message-less root, a hidden
system message and metadata; some have regenerated branches, code runs, browsing, reasoning,
images and attachments.

    python -m benchmarks.generate_chatgpt conversations.json --megabytes 300
"""

import argparse
import json
import random
import uuid
from pathlib import Path
from typing import Any

_TEXT = (
    "the of and to in is that for it as was with on be by this are or an from at which but "
    "have not they his her you we one all would there their what out if about who get go "
    "when make can like time just him know take people into year your good some could them "
    "see other than then now look only come over think also back after use two how our "
    "work first well way even new want because any these give day most us index query "
    "table column latency throughput café naïve straße 東京 данные schedule migrate rollback "
    "snapshot partition replica vacuum function "
)
WORDS = _TEXT.split()
MODELS = ("gpt-4o", "gpt-5", "gpt-5-thinking", "o4-mini")


class Generator:
    """Makes conversations from one seed; the same seed gives the same bytes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = 1_700_000_000.0

    def identifier(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def text(self, mean: int) -> str:
        target = max(8, int(self.random.lognormvariate(0, 0.9) * mean / 1.5))
        words: list[str] = []
        length = 0
        while length < target:
            chunk = self.random.choices(WORDS, k=24)
            words += chunk
            words.append(self.random.choice((".\n\n", '."', ".\n- ", ".", ". `x = 1`")))
            length += 130
        return " ".join(words)[:target]

    def message(self, role: str, content: dict[str, Any], **fields: Any) -> dict[str, Any]:
        self.clock += self.random.uniform(1, 90)
        metadata: dict[str, Any] = {"request_id": self.identifier()[:18], "timestamp_": "absolute"}
        if role == "assistant":
            model = self.random.choice(MODELS)
            metadata |= {
                "citations": [],
                "content_references": [],
                "message_type": None,
                "model_slug": model,
                "default_model_slug": model,
                "parent_id": self.identifier(),
                "finish_details": {"type": "stop", "stop_tokens": [200002]},
                "is_complete": True,
            }
        return {
            "id": self.identifier(),
            "author": {"role": role, "name": fields.pop("name", None), "metadata": {}},
            "create_time": round(self.clock, 6),
            "update_time": None,
            "content": content,
            "status": "finished_successfully",
            "end_turn": role == "assistant" or None,
            "weight": 1.0,
            "metadata": metadata | fields.pop("metadata", {}),
            "recipient": fields.pop("recipient", "all"),
            "channel": "final" if role == "assistant" else None,
        }

    def turns(self) -> list[dict[str, Any]]:
        """Return one question with what answers it, in order."""
        draw = self.random.random()
        question = self.message("user", {"content_type": "text", "parts": [self.text(300)]})
        between: list[dict[str, Any]] = []
        if draw < 0.06:
            code = {"content_type": "code", "language": "python", "text": self.text(400)}
            output = {"content_type": "execution_output", "text": self.text(200)}
            between = [
                self.message("assistant", code, recipient="python"),
                self.message("tool", output, name="python"),
            ]
        elif draw < 0.12:
            thought = {"summary": self.text(40), "content": self.text(500), "chunks": []}
            content = {
                "content_type": "thoughts",
                "thoughts": [thought],
                "source_analysis_msg_id": "",
            }
            between = [self.message("assistant", content)]
        elif draw < 0.16:
            page = {
                "content_type": "tether_quote",
                "url": "https://example.org/a",
                "domain": "example.org",
            }
            page |= {"title": self.text(30), "text": self.text(900)}
            between = [self.message("tool", page, name="web.search")]
        elif draw < 0.19:
            image: dict[str, Any] = {
                "content_type": "image_asset_pointer",
                "asset_pointer": "sediment://file_00a1",
            }
            image |= {"size_bytes": 102400, "width": 1024, "height": 768, "metadata": None}
            question["content"] = {
                "content_type": "multimodal_text",
                "parts": [image, self.text(200)],
            }
        answer = self.message("assistant", {"content_type": "text", "parts": [self.text(950)]})
        return [question, *between, answer]

    def conversation(self) -> dict[str, Any]:
        started = self.clock
        mapping: dict[str, Any] = {
            "client-created-root": {
                "id": "client-created-root", "message": None, "parent": None, "children": [],
            }
        }  # fmt: skip
        leaf = "client-created-root"

        def add(message: dict[str, Any], parent: str) -> str:
            node = message["id"]
            mapping[node] = {"id": node, "message": message, "parent": parent, "children": []}
            mapping[parent]["children"].append(node)
            return str(node)

        hidden = {"is_visually_hidden_from_conversation": True}
        system = {"content_type": "text", "parts": [""]}
        leaf = add(self.message("system", system, metadata=hidden), leaf)
        for _ in range(max(1, int(self.random.expovariate(1 / 8)))):
            if self.random.random() < 0.05:
                add(self.message("user", {"content_type": "text", "parts": [self.text(300)]}), leaf)
            for message in self.turns():
                leaf = add(message, leaf)
        identifier = self.identifier()
        return {
            "title": self.text(40),
            "create_time": started,
            "update_time": self.clock,
            "mapping": mapping,
            "moderation_results": [],
            "current_node": leaf,
            "plugin_ids": None,
            "conversation_id": identifier,
            "gizmo_id": None,
            "gizmo_type": None,
            "is_archived": self.random.random() < 0.1,
            "is_starred": None,
            "safe_urls": [],
            "blocked_urls": [],
            "default_model_slug": "gpt-5",
            "voice": None,
            "disabled_tool_ids": [],
            "is_do_not_remember": False,
            "memory_scope": "global_enabled",
            "id": identifier,
        }


def write(path: Path, *, megabytes: float, seed: int = 1) -> int:
    """Write the file and return its number of conversations."""
    generator = Generator(seed)
    limit = int(megabytes * 1_000_000)
    count = written = 0
    with path.open("w", encoding="utf-8") as stream:
        written += stream.write("[")
        while written < limit:
            text = json.dumps(generator.conversation())
            written += stream.write(("" if count == 0 else ", ") + text)
            count += 1
        stream.write("]")
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--megabytes", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    count = write(options.path, megabytes=options.megabytes, seed=options.seed)
    print(f"{options.path}: {count} conversations, {options.path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
