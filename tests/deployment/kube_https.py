"""The cluster of the tests behind TLS on this machine, with a kubeconfig that leads to it: for commands that are processes of their own."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from tests.deployment.kube_api import NAMESPACE, KubeApi
from tests.deployment.test_kubernetes_client import Authority

from assaymark.deployment.drivers.kubernetes.client import Answer, Call

TOKEN = "opens the cluster"
_NAME = "cluster.internal"


@contextmanager
def served(api: KubeApi, folder: Path) -> Iterator[Path]:
    """Gives the kubeconfig."""
    authority = Authority()
    certificate, key = authority.issued(_NAME)
    (folder / "cluster.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cluster.pem")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Authorization") != f"Bearer {TOKEN.replace(' ', '-')}":
                self.write(Answer(401, b'{"kind":"Status","apiVersion":"v1","status":"Failure","code":401}'))
                return
            with lock:
                said = api(Call(self.command, self.path, body, self.headers.get("Content-Type", "")))
            self.write(said)

        do_GET = do_PATCH = do_POST = do_DELETE = answer  # noqa: N815 - so the library wants it

        def write(self, said: Answer) -> None:
            self.send_response(said.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield _kubeconfig(folder, server.server_port, authority)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _kubeconfig(folder: Path, port: int, authority: Authority) -> Path:
    path, token = folder / "kubeconfig", folder / "cluster.token"
    token.write_text(TOKEN.replace(" ", "-"))
    cluster = {
        "server": f"https://127.0.0.1:{port}", "tls-server-name": _NAME,
        "certificate-authority-data": base64.b64encode(authority.pem).decode(),
    }  # fmt: skip
    path.write_text(
        yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "shop",
            "contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "deployer", "namespace": NAMESPACE}}],
            "clusters": [{"name": "shop", "cluster": cluster}],
            "users": [{"name": "deployer", "user": {"tokenFile": str(token)}}],
        })
    )  # fmt: skip
    return path
