"""How a cluster is reached: by a kubeconfig, or as a pod by the account that its cluster gave it.

Guarantees: only HTTPS, and the certificate is always checked (`insecure-skip-tls-verify` is refused); a key that stands in the file is
never written to a disk; tokens of files are read anew for each request, since clusters exchange them; a program that gives credentials (as
the clouds have them) is run without a shell, with a bound on its time, and asked again when what it gave ends.

Not here: user names with passwords and the built-in cloud providers, which Kubernetes itself took away; proxies.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import yaml
from msgspec import Struct

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.drivers.kubernetes.client import Place
from assaymark.endorsement import approval
from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_MOST_BYTES = 4 << 20
_MOST_TOKEN = 64 << 10
_PROGRAM_SECONDS = 60
_EARLY = 60 * 1_000_000
_KINDS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class _Cluster(Struct, frozen=True, rename="kebab"):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    proxy_url: str = ""


class _Program(Struct, frozen=True, rename="camel"):
    command: str
    api_version: str = ""
    args: list[str] | None = None
    env: list[dict[str, str]] | None = None
    provide_cluster_info: bool = False


class _User(Struct, frozen=True, rename="kebab"):
    token: str = ""
    token_file: str = msgspec.field(default="", name="tokenFile")
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    username: str = ""
    exec: _Program | None = None


class _Context(Struct, frozen=True):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _NamedCluster(Struct, frozen=True):
    name: str
    cluster: _Cluster


class _NamedUser(Struct, frozen=True):
    name: str
    user: _User


class _NamedContext(Struct, frozen=True):
    name: str
    context: _Context


class _File(Struct, frozen=True, rename="kebab"):
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None
    current_context: str = ""


class Reached(Struct, frozen=True):
    """A cluster, and the namespace that is meant where none is said."""

    place: Place
    namespace: str


def reached(kubeconfig: str, context: str, environment: Mapping[str, str] | None = None) -> Reached:
    """The cluster that is meant: the file that is named, ``KUBECONFIG``, the cluster that this runs in, ``~/.kube/config``.

    Raises:
        UsageError: when there is none, or it does not say how to get in.
    """
    given = os.environ if environment is None else environment
    named = kubeconfig or given.get("KUBECONFIG", "")
    if not named and not context and given.get("KUBERNETES_SERVICE_HOST") and (ACCOUNT / "token").exists():
        return inside(given)
    path = Path(named or Path(given.get("HOME", "~")).expanduser() / ".kube" / "config")
    if os.pathsep in str(path):
        raise UsageError("KUBECONFIG names several files", advice="name one with the option kubeconfig")
    return of_file(path, context)


def inside(environment: Mapping[str, str], account: Path = ACCOUNT) -> Reached:
    """The cluster whose pod this is."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not port.isdecimal():
        raise UsageError("this is no pod of a cluster", why="KUBERNETES_SERVICE_HOST and _PORT do not say where its API is")
    context = _trusting(_read(account / "ca.crt").decode("utf-8", "replace"))
    namespace = _read(account / "namespace").decode("utf-8", "replace").strip()
    return Reached(Place(host, int(port), context, lambda: _token(account / "token")), namespace or "default")


def of_file(path: Path, context: str = "") -> Reached:
    """The cluster of a kubeconfig's context."""
    try:
        found = msgspec.convert(yaml.safe_load(_read(path)) or {}, _File, strict=False)
    except (yaml.YAMLError, *UNDECODABLE) as error:
        raise UsageError(f"{path} is no kubeconfig", why=str(error), advice="name another with the option kubeconfig") from error
    name = context or found.current_context
    chosen = {each.name: each.context for each in found.contexts or ()}.get(name)
    if chosen is None:
        raise UsageError(f"{path} has no context {name!r}", advice="name one with the option context")
    cluster = {each.name: each.cluster for each in found.clusters or ()}.get(chosen.cluster)
    user = {each.name: each.user for each in found.users or ()}.get(chosen.user)
    if cluster is None or user is None:
        raise UsageError(f"the context {name} of {path} names a cluster or a user that is not in it")
    return Reached(_place(cluster, user, path), chosen.namespace or "default")


def _place(cluster: _Cluster, user: _User, path: Path) -> Place:
    parts = urlsplit(cluster.server)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query:
        raise UsageError(f"{cluster.server[:200]!r} of {path} is no address of a cluster", why="it is asked over HTTPS alone")
    if cluster.insecure_skip_tls_verify:
        raise UsageError(f"{path} says not to check the cluster's certificate", advice="give its authority instead")
    if cluster.proxy_url:
        raise UsageError(f"{path} asks for a proxy", why="a deployer reaches its cluster directly", advice="take proxy-url out of it")
    if user.username:
        raise UsageError(f"{path} has a user name with a password", why="Kubernetes does not take them", advice="use a token")
    authority = _given(cluster.certificate_authority_data, cluster.certificate_authority, path)
    context = _trusting(authority.decode("utf-8", "replace")) if authority else ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    bearer = _bearer(user, path, context)
    return Place(parts.hostname, parts.port or 443, context, bearer, parts.path.rstrip("/"), cluster.tls_server_name)


def _bearer(user: _User, path: Path, context: ssl.SSLContext) -> Callable[[], str]:
    certificate = _given(user.client_certificate_data, user.client_certificate, path)
    key = _given(user.client_key_data, user.client_key, path)
    if bool(certificate) != bool(key):
        raise UsageError(f"{path} has a certificate without its key, or a key without its certificate")
    if certificate:
        _identify(context, certificate, key, str(path))
    if user.token:
        return lambda: _checked(user.token, str(path))
    if user.token_file:
        return lambda: _token(path.parent / user.token_file)
    if user.exec is not None:
        return _Credentials(user.exec, path, context)
    if not certificate:
        raise UsageError(f"{path} does not say who asks", advice="give its user a token, a certificate or a program")
    return lambda: ""


class _Credentials:
    """What a program gave, until it ends."""

    def __init__(self, program: _Program, path: Path, context: ssl.SSLContext) -> None:
        if program.api_version not in _KINDS:
            raise UsageError(f"{path} names a program that speaks {program.api_version!r}", why=f"known are {', '.join(_KINDS)}")
        if program.provide_cluster_info:
            raise UsageError(f"the program of {path} wants to be told about the cluster", why="provideClusterInfo is not done here")
        self._program, self._path, self._context = program, path, context
        self._token, self._ends = "", 0

    def __call__(self) -> str:
        if not self._ends or time.time() * 1_000_000 > self._ends - _EARLY:
            self._ask()
        return self._token

    def _ask(self) -> None:
        program = self._program
        command = program.command if "/" not in program.command else str(self._path.parent / program.command)
        said = {"apiVersion": program.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
        given = {str(each.get("name")): str(each.get("value")) for each in program.env or ()}
        try:
            ran = subprocess.run(
                [command, *(program.args or ())],
                env={**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(said)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_PROGRAM_SECONDS,
                check=True,
            )
            status = json.loads(ran.stdout[:_MOST_BYTES])["status"]
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DriverFailed(
                f"{command} gave no credentials", why=type(error).__name__, advice="run it by hand, as the kubeconfig calls it"
            ) from error
        self._take(status if isinstance(status, dict) else {}, command)

    def _take(self, status: Mapping[str, Any], command: str) -> None:
        token, certificate, key = (str(status.get(name) or "") for name in ("token", "clientCertificateData", "clientKeyData"))
        if certificate and key:
            _identify(self._context, certificate.encode(), key.encode(), command)
        elif not token:
            raise DriverFailed(f"{command} gave no credentials", why="there is neither a token nor a certificate in its answer")
        self._token = _checked(token, command) if token else ""
        try:
            self._ends = int(approval.instant(str(status["expirationTimestamp"])))
        except (KeyError, ValueError):
            self._ends = 1 << 62  # for as long as this process runs


def _identify(context: ssl.SSLContext, certificate: bytes, key: bytes, whose: str) -> None:
    """The library takes names of files: this one is in memory, has no name and is gone at the end of the block."""
    number = os.memfd_create("assaymark", os.MFD_CLOEXEC)
    try:
        os.write(number, certificate + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{number}")
    except (OSError, ValueError) as error:
        raise UsageError(f"the certificate of {whose} cannot be used", why=str(error), advice="renew the kubeconfig") from error
    finally:
        os.close(number)


def _trusting(authority: str) -> ssl.SSLContext:
    """The cluster's authority, and no other."""
    try:
        context = ssl.create_default_context(cadata=authority)
    except (ssl.SSLError, ValueError) as error:
        raise UsageError("the cluster's authority is no certificate", why=str(error), advice="renew the kubeconfig") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _given(data: str, name: str, path: Path) -> bytes:
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise UsageError(f"{path} holds something else than base64 where a certificate or key belongs") from error
    return _read(path.parent / name) if name else b""


def _token(path: Path) -> str:
    return _checked(_read(path)[:_MOST_TOKEN].decode("utf-8", "replace"), str(path))


def _checked(text: str, whose: str) -> str:
    text = text.strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise DriverFailed(f"{whose} holds no token")
    return text


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read", why=error.strerror or str(error), advice="name a kubeconfig with the option kubeconfig"
        ) from error
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{path} is too large", why=f"at most {_MOST_BYTES} bytes are read")
    return data
