"""Asking a server for endorsements: what it gives is tried like any file, and what it does not say is no approval."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import msgspec
import pytest
from tests.endorsement.approvals import endorsed_as, signer
from tests.endorsement.asking.pipeline import Pipeline

from assaymark.endorsement import bundle, dsse
from assaymark.endorsement.statement import PAYLOAD_TYPE
from assaymark.model.assessment import Instant
from assaymark.server.api.endorsements import Attestation, Attestations

pytestmark = pytest.mark.enable_socket


class Stage:
    """A server that answers in the shape of ours."""

    def __init__(self) -> None:
        self.bundles: tuple[bytes, ...] = ()
        self.status = 200
        self.asked: list[tuple[str, str]] = []
        stage = self

        class _Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stage.asked.append((self.path, self.headers.get("Authorization", "")))
                listed = tuple(Attestation(msgspec.Raw(each), "https://x", "sha256:0", Instant(1), True) for each in stage.bundles)
                data = msgspec.json.encode(Attestations(listed))
                self.send_response(stage.status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_words: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("ASSAYMARK_TOKEN", "token-of-a-pipeline")
    made = Stage()
    thread = Thread(target=made.http.serve_forever)
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


def test_what_the_server_holds_is_verified_like_any_file(pipeline: Pipeline, stage: Stage) -> None:
    path = pipeline.file("f", bundle=False)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert pipeline.run(path, "--server", stage.address)[0] == 5
    stage.bundles = (pipeline.endorsed({"sha256": digest}),)
    assert pipeline.run(path, "--server", stage.address)[0] == 0
    assert stage.asked[0] == (f"/api/v1/attestations/sha256:{digest}", "Bearer token-of-a-pipeline")
    stage.bundles = (endorsed_as(pipeline.claim(), ({"sha256": digest},), signer()),)
    code, said = pipeline.run(path, "--server", stage.address)
    assert code == 1
    assert "no-trusted-signature" in said


def test_signatures_that_the_server_gives_apart_count_together(pipeline: Pipeline, stage: Stage) -> None:
    other = signer("ed25519")
    pipeline.believe(keys=(pipeline.key.public.pem, other.public.pem), threshold=2)
    path = pipeline.file("f", bundle=False)
    one = bundle.read(pipeline.endorsed({"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))
    stage.bundles = bundle.one_each(dsse.sign(PAYLOAD_TYPE, dsse.payload_of(one), pipeline.key, other))
    assert len(stage.bundles) == 2
    assert pipeline.run(path, "--server", stage.address)[0] == 0
    stage.bundles = stage.bundles[:1] * 2
    code, said = pipeline.run(path, "--server", stage.address)
    assert code == 1
    assert "too-few-signatures" in said


@pytest.mark.parametrize("status", [401, 404, 500, 302])
def test_a_server_that_does_not_answer_as_it_should_approves_nothing(pipeline: Pipeline, stage: Stage, status: int) -> None:
    stage.status = status
    code, said = pipeline.run(pipeline.file("f", bundle=False), "--server", stage.address)
    assert code == 3
    assert "unreadable" in said
    assert "token-of" not in said


def test_a_server_that_is_not_there_and_one_without_tls_are_said(pipeline: Pipeline, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pipeline.file("f")
    stage.http.server_close()
    assert pipeline.run(path, "--server", "http://127.0.0.1:1")[0] == 3
    assert pipeline.run(path, "--server", "http://assay.example")[0] == 2
    monkeypatch.delenv("ASSAYMARK_TOKEN")
    assert pipeline.run(path, "--server", stage.address)[0] == 2
