"""The demo's pages and its JSON, over HTTP.

    GET  /              the page; its script and style under /static/
    GET  /api/run       what there is to choose from, and the limits
    POST /api/windows   {"method", "text"}: the text's codes and what each stands for
    POST /api/continue  {"method", "prompt", "temperature", ...}: lines of JSON, as text is decoded

Text is a JSON string. A byte that is no part of a UTF-8 character is U+DC00 + byte in it (Python's
surrogateescape), so any bytes come and go. An error is {"error": "..."} with a status.

Nothing here asks for a password, so other pages that the same browser has open must not reach it:
a request has to name this server by an address or its own name (a foreign name that was bound to
this address is refused), and what is posted has to be JSON, which browsers send to other servers
only after having asked.
"""

import codecs
import contextlib
import ipaddress
import itertools
import json
import logging
import math
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib import parse

import flask
from cheroot import server as cheroot_server
from cheroot import wsgi
from werkzeug import exceptions

from eiw import compressors, errors
from eiw.demo import asked as asked_lib
from eiw.demo import run_folder, windows
from eiw.inference import sampling

# Bytes of a text, and of one that M1 has to read byte by byte: seconds on a laptop.
_MAX_TEXT, _MAX_M1_TEXT = 4096, 512
_MAX_BYTES = 2048
_MAX_SEED = 2**31 - 1
# Bytes of a body that are read: too many get an answer that says so, far too many none in JSON.
_MOST_BODY, _MOST_HEADERS = 1 << 24, 1 << 14
# Requests that are answered side by side, those that wait for their turn, and the seconds that a
# client may keep silent.
_THREADS, _MOST_WAITING, _SOCKET_SECONDS = 8, 64, 30
# Seconds that a continuation may take, and that a request waits for one that is being made.
_MAX_SECONDS, _PATIENCE = 60.0, 15.0
_LOG = logging.getLogger(__name__)
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(run: run_folder.RunFolder) -> flask.Flask:
    """The demo of a run as a WSGI application."""
    app = flask.Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = asked_lib.MAX_BODY
    # One continuation at a time, and one text under a running M1: either keeps all cores busy.
    generating, compressing = threading.Lock(), threading.Lock()

    @app.before_request
    def check_host() -> None:
        if not _is_trusted(flask.request.host):
            raise exceptions.Forbidden(
                "This server is asked for by another name than its own: open it by its address."
            )

    @app.after_request
    def add_headers(response: flask.Response) -> flask.Response:
        response.headers.update(_SECURITY)
        return response

    @app.errorhandler(exceptions.HTTPException)
    def http_error(error: exceptions.HTTPException) -> tuple[dict[str, str], int]:
        return {"error": error.description}, error.code

    @app.errorhandler(errors.InputError)
    def input_error(error: errors.InputError) -> tuple[dict[str, str], int]:
        return {"error": str(error)}, 400

    @app.errorhandler(Exception)
    def unexpected_error(error: Exception) -> tuple[dict[str, str], int]:
        _LOG.exception("A request failed")
        return {"error": f"{type(error).__name__}: see the terminal of eiw demo."}, 500

    @app.get("/")
    def page() -> flask.Response:
        return app.send_static_file("index.html")

    @app.get("/api/run")
    def describe() -> dict[str, Any]:
        return _described(run)

    @app.post("/api/windows")
    def show_windows() -> dict[str, Any]:
        asked = asked_lib.Asked(run)
        compressor = asked.method.compressor
        text = asked.text("text", *_text_limit(compressor))
        with _turn(compressing) if compressor.runs_m1 else contextlib.nullcontext():
            cut = windows.cut(compressor, text, asked.method.model)
        return _described_cut(cut, text, compressor)

    @app.post("/api/continue")
    def go_on() -> flask.Response:
        asked = asked_lib.Asked(run)
        prompt = asked.text("prompt", _MAX_TEXT, "the demo takes")
        how = sampling.Sampling(
            temperature=asked.number("temperature", 1.0), top_p=asked.number("top_p", 1.0)
        )
        max_bytes = asked.integer("max_bytes", 256, 1, _MAX_BYTES)
        seed = asked.integer("seed", 0, 0, _MAX_SEED)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_turn(generating))
            steps = asked.method.generator.generate(
                [prompt], max_bytes=max_bytes, how=how, seed=seed
            )
            # What is wrong with the prompt shows here, while there can be another status.
            steps = itertools.chain([next(steps)], steps)
            response = flask.Response(_lines(steps, max_bytes), mimetype="application/x-ndjson")
            # Also called where the client left before the first line.
            response.call_on_close(stack.pop_all().close)
        return response

    return app


class _Connection(cheroot_server.HTTPConnection):
    """cheroot's, which forgets to close what it writes to.

    Where the client has left, the rest of an answer would be in it still, and Python 3.13 tells on
    the terminal that it could not be written.
    """

    def close(self) -> None:
        super().close()
        with contextlib.suppress(OSError):
            self.wfile.close()


def listen(app: flask.Flask, host: str, port: int) -> wsgi.Server:
    """A server of `app` that is bound; `.serve()` answers requests until `.stop()`.

    Args:
      app: of `create_app`.
      host: an IP address.
      port: 0 for any that is free; `.bind_addr` tells which.

    Raises:
      InputError: the address cannot be had.
    """
    server = wsgi.Server(
        (host, port),
        app,
        numthreads=_THREADS,
        max=_THREADS,
        accepted_queue_size=_MOST_WAITING,
        timeout=_SOCKET_SECONDS,
        shutdown_timeout=1,
    )
    server.ConnectionClass = _Connection
    server.max_request_header_size = _MOST_HEADERS
    server.max_request_body_size = _MOST_BODY
    try:
        server.prepare()
    except OSError as error:
        raise errors.InputError(
            f"{host}, port {port}, cannot be listened on ({error}): give another by --port, or 0 "
            "for any that is free."
        ) from error
    return server


@contextlib.contextmanager
def _turn(lock: threading.Lock) -> Iterator[None]:
    if not lock.acquire(timeout=_PATIENCE):
        raise exceptions.ServiceUnavailable(
            "Another request keeps the machine busy: stop it, or try again in a while."
        )
    try:
        yield
    finally:
        lock.release()


def _is_trusted(host: str) -> bool:
    """Whether the Host of a request is an address, which no foreign name server can give out, or
    this machine's name."""
    try:
        name = parse.urlsplit(f"//{host}").hostname or ""
        ipaddress.ip_address(name)
    except ValueError:
        return host.partition(":")[0].lower() in ("localhost", socket.gethostname().lower())
    return True


def _lines(steps: Iterator[list[bytes]], max_bytes: int) -> Iterator[str]:
    """A line of JSON for each step of a continuation, and one that says why it ended."""
    # Bytes that end inside of a character wait for the rest of it.
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    num_bytes, num_steps, start = 0, 0, time.monotonic()
    try:
        # Steps without new bytes are lines too: writing one finds out whether the client is there.
        for (piece,) in steps:
            num_bytes, num_steps = num_bytes + len(piece), num_steps + 1
            yield _line(text=decoder.decode(piece), bytes=num_bytes, steps=num_steps)
            if time.monotonic() - start > _MAX_SECONDS:
                done = "time"
                break
        else:
            done = "max_bytes" if num_bytes >= max_bytes else "end"
        yield _line(text=decoder.decode(b"", final=True), done=done)
    except Exception as error:
        _LOG.exception("A continuation failed")
        yield _line(error=f"{type(error).__name__}: see the terminal of eiw demo.")


def _line(**values: Any) -> str:
    return json.dumps(values) + "\n"


def _described(run: run_folder.RunFolder) -> dict[str, Any]:
    return {
        "run": run.name,
        "methods": [
            {
                "name": name,
                "method": method.compressor.method,
                "codes": method.compressor.vocab_size,
                "window_bits": method.compressor.window_bits,
                "has_m2": method.has_m2,
                "takes_prompts": method.takes_prompts,
            }
            for name, method in run.methods.items()
        ],
        "left_out": run.left_out,
        "max_text": _MAX_TEXT,
        "max_bytes": _MAX_BYTES,
    }


def _text_limit(compressor: compressors.Compressor) -> tuple[int, str]:
    """The most bytes of a text, and who takes them."""
    if compressor.runs_m1:
        return _MAX_M1_TEXT, f"{compressor.name} runs M1 on each and takes"
    return _MAX_TEXT, "the demo takes"


def _described_cut(cut: windows.Cut, text: bytes, compressor: compressors.Compressor) -> dict:
    """Codes, pieces and totals."""
    decoded = b"".join(piece.text for piece in cut.pieces)
    return {
        "codes": cut.codes.tolist(),
        "pieces": [
            {
                "text": asked_lib.to_json(piece.text),
                "bytes": len(piece.text),
                "codes": [piece.first, piece.end],
                "room": piece.room,
                "bits": None if piece.bits is None else round(piece.bits, 2),
            }
            for piece in cut.pieces
        ],
        "by_information": cut.by_information,
        "lossless": decoded == text,
        "bytes": len(text),
        "tokens": len(cut.codes),
        "bytes_per_token": len(text) / len(cut.codes) if len(cut.codes) else None,
        "bits_per_token": math.log2(compressor.vocab_size),
    }
