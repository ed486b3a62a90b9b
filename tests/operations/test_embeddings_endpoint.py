"""Models behind an API like OpenAI's, against a server of the test's own."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chatdb.errors import ConfigurationError, EmbeddingsFailedError, UsageError
from chatdb.operations.embeddings.endpoint import WAITS, EndpointModel
from chatdb.operations.embeddings.models import Endpoint, open_model

KEY = "sk-very-secret"


class Api:
    """A server that keeps what it is asked, and answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                api.asked.append({"path": self.path, **json.loads(body)})
                api.keys.append(self.headers["Authorization"])
                status, headers, answer = api.answers.pop(0) if api.answers else api.usual()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def usual(self) -> tuple[int, dict[str, str], bytes]:
        """Answer with a vector for each text, the last one first."""
        data = [
            {"index": place, "embedding": [float(len(text)), 1.0, 0.0]}
            for place, text in enumerate(self.asked[-1]["input"])
        ]
        return 200, {}, json.dumps({"object": "list", "data": data[::-1]}).encode()


@pytest.fixture
def api() -> Iterator[Api]:
    """A running server."""
    made = Api()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def slept() -> list[float]:
    """The seconds that were waited."""
    return []


def model_of(api: Api, slept: list[float], key: str | None = KEY) -> EndpointModel:
    return EndpointModel("text-embedding-3-small", Endpoint(api.url, key), sleep=slept.append)


def test_a_batch_is_one_request_and_rows_come_in_the_order_of_the_texts(
    api: Api, slept: list[float]
) -> None:
    rows = model_of(api, slept).embed(["four", "x", "日本"])

    assert api.asked == [
        {
            "path": "/v1/embeddings",
            "model": "text-embedding-3-small",
            "input": ["four", "x", "日本"],
            "encoding_format": "float",
        }
    ]
    assert api.keys == [f"Bearer {KEY}"]
    assert [round(float(row[0] / row[1]), 3) for row in rows] == [4, 1, 2]
    assert [round(float(row @ row), 5) for row in rows] == [1, 1, 1]
    assert model_of(api, slept, None).embed_query("q").shape == (1, 3)
    assert api.keys[-1] is None


def test_what_may_pass_is_tried_again_as_the_server_asks(api: Api, slept: list[float]) -> None:
    api.answers = [
        (429, {"Retry-After": "7"}, b""),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b""),
        (500, {"Retry-After": "9999"}, b""),
    ]

    assert model_of(api, slept).embed(["a"]).shape == (1, 3)
    assert slept == [7, WAITS[1], 60]

    api.answers = [(502, {}, b"")] * (len(WAITS) + 1)
    with pytest.raises(EmbeddingsFailedError, match="502 Bad Gateway, 6 times") as caught:
        model_of(api, slept).embed(["a"])
    assert "chatdb embeddings build" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {}, b'{"error": "Incorrect key sk-very-secret"}'), r"401 .*Incorrect key \*\*\*"),
        ((404, {}, b"no such model"), "404 .*no such model"),
        ((307, {"Location": "http://127.0.0.1:1/"}, b""), "redirects"),
        ((200, {}, b"<html>"), "no list of embeddings"),
        ((200, {}, b'{"data": []}'), "0 vectors of 0 lengths for 1 texts"),
        ((200, {}, b'{"data": [{"embedding": []}]}'), "1 vectors of 1 lengths for 1 texts"),
    ],
)
def test_what_does_not_pass_is_said_at_once_without_the_key(
    api: Api, slept: list[float], answer: tuple[int, dict[str, str], bytes], words: str
) -> None:
    api.answers = [answer]

    with pytest.raises(EmbeddingsFailedError, match=words) as caught:
        model_of(api, slept).embed(["a"])

    assert KEY not in f"{caught.value.text} {caught.value.hint} {Endpoint(api.url, KEY)!r}"
    assert slept == []


def test_a_server_that_is_not_there_is_named(api: Api, slept: list[float]) -> None:
    port = api.server.server_port + 1 if api.server.server_port < 65_000 else 1
    gone = EndpointModel("m", Endpoint(f"http://127.0.0.1:{port}/v1"), sleep=slept.append)

    with pytest.raises(EmbeddingsFailedError, match=f"127.0.0.1:{port} cannot be reached"):
        gone.embed(["a"])
    assert slept == list(WAITS)


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("ftp://host/v1", None, "must be http"),
        ("host/v1", None, "must be http"),
        ("https://user:pw@host/v1", None, "must be http"),
        ("http://example.org/v1", KEY, "plain text"),
        ("https://example.org/v1", "a\nb", "no key has"),
    ],
)
def test_an_address_is_checked_before_anything_is_sent(
    url: str, key: str | None, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        open_model("m", Endpoint(url, key))

    assert "pw" not in caught.value.text
    assert KEY not in caught.value.text


def test_names_of_models_are_checked() -> None:
    with pytest.raises(UsageError, match="no packaged model gpt"):
        open_model("gpt")
    with pytest.raises(UsageError, match="no model is named"):
        open_model(None, Endpoint("http://127.0.0.1:1/v1"))
    with pytest.raises(UsageError, match="visible"):
        open_model("a\x1b[31m", Endpoint("http://127.0.0.1:1/v1"))
    assert open_model("wordllama", Endpoint("http://127.0.0.1:1/v1")).at_once == 1_000
