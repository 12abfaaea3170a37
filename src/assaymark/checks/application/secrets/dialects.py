"""Which way of reading a file name asks for. Judged by the name alone, in a few dictionary look-ups.

No name is left out: whether something is text is seen in its bytes. A name that nobody knows is plain text.
"""

from __future__ import annotations

from assaymark.model.check import Dialect

CODE = Dialect("code")
"""A programming language: only quoted values are values, a bare word is a variable."""
SHELL = Dialect("shell")
CONFIG = Dialect("config")
"""Lines of ``key = value``."""
TEXT = Dialect("text")
LOCK = Dialect("lock")
"""Lock files and checksums: full of digests, so only tokens with a format of their own count."""
MESSAGES = Dialect("messages")
"""Translations: full of words like “password”, so likewise."""

_NAMES: dict[str, Dialect] = {
    ".netrc": Dialect("netrc"),
    "_netrc": Dialect("netrc"),
    ".pgpass": Dialect("pgpass"),
    "pgpass.conf": Dialect("pgpass"),
    ".htpasswd": Dialect("htpasswd"),
    "htpasswd": Dialect("htpasswd"),
    ".dockercfg": Dialect("docker-config"),
    ".dockerconfigjson": Dialect("docker-config"),
    "kubeconfig": Dialect("kubeconfig"),
    "admin.conf": Dialect("kubeconfig"),
    ".npmrc": CONFIG,
    ".pypirc": CONFIG,
    ".my.cnf": CONFIG,
    ".git-credentials": CONFIG,
    ".s3cfg": CONFIG,
    "credentials": CONFIG,
    "dockerfile": SHELL,
    "containerfile": SHELL,
    "makefile": SHELL,
    "jenkinsfile": CODE,
    "vagrantfile": CODE,
    "package-lock.json": LOCK,
    "npm-shrinkwrap.json": LOCK,
    "yarn.lock": LOCK,
    "pnpm-lock.yaml": LOCK,
    "poetry.lock": LOCK,
    "uv.lock": LOCK,
    "pipfile.lock": LOCK,
    "cargo.lock": LOCK,
    "gemfile.lock": LOCK,
    "composer.lock": LOCK,
    "go.sum": LOCK,
    "flake.lock": LOCK,
    "gradle.lockfile": LOCK,
    "packages.lock.json": LOCK,
    "podfile.lock": LOCK,
    "mix.lock": LOCK,
    "pubspec.lock": LOCK,
    ".terraform.lock.hcl": LOCK,
}

_BY_DIALECT: dict[str, str] = {
    "dotenv": "env",
    "properties": "properties",
    "yaml": "yaml yml",
    "json": "json jsonc json5 ipynb webmanifest",
    "xml": "xml xsd xsl xslt plist csproj config pom resx props targets wsdl",
    "tfstate": "tfstate",
    "htpasswd": "htpasswd",
    "config": "ini cfg cnf conf toml service desktop editorconfig tfvars hcl tf ovpn reg",
    "shell": "sh bash zsh fish ksh ps1 bat cmd dockerfile",
    "code": (
        "py pyi pyx js mjs cjs jsx ts tsx vue svelte java kt kts scala groovy gradle go rs c h cc cpp cxx hpp cs vb fs swift m mm rb "
        "php phtml pl pm lua r jl ex exs erl hrl hs clj cljs dart sql ml nim zig sol proto thrift graphql css scss less html htm erb jsp aspx twig jinja j2"  # noqa: E501
    ),
    "lock": "lock sum sha256 sha512 md5 integrity map",
    "messages": "po pot xliff xlf arb strings lproj",
}
_SUFFIXES: dict[str, Dialect] = {suffix: Dialect(dialect) for dialect, suffixes in _BY_DIALECT.items() for suffix in suffixes.split()}
_MESSAGE_FOLDERS = ("/locale/", "/locales/", "/i18n/", "/lang/", "/translations/", "/l10n/")
_STRUCTURED = frozenset({"json", "yaml", "properties", "xml", "config", "code"})


def dialect_of(path: str) -> Dialect:
    """How a file of this name is read."""
    lowered = path.lower()
    folder, _, name = lowered.rpartition("/")
    known = _NAMES.get(name) or _by_shape(folder, name)
    if known is not None:
        return known
    suffix = name.rpartition(".")[2] if "." in name else ""
    found = _SUFFIXES.get(suffix, TEXT)
    if found in _STRUCTURED and any(part in f"/{folder}/" for part in _MESSAGE_FOLDERS):
        return MESSAGES
    return found


def _by_shape(folder: str, name: str) -> Dialect | None:
    """Names that are known by a part of theirs."""
    if name.startswith(".env") or name.endswith(".env"):
        return Dialect("dotenv")
    if name == "config.json" and folder.endswith(".docker"):
        return Dialect("docker-config")
    if name == "config" and folder.endswith(".kube"):
        return Dialect("kubeconfig")
    if name.endswith(".tfstate.backup"):
        return Dialect("tfstate")
    return SHELL if name.startswith(("dockerfile", "containerfile")) else None


def group_of(dialect: Dialect) -> str:
    """The dialect's way of treating bare values: ``code``, ``config``, ``text`` or ``none`` (no generic layer)."""
    if dialect in (LOCK, MESSAGES):
        return "none"
    if dialect in (CODE, TEXT):
        return str(dialect)
    return "config"
