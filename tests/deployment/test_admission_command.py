"""`assay admission`: from a folder of trust without a network, from a server, and over manifests."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.deployment.cluster import Cluster
from tests.deployment.recorded_reviews import APPROVED, UNKNOWN, cases
from tests.listening import listening

from assaymark.cli.admission import command
from assaymark.endorsement.approval import stamp
from assaymark.endorsement.revocation import Revocation, Revocations, Target
from assaymark.errors import AssayError
from assaymark.model.assessment import SECOND, Instant

DAY = 86_400 * SECOND
NAME = "sha256:" + "7" * 64


def run(*words: str, **more: Any) -> Result:
    return CliRunner().invoke(command, list(words), **more)


def documents(*words: str) -> list[Any]:
    result = run(*words)
    assert result.exit_code == 0, result.output + str(result.exception)
    return list(yaml.safe_load_all(result.stdout))


def why(result: Result) -> AssayError:
    assert isinstance(result.exception, AssayError), result.output
    return result.exception


def trust_folder(folder: Path, *, approved: dict[str, str], until: Instant | None = None, revoked: tuple[Revocation, ...] = ()) -> Path:
    """As `assay trust` keeps one: a state with metadata that names its documents by digest."""
    import msgspec  # noqa: PLC0415 - for this alone

    now = Instant(time.time_ns() // 1000)
    digests = [{"digest": digest, "endorsement": NAME, "expires": end} for digest, end in approved.items()]
    files = {
        "trust.json": b'{"roots":[]}',
        "revocations.json": msgspec.json.encode(Revocations(1, revoked)),
        "approved/production.json": json.dumps({"environment": "production", "at": stamp(now), "digests": digests}).encode(),
    }
    state = folder / "states" / "1"
    state.mkdir(parents=True)
    named = {}
    for name, data in files.items():
        (state / name.replace("/", "%2F")).write_bytes(data)
        named[name] = {"length": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}
    (state / "targets.json").write_text(json.dumps({"signed": {"targets": named}}))
    (state / "timestamp.json").write_text(json.dumps({"signed": {"expires": stamp(until or Instant(now + DAY)), "version": 1}}))
    (state / "state.json").write_text(json.dumps({"takenAt": now - DAY, "source": ""}))
    (folder / "settings.json").write_text('{"source": ""}')
    (folder / "current").symlink_to(Path("states") / "1")
    return folder


def test_a_cluster_is_given_policy_and_maps_without_a_network(tmp_path: Path) -> None:
    folder = trust_folder(tmp_path, approved={APPROVED[0]: "2036-01-01T00:00:00Z", "gitCommit:" + "1" * 40: "2036-01-01T00:00:00Z"})
    place = ("--environment", "production", "--trust", str(folder))
    policy, *bindings = documents("policy", *place, "--enforce")
    maps = documents("configmaps", *place)
    assert [text for key, text in maps[0]["data"].items() if key.startswith("sha256-")] == [f"{'a' * 64} 2036-01-01T00:00:00Z\n"]
    standing = Cluster(policy, bindings, maps)
    asked = {name: case["review"]["request"] for name, case in cases()}
    assert standing.admit(asked["pods: an approved pod"]).allowed
    assert not standing.admit(asked["pods: a pod that nobody approved"]).allowed


def test_what_ended_or_was_taken_back_is_in_no_map(tmp_path: Path) -> None:
    approved = {APPROVED[0]: "2036-01-01T00:00:00Z", APPROVED[1]: "2020-01-01T00:00:00Z", UNKNOWN: "2036-01-01T00:00:00Z"}
    taken = Revocation(Target.SUBJECT, UNKNOWN, "a flaw", "2026-01-01T00:00:00Z")
    folder = trust_folder(tmp_path, approved=approved, revoked=(taken,))
    (made,) = documents("configmaps", "--environment", "production", "--trust", str(folder))
    assert "".join(made["data"].values()).count("2036") == 1
    assert "a" * 64 in made["data"]["sha256-aa"]


def test_a_folder_that_is_too_old_approves_nothing(tmp_path: Path) -> None:
    folder = trust_folder(tmp_path, approved={APPROVED[0]: "2036-01-01T00:00:00Z"}, until=Instant(SECOND))
    result = run("configmaps", "--environment", "production", "--trust", str(folder))
    assert result.stdout == ""
    assert "too old" in why(result).why


def test_a_folder_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = trust_folder(tmp_path, approved={})
    document = folder / "states" / "1" / "approved%2Fproduction.json"
    document.write_text(document.read_text().replace("[]", "[ ]"))
    assert "was changed" in str(why(run("configmaps", "--environment", "production", "--trust", str(folder))))
    assert "says nothing of the environment" in str(why(run("configmaps", "--environment", "test", "--trust", str(folder))))


def test_where_the_digests_are_has_to_be_said() -> None:
    assert "--trust" in why(run("configmaps", "--environment", "production")).advice


def test_a_policy_is_only_tried_out_unless_it_is_said(tmp_path: Path) -> None:
    tried = documents(
        "policy", "--environment", "production", "--namespace", "shop", "--exempt", "infra", "--shards", "16", "--home", "guard"
    )
    assert len(tried) == 17
    assert tried[0]["spec"]["failurePolicy"] == "Ignore"
    assert {"infra", "guard", "kube-system"} == set(
        tried[0]["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"][0]["values"]
    )
    assert {each["spec"]["paramRef"]["namespace"] for each in tried[1:]} == {"guard"}
    (tmp_path / "token").write_text("T0ken\n")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    server = ("--server", "https://assay.example", "--environment", "production", "--token-file", str(tmp_path / "token"))
    (hook,) = documents("webhook", *server, "--authority", str(tmp_path / "ca.pem"))
    assert hook["webhooks"][0]["clientConfig"]["url"] == "https://assay.example/admission/k8s/T0ken"
    assert hook["webhooks"][0]["failurePolicy"] == "Ignore"
    admission, kubeconfig = documents("webhook", *server, "--plugin", "/etc/kubernetes/k.yaml", "--enforce")
    assert admission["plugins"][0]["configuration"]["imagePolicy"]["kubeConfigFile"] == "/etc/kubernetes/k.yaml"
    assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://assay.example/admission/imagereview"
    assert "https" in why(run("webhook", "--server", "http://assay.example", "--environment", "x")).why


# --- from a server ---------------------------------------------------------------------------------------------------


@contextmanager
def serving(status: int, body: bytes, asked: list[tuple[str, str]], location: str = "") -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization", "")))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with listening(Handler) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.enable_socket
def test_a_gate_is_taken_as_it_stands_at_the_server(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("assay_x\n")
    asked: list[tuple[str, str]] = []
    with serving(200, "---\nkind: ConfigMap\nnote: größer\n".encode(), asked) as url:
        words = ("--server", url, "--gate", "7", "--token-file", str(token))
        assert documents("configmaps", *words, "--shards", "16") == [{"kind": "ConfigMap", "note": "größer"}]
        documents("policy", *words)
        documents("webhook", *words)
        documents("webhook", *words, "--plugin", "/k")
    assert [path for path, _ in asked] == [
        f"/api/v1/admission-gates/7/manifests/{form}" for form in ("configmaps?shards=16", "policy", "webhook", "plugin")
    ]
    assert {given for _, given in asked} == {"Bearer assay_x"}


@pytest.mark.enable_socket
def test_what_a_server_refuses_is_said_and_a_token_follows_no_redirect(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("assay_x")
    asked: list[tuple[str, str]] = []
    elsewhere: list[tuple[str, str]] = []
    with serving(404, b'{"title": "gate 7 is not here"}', asked) as url:
        assert "gate 7 is not here" in why(run("policy", "--server", url, "--gate", "7", "--token-file", str(token))).what
    with serving(200, b"x", elsewhere) as other, serving(302, b"", asked, location=other) as url:
        assert "302" in str(why(run("policy", "--server", url, "--gate", "7", "--token-file", str(token))))
    assert elsewhere == []
    assert "does not answer" in str(why(run("policy", "--server", url, "--gate", "7", "--token-file", str(token))))
    for server in ("http://assay.example", "ftp://127.0.0.1", "https://u@assay.example", ""):
        assert "asked" in str(why(run("policy", "--server", server, "--gate", "7", "--token-file", str(token))))
    assert "--token-file" in why(run("policy", "--server", url, "--gate", "7")).advice
    with serving(200, b"<html>sign in</html>", asked) as portal:
        assert "something else" in str(why(run("policy", "--server", portal, "--gate", "7", "--token-file", str(token))))
    token.write_text("two words")
    assert "no token" in str(why(run("policy", "--server", url, "--gate", "7", "--token-file", str(token))))


# --- manifests -------------------------------------------------------------------------------------------------------

MANIFESTS = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  template:
    spec:
      initContainers: [{{name: i, image: 'registry.example.org/init@{APPROVED[0]}'}}]
      containers: [{{name: c, image: 'registry.example.org/app@{APPROVED[1]}'}}]
      volumes: [{{name: m, image: {{reference: 'registry.example.org/model@{APPROVED[0]}'}}}}]
---
---
just a text
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
"""


def test_images_of_manifests_are_listed_wherever_they_hide(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(MANIFESTS)
    lines = run("images", str(file)).stdout.splitlines()
    assert [line.split("\t")[2].split(": ")[1] for line in lines] == [
        "spec.template.spec.containers[0]", "spec.template.spec.initContainers[0]", "spec.template.spec.volumes[0].image",
    ]  # fmt: skip
    result = run("images", "--digests", "-", input=MANIFESTS)
    assert (result.exit_code, result.stdout.split()) == (0, [APPROVED[1], APPROVED[0]])


def test_an_image_without_a_digest_ends_with_one(tmp_path: Path) -> None:
    pod = json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}})
    result = run("images", "--digests", "-", input=pod)
    assert result.exit_code == 1
    assert "nginx:1" in result.stderr
    assert run("images", "-", input=pod).stdout.startswith("not-pinned\tnginx:1")


@pytest.mark.parametrize("text", ["a: [", "apiVersion: v1\nkind: Pod\nspec: []\n", "[" * 5000, "def run(name):\n    return 1\n", "[1]"])
def test_what_is_no_manifest_is_said(text: str) -> None:
    assert "cannot be read" in str(why(run("images", "-", input=text)))
    assert "cannot be read" in str(why(run("images", "/nowhere/at/all")))
