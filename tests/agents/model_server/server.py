"""HTTP around a script."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from . import anthropic, chat, gemini, responses
from .acts import Act, Break, Call, Cut, Failure, Hang, Refuse, Say, Script
from .protocol import Body, Protocol
from .requests import Asked

PROTOCOLS: tuple[Protocol, ...] = (anthropic, chat, responses, gemini)


@dataclass(frozen=True)
class Record:
    """One request and what was done with it.

    Attributes:
        asked: What it said.
        act: What was done.
        at: When it came, seconds on the monotonic clock.
    """

    asked: Asked
    act: Act
    at: float


class ModelServer:
    """A server on loopback, as a context manager; its address is there from the beginning.

    Args:
        script: What it does.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._over = threading.Event()
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def records(self) -> list[Record]:
        """What was asked until now."""
        with self._lock:
            return list(self._records)

    def paid(self) -> list[tuple[str, int]]:
        """Task and turn of every answer that was given, as often as it was."""
        return [
            (record.asked.task, record.asked.turn)
            for record in self.records
            if isinstance(record.act, Say | Call)
        ]

    def decide(self, asked: Asked) -> tuple[Asked, Act]:
        """What to do with a request."""
        with self._lock:
            asked = replace(asked, number=len(self._records) + 1)
            act = self._script(asked)
            self._records.append(Record(asked, act, time.monotonic()))
            return asked, act

    def pause(self, seconds: float | None) -> None:
        """Wait, or until the server is closed."""
        self._over.wait(seconds)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    # A plan starts many agents at once.
    request_queue_size = 128

    def __init__(self, owner: ModelServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner

    def handle_error(self, request: object, client_address: object) -> None:
        """An agent that was ended in the middle of an answer is nothing to print."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""

    def do_HEAD(self) -> None:
        self._send(404, {})

    def do_GET(self) -> None:
        # Lists of models and the like; agents go on without.
        self._send(404, {"error": {"message": "not here", "type": "not_found_error"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        path, _, query = self.path.partition("?")
        for protocol in PROTOCOLS:
            if protocol.serves(path):
                streamed = bool(body.get("stream")) or "alt=sse" in query
                self._answer(protocol, protocol.asked(path, body), streamed)
                return
        self._send(404, {"error": {"message": f"no such thing: {path}", "type": "not_found"}})

    def _answer(self, protocol: Protocol, asked: Asked, streamed: bool) -> None:
        owner = self.server.owner
        asked, act = owner.decide(asked)
        match act:
            case Refuse(failure, retry_after):
                status, body = protocol.refusal(failure)
                headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
                self._send(status, body, headers)
            case Hang():
                owner.pause(None)
                self.close_connection = True
            case Cut():
                self._stream(iter([self._beginning(protocol, asked)]), whole=False)
            case Break(failure) if streamed:
                self._stream(self._broken(protocol, asked, failure))
            case Break(failure):
                self._send(*protocol.refusal(failure))
            case Say() | Call() if streamed:
                self._stream(protocol.events(act, asked), act.pause if isinstance(act, Say) else 0)
            case Say() | Call():
                self._send(200, protocol.whole(act, asked))

    @staticmethod
    def _beginning(protocol: Protocol, asked: Asked) -> bytes:
        return next(iter(protocol.events(Say("This answer is"), asked)))

    def _broken(self, protocol: Protocol, asked: Asked, failure: Failure) -> Iterator[bytes]:
        yield self._beginning(protocol, asked)
        # Providers take a while, too; and some clients see it only if it comes alone.
        self.server.owner.pause(0.3)
        yield protocol.breaking(failure, asked)

    def _send(self, status: int, body: Body, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, events: Iterator[bytes], pause: float = 0.0, *, whole: bool = True) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            self.wfile.flush()
            if pause:
                self.server.owner.pause(pause)
        if whole:
            self.wfile.write(b"0\r\n\r\n")
            return
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(2)
