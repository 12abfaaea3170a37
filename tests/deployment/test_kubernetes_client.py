"""How a cluster is reached: kubeconfigs, accounts of pods, certificates, programs that give credentials; and what is refused."""

from __future__ import annotations

import base64
import datetime as dt
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.drivers.kubernetes import settings
from assaymark.deployment.drivers.kubernetes.client import Answer, Api, Call, Place, over_https
from assaymark.deployment.drivers.kubernetes.driver import opened
from assaymark.deployment.drivers.kubernetes.kubeconfig import inside, of_file, reached
from assaymark.errors import UsageError


class Authority:
    """Of a cluster: signs its own certificate, the server's and a client's."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed("authority", self.key, ca=True)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    def issued(self, name: str) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self._signed(name, key, ca=False).public_bytes(serialization.Encoding.PEM), private

    def _signed(self, name: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        made = x509.CertificateBuilder(issuer, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key())
        made = (
            made.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(1)).not_valid_after(now + dt.timedelta(1))
        )
        made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
        made = made.add_extension(usage, critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        return made.sign(self.key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


class Server(HTTPServer):
    seen: list[tuple[str, str, str]]
    """Path, bearer, subject of the client's certificate."""


@pytest.fixture
def server(authority: Authority, tmp_path: Path) -> Iterator[Server]:
    certificate, key = authority.issued("cluster.internal")
    (tmp_path / "server.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(cadata=authority.pem.decode())
    context.verify_mode = ssl.CERT_OPTIONAL

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            peer: Any = self.connection.getpeercert()
            subject = dict(entry[0] for entry in peer["subject"])["commonName"] if peer else ""
            made.seen.append((self.path, self.headers.get("Authorization", ""), subject))
            moved = self.path.endswith("/moved")
            body = json.dumps({"kind": "Status", "path": self.path}).encode()
            self.send_response(302 if moved else 200)
            if moved:
                self.send_header("Location", "https://elsewhere.example/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    made = Server(("127.0.0.1", 0), Handler)
    made.seen = []
    made.handle_error = lambda *_: None  # type: ignore[method-assign]
    made.socket = context.wrap_socket(made.socket, server_side=True)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def kubeconfig(folder: Path, cluster: dict[str, Any], user: dict[str, Any], namespace: str = "shop") -> Path:
    path = folder / "config"
    path.write_text(
        yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
            "clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": user}],
        })
    )  # fmt: skip
    return path


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def cluster_of(authority: Authority, server: Server) -> dict[str, Any]:
    address = f"https://127.0.0.1:{server.server_port}/prefix/"
    return {"server": address, "certificate-authority-data": b64(authority.pem), "tls-server-name": "cluster.internal"}


@pytest.mark.enable_socket
def test_a_token_goes_to_the_cluster_whose_certificate_is_checked(authority: Authority, server: Server, tmp_path: Path) -> None:
    found = of_file(kubeconfig(tmp_path, cluster_of(authority, server), {"token": "opens"}))
    answer = over_https(found.place)(Call("GET", "/api/v1/x"))
    assert (answer.status, found.namespace) == (200, "shop")
    assert server.seen == [("/prefix/api/v1/x", "Bearer opens", "")]


@pytest.mark.enable_socket
def test_a_certificate_says_who_asks_and_its_key_is_in_no_file(authority: Authority, server: Server, tmp_path: Path) -> None:
    certificate, key = authority.issued("deployer")
    user = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}
    found = of_file(kubeconfig(tmp_path, cluster_of(authority, server), user))
    over_https(found.place)(Call("GET", "/x"))
    assert server.seen == [("/prefix/x", "", "deployer")]
    assert {each.name for each in tmp_path.iterdir()} == {"server.pem", "config"}


@pytest.mark.enable_socket
def test_a_cluster_with_another_authority_gets_no_token(authority: Authority, server: Server, tmp_path: Path) -> None:
    wrong = {**cluster_of(authority, server), "certificate-authority-data": b64(Authority().pem)}
    found = of_file(kubeconfig(tmp_path, wrong, {"token": "opens"}))
    with pytest.raises(DriverFailed, match="certificate is not the one"):
        Api(over_https(found.place)).get("/x")
    assert server.seen == []


@pytest.mark.enable_socket
def test_another_name_in_the_certificate_gets_no_token(authority: Authority, server: Server, tmp_path: Path) -> None:
    wrong = {**cluster_of(authority, server), "tls-server-name": "other.internal"}
    with pytest.raises(DriverFailed, match="certificate is not the one"):
        Api(over_https(of_file(kubeconfig(tmp_path, wrong, {"token": "opens"})).place)).get("/x")
    assert server.seen == []


@pytest.mark.enable_socket
def test_no_redirect_is_followed(authority: Authority, server: Server, tmp_path: Path) -> None:
    found = of_file(kubeconfig(tmp_path, cluster_of(authority, server), {"token": "opens"}))
    with pytest.raises(DriverFailed, match="answers 302"):
        Api(over_https(found.place)).get("/moved")
    assert len(server.seen) == 1


@pytest.mark.enable_socket
def test_a_program_gives_credentials_and_is_asked_again_when_they_end(authority: Authority, server: Server, tmp_path: Path) -> None:
    program = tmp_path / "login"
    program.write_text(
        '#!/bin/sh\necho x >> "$COUNTED"\n'
        'echo "$KUBERNETES_EXEC_INFO" | grep -q ExecCredential || exit 1\n'
        """printf '{"kind":"ExecCredential","status":{"token":"of-%s","expirationTimestamp":"%s"}}' "$1" "$ENDS"\n"""
    )
    program.chmod(0o755)
    counted = tmp_path / "counted"
    for ends, times in (("2020-01-01T00:00:00Z", 2), ("2099-01-01T00:00:00Z", 1)):
        counted.write_text("")
        env = [{"name": "COUNTED", "value": str(counted)}, {"name": "ENDS", "value": ends}]
        user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", "args": ["shop"], "env": env}}
        send = over_https(of_file(kubeconfig(tmp_path, cluster_of(authority, server), user)).place)
        send(Call("GET", "/x"))
        send(Call("GET", "/x"))
        assert len(counted.read_text().split()) == times
    assert {each[1] for each in server.seen} == {"Bearer of-shop"}


def test_a_pod_is_let_in_by_its_account_whose_token_is_read_each_time(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    (tmp_path / "namespace").write_text("shop")
    (tmp_path / "token").write_text("first\n")
    found = inside({"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}, tmp_path)
    assert (found.place.host, found.place.port, found.namespace, found.place.bearer()) == ("10.96.0.1", 443, "shop", "first")
    (tmp_path / "token").write_text("second")
    assert found.place.bearer() == "second"
    with pytest.raises(UsageError, match="no pod of a cluster"):
        inside({}, tmp_path)


@pytest.mark.parametrize(
    ("cluster", "user", "said"),
    [
        ({"server": "http://c:1"}, {"token": "t"}, "no address"),
        ({"server": "https://u:p@c"}, {"token": "t"}, "no address"),
        ({"server": "https://c", "insecure-skip-tls-verify": True}, {"token": "t"}, "not to check"),
        ({"server": "https://c", "proxy-url": "http://p"}, {"token": "t"}, "proxy"),
        ({"server": "https://c"}, {"username": "u", "password": "p"}, "password"),
        ({"server": "https://c"}, {}, "who asks"),
        ({"server": "https://c"}, {"client-certificate-data": "QQ=="}, "without its key"),
        ({"server": "https://c"}, {"client-certificate-data": "?", "client-key-data": "QQ=="}, "base64"),
        ({"server": "https://c", "certificate-authority-data": "QQ=="}, {"token": "t"}, "authority is no certificate"),
        ({"server": "https://c"}, {"exec": {"apiVersion": "v0", "command": "x"}}, "speaks 'v0'"),
        ({"server": "https://c"}, {"tokenFile": "missing"}, ""),
    ],
)
def test_a_kubeconfig_that_is_not_safe_or_not_whole_is_refused(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], said: str
) -> None:
    path = kubeconfig(tmp_path, cluster, user)
    if not said:
        with pytest.raises(UsageError, match="cannot be read"):
            of_file(path).place.bearer()
        return
    with pytest.raises(UsageError, match=said):
        of_file(path)


@pytest.mark.parametrize(
    "text", ["[", "clusters: 7", "a: &a [*a]", "- x", "!!python/object/apply:os.getcwd []", "contexts: [{name: here}]"]
)
def test_what_is_no_kubeconfig_is_an_error_with_advice(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        of_file(path, "here")
    assert refused.value.advice


def test_the_file_that_is_named_comes_before_the_others(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"server": "https://one.example"}, {"token": "t"})
    assert reached(str(path), "", {"KUBECONFIG": "/nowhere"}).place.host == "one.example"
    assert reached("", "", {"KUBECONFIG": str(path)}).place.host == "one.example"
    with pytest.raises(UsageError, match="several files"):
        reached("", "", {"KUBECONFIG": f"{path}:{path}"})
    with pytest.raises(UsageError, match="no context 'there'"):
        reached(str(path), "there", {})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"workload": "web"},
        {"workload": "daemonset/web"},
        {"workload": "deployment/WEB"},
        {"workload": "deployment/a deployment/b"},
        {"workload": "deployment/a", "service": "s"},
        {"workload": "deployment/a deployment/a", "service": "s"},
        {"workload": "statefulset/a statefulset/b", "service": "s"},
        {"workload": "deployment/a", "namespace": "../x"},
        {"workload": "deployment/a", "probe": "99999/x"},
        {"workload": "deployment/a", "probe": "8080/a b"},
        {"workload": "deployment/a", "rollout_seconds": "0"},
        {"workload": "deployment/a", "rollout_seconds": "nan"},
        {"workload": "deployment/a", "restarts": "-1"},
        {"workload": "deployment/a", "aliases": "sha256:1=sha256:2"},
        {"workload": "deployment/a", "worklaod": "deployment/b"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        settings.read(options)


def test_a_driver_is_opened_by_its_options(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"server": "https://one.example"}, {"token": "t"}, "stage")
    driver = opened({"workload": "deployment/web", "kubeconfig": str(path)})
    assert driver.capabilities().driver == "kubernetes"
    assert driver._there.name == "stage"


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    page = json.dumps({"kind": "PodList", "items": [{}], "metadata": {"continue": "more"}}).encode()
    with pytest.raises(DriverFailed, match="has no end"):
        Api(lambda _: Answer(200, page)).every("/api/v1/namespaces/n/pods")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_no_object_is_none_of_its_kind(body: bytes) -> None:
    assert Api(lambda _: Answer(200, body)).get("/x") == {}


def test_a_connection_that_breaks_is_tried_again_and_then_told() -> None:
    waited: list[float] = []

    def broken(call: Call) -> Answer:
        raise ConnectionResetError("reset")

    with pytest.raises(DriverFailed, match="does not answer GET /x"):
        Api(broken, waited.append).get("/x", labelSelector="a=b")
    assert len(waited) == 4
    assert sum(waited) < 40


def test_no_token_is_in_the_picture_of_a_place() -> None:
    place = Place("c", 443, ssl.create_default_context(), lambda: "secret-token")
    assert "secret-token" not in repr(place)
