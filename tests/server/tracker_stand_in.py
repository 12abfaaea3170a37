"""Trackers on the loopback: issues of GitHub, GitLab, Gitea and Jira, as far as they are asked; each request is written down."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class Issue:
    """As all of them keep it."""

    def __init__(self, number: int, title: str, body: str, labels: list[str]) -> None:
        self.number, self.title, self.body, self.labels = number, title, body, labels
        self.is_open = True
        self.comments: list[Any] = []


class Tracker(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, kind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kind = kind
        self.issues: dict[int, Issue] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.fails: Callable[[str, str], int] = lambda _method, _path: 0
        """Code to answer instead; with a negative one the request is done and the connection dropped."""

    @property
    def api(self) -> str:
        below = {"gitlab": "/api/v4", "gitea": "/api/v1", "jira": "/rest/api/2", "jira-cloud": "/rest/api/3"}.get(self.kind, "")
        return f"http://127.0.0.1:{self.server_address[1]}{below}"

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(target)
        self.asked.append((method, parts.path, body))
        code = self.fails(method, parts.path)
        if code > 0:
            return code, {"message": "no"}
        made = self._jira(method, parts.path, body) if self.kind.startswith("jira") else self._forge(method, parts, body)
        return (-1, None) if code < 0 else made

    def _new(self, title: str, body: Any, labels: list[str]) -> Issue:
        number = len(self.issues) + 1
        self.issues[number] = Issue(number, title, body, labels)
        return self.issues[number]

    def _forge(self, method: str, parts: Any, body: Any) -> tuple[int, Any]:
        lab = self.kind == "gitlab"
        name = "description" if lab else "body"
        if method == "GET":
            query = parse_qs(parts.query)
            size, page = int(query.get("per_page", query.get("limit", ["20"]))[0]), int(query["page"][0])
            size = min(size, 50) if self.kind == "gitea" else size
            rows = sorted(self.issues.values(), key=lambda each: -each.number)
            return 200, [self._row(each) for each in rows[(page - 1) * size : page * size]]
        if method == "POST":
            return 201, self._row(self._new(body["title"], body[name], body.get("labels", [])))
        found = self.issues.get(int(parts.path.rpartition("/")[2]))
        if found is None:
            return 404, {"message": "not found"}
        found.title, found.body = body["title"], body[name]
        state = body.get("state") or {"close": "closed", "reopen": "open"}.get(body.get("state_event", ""))
        found.is_open = found.is_open if state is None else state == "open"
        return 200, self._row(found)

    def _row(self, issue: Issue) -> dict[str, Any]:
        page = f"https://tracker.example/issues/{issue.number}"
        if self.kind == "gitlab":
            return {"id": issue.number + 1000, "iid": issue.number, "description": issue.body, "web_url": page}
        return {"id": issue.number + 1000, "number": issue.number, "body": issue.body, "html_url": page}

    def _jira(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        path = path.partition("/rest/api/")[2][1:]
        if path in {"/search", "/search/jql"}:
            label = re.search(r'labels = "([^"]+)"', body["jql"])
            assert label is not None
            return 200, {"issues": [{"key": f"SEC-{each.number}"} for each in self.issues.values() if label[1] in each.labels]}
        if path == "/issue":
            fields = body["fields"]
            return 201, {"key": f"SEC-{self._new(fields['summary'], fields['description'], fields['labels']).number}"}
        words = unquote(path).split("/")
        found = self.issues.get(int(words[2].partition("-")[2]))
        if found is None:
            return 404, {"errorMessages": ["gone"]}
        return self._of_issue(method, words[3] if len(words) > 3 else "", found, body)

    def _of_issue(self, method: str, part: str, found: Issue, body: Any) -> tuple[int, Any]:
        status = {"name": "Offen" if found.is_open else "Erledigt", "statusCategory": {"key": "new" if found.is_open else "done"}}
        if part == "comment":
            found.comments.append(body["body"])
            return 201, {"id": "1"}
        if part == "transitions" and method == "GET":
            other = {"name": "x", "statusCategory": {"key": "done" if found.is_open else "indeterminate"}}
            needed = {"resolution": {"required": True, "allowedValues": [{"id": "7"}]}} if found.is_open else {}
            return 200, {"transitions": [{"id": "9", "to": status, "fields": {}}, {"id": "11", "to": other, "fields": needed}]}
        if part == "transitions":
            assert body["transition"]["id"] == "11"
            assert body.get("fields", {}).get("resolution", {}).get("id") == ("7" if found.is_open else None)
            found.is_open = not found.is_open
            return 204, None
        if method == "GET":
            return 200, {"key": f"SEC-{found.number}", "fields": {"status": status}}
        found.title, found.body = body["fields"]["summary"], body["fields"]["description"]
        return 204, None


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Tracker

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0") or 0))
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        code, document = self.server.answer(self.command, self.path, json.loads(body) if body else None)
        if code < 0:
            self.close_connection = True
            return
        self.send_response(code)
        data = b"" if document is None else json.dumps(document).encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815 - the names that the library calls

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def tracker(kind: str) -> Iterator[Tracker]:
    made = Tracker(kind)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()
