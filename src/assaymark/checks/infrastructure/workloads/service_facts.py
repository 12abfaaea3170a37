"""Well-known services that are started without a password, by their variables and arguments; and ports that only administrators need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from assaymark.checks.shell.rules_sources import switches_verification_off

_YES = re.compile(r"(?:yes|true|1|on)\Z", re.IGNORECASE)
_NO = re.compile(r"(?:no|false|0|off|none|disabled?)\Z", re.IGNORECASE)
_OPEN_VARIABLES: Final[dict[str, re.Pattern[str]]] = {
    "MYSQL_ALLOW_EMPTY_PASSWORD": _YES,
    "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD": _YES,
    "MARIADB_ALLOW_EMPTY_PASSWORD": _YES,
    "POSTGRES_HOST_AUTH_METHOD": re.compile(r"trust\Z"),
    "ALLOW_EMPTY_PASSWORD": _YES,
    "ALLOW_ANONYMOUS_LOGIN": _YES,
    "ALLOW_PLAINTEXT_LISTENER": re.compile(r"never\Z"),
    "xpack.security.enabled": _NO,
    "XPACK_SECURITY_ENABLED": _NO,
    "DISABLE_SECURITY_PLUGIN": _YES,
    "plugins.security.disabled": _YES,
    "REDIS_ALLOW_EMPTY_PASSWORD": _YES,
    "ME_CONFIG_BASICAUTH": _NO,
    "GF_AUTH_ANONYMOUS_ORG_ROLE": re.compile(r"(?:Admin|Editor)\Z"),
    "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": _YES,
    "NEO4J_AUTH": re.compile(r"none\Z"),
    "NEO4J_dbms_security_auth__enabled": _NO,
    "COUCHDB_ALLOW_ANONYMOUS": _YES,
    "DISABLE_AUTH": _YES,
    "DISABLE_AUTHENTICATION": _YES,
    "NO_AUTH": _YES,
    "WEAVIATE_ANONYMOUS_ACCESS_ENABLED": _YES,
    "JUPYTER_TOKEN": re.compile(r"\Z"),
}
_OPEN_WORDS = re.compile(
    r"--(?:NotebookApp|ServerApp|IdentityProvider)\.(?:token|password)=(?:''|\"\"|)\Z|--skip-grant-tables\Z|--noauth\Z"
    r"|--enable-skip-login(?:=true)?\Z|--enable-insecure-login(?:=true)?\Z|--no-auth(?:entication)?\Z|--disable-auth(?:entication)?\Z"
    r"|--without-auth(?:entication)?\Z|--auth=none\Z|--auth-mode=(?:server|none)\Z|--disable-authentication\Z|--api\.insecure(?:=true)?\Z"
    r"|--anonymous-auth=true\Z|-Ddruid\.auth\.\S*allowAll\S*|--insecure-unauthenticated\Z",
    re.IGNORECASE,
)
_PAIRS: Final = {("--protected-mode", "no"), ("--auth", "none"), ("server", "-dev"), ("--requirepass", "")}
_PROGRAMS: Final = {("cockroach", "--insecure"), ("argocd-server", "--disable-auth"), ("vault", "-dev")}
REMOTE_PORTS: Final[dict[str, str]] = {
    "22": "ssh",
    "23": "telnet",
    "445": "file sharing",
    "512": "rexec",
    "513": "rlogin",
    "514": "rsh",
    "2375": "the Docker engine without encryption",
    "3389": "remote desktop",
    "5900": "VNC",
}
"""Ports through which a machine is administered: no service for users listens there."""
DATA_PORTS: Final[dict[str, str]] = {
    "1433": "SQL Server",
    "1521": "Oracle",
    "2379": "etcd",
    "3306": "MySQL",
    "5432": "PostgreSQL",
    "5984": "CouchDB",
    "6379": "Redis",
    "7000": "Cassandra",
    "9042": "Cassandra",
    "9092": "Kafka",
    "9200": "Elasticsearch",
    "9300": "Elasticsearch",
    "11211": "memcached",
    "15672": "RabbitMQ's administration",
    "27017": "MongoDB",
}
"""Ports of stores that applications reach over an inner network."""
_DEBUG: Final[dict[str, re.Pattern[str]]] = {
    "FLASK_DEBUG": _YES,
    "FLASK_ENV": re.compile(r"development\Z"),
    "DJANGO_DEBUG": _YES,
    "APP_DEBUG": _YES,
    "RAILS_ENV": re.compile(r"development\Z"),
    "RACK_ENV": re.compile(r"development\Z"),
    "ASPNETCORE_ENVIRONMENT": re.compile(r"Development\Z"),
    "JAVA_TOOL_OPTIONS": re.compile(r".*-agentlib:jdwp|.*-Xrunjdwp", re.DOTALL),
    "JAVA_OPTS": re.compile(r".*-agentlib:jdwp|.*-Xrunjdwp", re.DOTALL),
    "NODE_OPTIONS": re.compile(r".*--inspect", re.DOTALL),
}


def opens(name: str, value: str) -> bool:
    """True for a variable that starts a service without asking anybody who they are."""
    wanted = _OPEN_VARIABLES.get(name)
    return wanted is not None and wanted.match(value) is not None


def opening_words(words: Iterable[str]) -> Iterator[str]:
    """Arguments that start a service without asking anybody who they are."""
    given = [word.strip("\"'") or word for word in words]
    program = given[0].rpartition("/")[2] if given else ""
    for at, word in enumerate(given):
        behind = given[at + 1] if at + 1 < len(given) else None
        if _OPEN_WORDS.match(word) or (program, word) in _PROGRAMS:
            yield word.partition("=")[0]
        elif behind is not None and (word, behind) in _PAIRS:
            yield f"{word} {behind}".strip()


def unverifies(name: str, value: str) -> bool:
    """True for a variable with which tools stop comparing certificates."""
    return switches_verification_off(name, value) or (name == "PIP_TRUSTED_HOST" and bool(value))


def debugs(name: str, value: str) -> bool:
    """True for a variable that switches a debug mode or a debugger's port on."""
    wanted = _DEBUG.get(name)
    return wanted is not None and wanted.match(value) is not None
