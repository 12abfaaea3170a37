"""A forge that answers as its published description says, and writes down what of a request is not as described."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

from acceptance.issue4.described import Asked, Description, Operation


class StandIn(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, kind: str, description: Description) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kind, self.description = kind, description
        self.asked: list[Asked] = []
        self.mistakes: list[str] = []
        self.comments: dict[int, str] = {}
        self.statuses: list[Any] = []
        self.repositories: list[dict[str, Any]] = []
        self.is_group = True
        """Otherwise the name that is asked for is a user's."""

    @property
    def api(self) -> str:
        return f"{self.origin}{'/api/v4' if self.kind == 'gitlab' else self.description.base}"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def say(self, asked: Asked) -> tuple[int, Any, str]:
        """Code, document and address of the next page."""
        self.asked.append(asked)
        wrong = self.description.mistakes(asked)
        self.mistakes += wrong
        operation = self.description.operation(asked.method, asked.path)
        if wrong or operation is None:
            return 422, {"message": wrong}, ""
        return self._listed(operation, asked) if asked.method == "GET" else self._written(operation, asked)

    def _written(self, operation: Operation, asked: Asked) -> tuple[int, Any, str]:
        body = json.loads(asked.body)
        if "/statuses/" in operation.template:
            self.statuses.append(body)
            return (*self.description.answer(operation, {}), "")
        number = len(self.comments) + 1 if asked.method == "POST" else int(asked.path.rpartition("/")[2])
        if asked.method != "POST" and number not in self.comments:
            return 404, {"message": "not found"}, ""
        self.comments[number] = body["body"]
        return (*self.description.answer(operation, {"id": number, "body": body["body"]}), "")

    def _listed(self, operation: Operation, asked: Asked) -> tuple[int, Any, str]:
        if operation.template.endswith(("/comments", "/notes")):
            rows = [{"id": number, "body": body} for number, body in sorted(self.comments.items())]
            if self.kind == "gitea":
                rows = [] if "since=9999" in asked.query else rows
                return (*self.description.answer(operation, rows), "")
        elif self.is_group == operation.template.rpartition("/api/v4")[2].startswith("/users/"):
            return 404, {"message": "not found"}, ""
        else:
            rows = self.repositories
        query = dict(parse_qsl(asked.query))
        size, page = int(query.get("per_page", query.get("limit", "20"))), int(query.get("page", "1"))
        shown = rows[(page - 1) * size : page * size]
        rest = "&".join(f"{name}={value}" for name, value in query.items() if name != "page")
        following = f"{self.origin}{asked.path}?{rest}&page={page + 1}" if page * size < len(rows) else ""
        return (*self.description.answer(operation, shown), following)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: StandIn

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", "0") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        code, document, following = self.server.say(Asked(self.command, path, query, headers, body))
        self.send_response(code)
        if following:
            self.send_header("Link", f'<{following}>; rel="next"')
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815 - the names that the library calls

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def standing_in(kind: str, description: Description) -> Iterator[StandIn]:
    made = StandIn(kind, description)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()
