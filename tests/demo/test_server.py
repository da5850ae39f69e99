"""The demo's server: what it answers, what it refuses, and when it stops."""

import io
import json
import re
import socket
import threading
import time

import jax
import jax.numpy as jnp
import pytest

from eiw import errors, vocab
from eiw.compressors.neural_ac import NeuralAC
from eiw.demo import run_folder, server
from eiw.inference import generator, sampling
from eiw.models import config, decoder

TEXT = "the text, größer \udcff\n"
BYTES = TEXT.encode(errors="surrogateescape")


@pytest.fixture(scope="module")
def run(run_path):
    return run_folder.RunFolder(run_path)


@pytest.fixture(scope="module")
def app(run):
    return server.create_app(run)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture(scope="module", autouse=True)
def models_of_ac_and_gzip(run):
    """M2s of AC and GZip: there are none in the run."""
    compressor = run.methods["ac"].compressor
    shape = {"embed_dim": 16, "num_heads": 2, "num_layers": 1, "mlp_dim": 24, "head_dim": 8}
    num_ids = compressor.vocab_size + vocab.NUM_SPECIAL_IDS
    model = decoder.Decoder(config.DecoderConfig(vocab_size=num_ids, **shape))
    tokens_BT = jnp.zeros((1, 2), jnp.int32)
    params = model.init(jax.random.key(0), tokens_BT, tokens_BT)["params"]
    for name in ("ac", "gz"):  # of as many codes
        compressor = run.methods[name].compressor
        run.methods[name].generator = generator.Generator(model, params, compressor, 16)


def refused(response, status, *words):
    """One clear line, as JSON, whatever went wrong."""
    assert response.status_code == status
    (message,) = json.loads(response.text).values()
    assert message and "\n" not in message
    assert all(word in message for word in words), message
    return message


def test_what_there_is_to_choose_from(client):
    facts = client.get("/api/run").json
    assert facts["run"] == "tiny"
    methods = {each.pop("name"): each for each in facts["methods"]}
    assert next(iter(methods)) == "windows"
    assert methods["windows"]["window_bits"] == 16
    assert {name for name, each in methods.items() if each["has_m2"]} == {"bytes"}
    assert {name for name, each in methods.items() if each["takes_prompts"]} == {
        "bytes",
        "windows",
        "ac",
    }


@pytest.mark.parametrize("name", ["windows", "bytes", "ac", "gz"])
def test_windows_are_the_compressors_codes(client, run, name):
    answer = client.post("/api/windows", json={"method": name, "text": TEXT}).json
    compressor = run.methods[name].compressor
    codes = compressor.encode(BYTES).tolist()
    assert answer["codes"] == codes
    texts = [piece["text"].encode(errors="surrogateescape") for piece in answer["pieces"]]
    assert b"".join(texts) == BYTES
    assert [len(text) for text in texts] == [piece["bytes"] for piece in answer["pieces"]]
    assert (answer["tokens"], answer["bytes"]) == (len(codes), len(BYTES))
    assert answer["bytes_per_token"] == len(BYTES) / len(codes)
    assert answer["lossless"]
    if name == "windows":
        for (first, end), text in zip(
            (piece["codes"] for piece in answer["pieces"]), texts, strict=True
        ):
            assert compressor.decode(codes[first:end]) == text


def test_no_text_has_no_windows(client):
    answer = client.post("/api/windows", json={"method": "windows", "text": ""}).json
    assert answer["codes"] == answer["pieces"] == []
    assert answer["bytes_per_token"] is None


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"method": "bytes", "text": "caf\xe9"}', 400, ["no UTF-8 at byte 32"]),
        (b'{"method": "bytes", "text": ', 400, ["no JSON"]),
        (b"[" * 50_000, 400, ["no JSON"]),
        (b'["bytes"]', 400, ["object"]),
        (b'{"method": "bits", "text": "a"}', 400, ["'bits'", "bytes, "]),
        (b'{"method": ["bytes"], "text": "a"}', 400, ["none of"]),
        (b'{"method": "bytes"}', 400, ["text must be a string"]),
        (b'{"method": "bytes", "text": 7}', 400, ["text must be a string"]),
        (b'{"method": "bytes", "text": "a\\ud800"}', 400, ["surrogate", "character 1"]),
        (b'{"method": "bytes", "text": "%s"}' % (b"a" * 4097), 413, ["4,097", "4,096"]),
        (b'{"method": "ac", "text": "%s"}' % (b"a" * 513), 413, ["513", "512", "runs M1"]),
        (b'{"method": "bytes", "text": "%s"}' % (b"a" * 70_000), 413, ["65,536"]),
    ],
    ids=range(12),
)
def test_bad_requests_get_a_clear_line(client, body, status, words):
    response = client.post("/api/windows", data=body, content_type="application/json")
    refused(response, status, *words)


def test_a_long_body_whose_length_is_not_announced(client):
    body = io.BytesIO(b'{"method": "bytes", "text": "%s"}' % (b"a" * 100_000))
    response = client.post(
        "/api/windows",
        input_stream=body,
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    refused(response, 413, "65,536")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"temperature": -1}, ["temperature"]),
        ({"temperature": "hot"}, ["temperature", "number"]),
        ({"temperature": True}, ["temperature", "number"]),
        ({"temperature": float("nan")}, ["temperature", "finite"]),
        ({"temperature": 10**400}, ["temperature", "finite"]),
        ({"top_p": 0}, ["top_p"]),
        ({"top_p": 1.5}, ["top_p"]),
        ({"max_bytes": 0}, ["max_bytes", "1 to 2,048"]),
        ({"max_bytes": 1e9}, ["max_bytes", "whole"]),
        ({"seed": -1}, ["seed"]),
        ({"prompt": None}, ["prompt"]),
        ({"method": "windows"}, ["no checkpoint"]),
        ({"method": "gz"}, ["empty prompt"]),
    ],
    ids=range(13),
)
def test_bad_settings_get_a_clear_line(client, values, words):
    asked = {"method": "bytes", "prompt": "the text"} | values
    refused(client.post("/api/continue", json=asked), 400, *words)


def test_a_prompt_that_is_too_long(client):
    asked = {"method": "bytes", "prompt": "ä" * 2049}
    refused(client.post("/api/continue", json=asked), 413, "4,098", "4,096")


def test_only_json_is_taken(client):
    # What a form of another page could send without asking first.
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        response = client.post("/api/windows", data=b"{}", content_type=content_type)
        refused(response, 415, "application/json")


def test_unknown_pages_and_ways(client):
    refused(client.get("/nothing"), 404)
    refused(client.get("/api/windows"), 405)
    refused(client.get("/static/../server.py"), 404)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "192.168.0.7:80", "[::1]:8000"])
def test_its_own_names(client, host):
    response = client.get("/", headers={"Host": host}, buffered=True)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8000", "127.0.0.1.x", "["]
)
def test_a_foreign_name_is_refused(client, host):
    refused(client.get("/api/run", headers={"Host": host}), 403, "name")


def test_the_page_needs_nothing_from_elsewhere(client):
    page = client.get("/", buffered=True)
    assert page.status_code == 200 and page.mimetype == "text/html"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    names = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(names) == 3
    for name in names:
        part = client.get(f"/{name}", buffered=True)
        assert part.status_code == 200
        assert set(re.findall(r"https?://[^\"\s]*", part.text)) <= {"http://www.w3.org/2000/svg"}
    script = client.get("/static/demo.js", buffered=True).text
    assert not re.search("innerHTML|outerHTML|insertAdjacentHTML|document.write|eval", script)


def lines(response):
    return [json.loads(line) for line in response.text.splitlines()]


@pytest.mark.parametrize(("name", "prompt"), [("bytes", "the te"), ("bytes", ""), ("ac", "the te")])
def test_a_continuation_is_the_generators(client, run, monkeypatch, name, prompt):
    monkeypatch.setattr(server, "_MAX_SECONDS", 1e9)
    asked = {"temperature": 1.5, "top_p": 0.9, "max_bytes": 40, "seed": 7}
    response = client.post(
        "/api/continue", json={"method": name, "prompt": prompt, **asked}, buffered=True
    )
    assert response.status_code == 200
    *steps, last = lines(response)
    how = sampling.Sampling(temperature=1.5, top_p=0.9)
    pieces = [
        piece
        for (piece,) in run.methods[name].generator.generate(
            [prompt.encode()], max_bytes=40, how=how, seed=7
        )
    ]
    text = "".join(line["text"] for line in (*steps, last))
    assert text.encode(errors="surrogateescape") == b"".join(pieces)
    assert [line["steps"] for line in steps] == list(range(1, len(pieces) + 1))
    assert steps[-1]["bytes"] == len(b"".join(pieces))
    assert last["done"] == ("max_bytes" if steps[-1]["bytes"] == 40 else "end")


class Endless:
    """A continuation that never ends by itself."""

    def __init__(self, monkeypatch, wait=0.0):
        self.closed = threading.Event()
        monkeypatch.setattr(generator.Generator, "generate", self.generate)
        self.wait = wait

    def generate(self, *_, **__):
        try:
            while True:
                time.sleep(self.wait)
                yield [b"\xc3"]
                yield [b"\xb6"]
        finally:
            self.closed.set()


def test_characters_come_whole(client, monkeypatch):
    Endless(monkeypatch)
    monkeypatch.setattr(server, "_MAX_SECONDS", 0.2)
    *steps, last = lines(
        client.post("/api/continue", json={"method": "bytes", "prompt": ""}, buffered=True)
    )
    assert last["done"] == "time"
    texts = {line["text"] for line in steps}
    assert texts == {"", "ö"}


def test_one_continuation_at_a_time(client, monkeypatch):
    endless = Endless(monkeypatch)
    monkeypatch.setattr(server, "_PATIENCE", 0.05)
    asked = {"method": "bytes", "prompt": "a"}
    first = client.post("/api/continue", json=asked)
    assert json.loads(next(iter(first.response)))["steps"] == 1
    refused(client.post("/api/continue", json=asked), 503, "busy")
    # Compressing does not wait for it.
    windows = client.post("/api/windows", json={"method": "ac", "text": "the text"})
    assert windows.status_code == 200
    first.close()
    assert endless.closed.is_set()
    again = client.post("/api/continue", json=asked)
    assert again.status_code == 200
    again.close()


def test_one_text_under_m1_at_a_time(client, monkeypatch):
    monkeypatch.setattr(server, "_PATIENCE", 0.05)
    going_on, finish = threading.Event(), threading.Event()
    encode = NeuralAC.encode_batch

    def slow(*arguments):
        going_on.set()
        finish.wait(20)
        return encode(*arguments)

    monkeypatch.setattr(NeuralAC, "encode_batch", slow)
    asked = {"method": "ac", "text": "a"}
    other = threading.Thread(target=client.post, args=["/api/windows"], kwargs={"json": asked})
    other.start()
    assert going_on.wait(20)
    refused(client.post("/api/windows", json=asked), 503, "busy")
    finish.set()
    other.join()
    assert client.post("/api/windows", json=asked).status_code == 200


@pytest.mark.parametrize("before", [True, False], ids=["before", "within"])
def test_what_is_wrong_inside_is_told_and_ends(client, monkeypatch, caplog, before):
    def fail(*_, **__):
        if before:
            raise RuntimeError("a secret")
        yield [b"a"]
        raise RuntimeError("a secret")

    def at_once(*_, **__):
        raise RuntimeError("a secret")

    monkeypatch.setattr(generator.Generator, "generate", at_once if before else fail)
    asked = {"method": "bytes", "prompt": "a"}
    response = client.post("/api/continue", json=asked, buffered=True)
    assert response.status_code == (500 if before else 200)
    message = lines(response)[-1]["error"]
    assert "RuntimeError" in message and "secret" not in message
    assert "a secret" in caplog.text
    assert "busy" not in client.post("/api/continue", json=asked, buffered=True).text


@pytest.fixture
def address(app):
    """A server that is really listening."""
    listening = server.listen(app, "127.0.0.1", 0)
    thread = threading.Thread(target=listening.serve)
    thread.start()
    yield listening.bind_addr
    listening.stop()
    thread.join()


def connect(address, asked):
    body = json.dumps(asked).encode()
    head = (
        f"POST /api/continue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    made = socket.create_connection(address, timeout=30)
    made.sendall(head.encode() + body)
    return made


def test_a_client_that_leaves_stops_its_continuation(address, monkeypatch):
    endless = Endless(monkeypatch, wait=0.01)
    with connect(address, {"method": "bytes", "prompt": "a"}) as client:
        answer = b""
        while answer.count(b'"steps"') < 3:
            answer += client.recv(1 << 16)
        assert not endless.closed.is_set()
    assert endless.closed.wait(30)


def test_lines_come_one_by_one(address, monkeypatch):
    Endless(monkeypatch, wait=0.3)
    with connect(address, {"method": "bytes", "prompt": "a"}) as client:
        answer = b""
        while b'"steps": 2' not in answer:
            answer += client.recv(1 << 16)
        assert b'"steps": 4' not in answer


# cheroot leaves a socket that it could not bind to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_address_that_is_taken(app):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(errors.InputError, match="--port"):
            server.listen(app, "127.0.0.1", port)


def test_what_cannot_be_opened_is_left_out(run_path, tmp_path):
    for name in ("bytes", "ac"):
        (tmp_path / "compressors" / name).mkdir(parents=True)
    source = run_path / "compressors"
    for path in (source / "bytes").iterdir():
        (tmp_path / "compressors" / "bytes" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "compressors" / "ac" / "compressor.json").write_text("{}")
    opened = run_folder.RunFolder(tmp_path)
    assert list(opened.methods) == ["bytes"] and list(opened.left_out) == ["ac"]
    assert not opened.methods["bytes"].has_m2


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(errors.ArtefactError, match="no compressors"):
        run_folder.RunFolder(tmp_path)
