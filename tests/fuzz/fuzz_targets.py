"""Every parser that reads what strangers write, as a function of bytes, with seeds to start from.

A target may raise what its parser documents; anything else is a crash.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from assaymark.checks.application.code.sarif_in import NotSarifError, read_sarif
from assaymark.checks.plugins import load
from assaymark.checks.registry import BUILT_IN
from assaymark.checks.settings import CheckSettings, NamedFile, Secret
from assaymark.daemon.protocol import decode as decode_request
from assaymark.engine.outcome import decode as decode_outcome
from assaymark.errors import AssayError
from assaymark.model.check import Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.model.scope import locator
from assaymark.model.tokens import tokens
from assaymark.subjects.archive import MemberUnreadable, walk
from assaymark.subjects.commits import read_commit
from assaymark.subjects.listing import read_raw, read_tree
from assaymark.subjects.touched import between, in_patches
from assaymark.verdict.baseline import load as load_baseline
from assaymark.verdict.policy import narrowed, parse_policy
from assaymark.views.sanitise import visible

Target = Callable[[bytes], object]


class Fuzzed(Struct, frozen=True):
    """A parser, what it may raise, and where to start."""

    run: Target
    seeds: tuple[bytes, ...]
    may: tuple[type[BaseException], ...] = (AssayError,)


def targets(cache: Path) -> Mapping[str, Fuzzed]:
    """All of them; compiled rules are kept in `cache`."""
    settings = CheckSettings(cache_dir=str(cache), installation_key=Secret(b"a key for fuzzing only"))
    return {
        **_formats(),
        **_sources(),
        **{f"secrets {d}": Fuzzed(_check("secrets", d, settings), _TEXTS) for d in _DIALECTS},
        "gitlab-ci": Fuzzed(_check("gitlab-ci", "gitlab-ci", settings), (_GITLAB, *_TEXTS)),
        "jenkins": Fuzzed(_check("jenkins", "jenkinsfile", settings), (_JENKINS, *_TEXTS)),
        "php": Fuzzed(_check("php", "php", settings), (_PHP, *_TEXTS)),
        "archive zip": Fuzzed(_archive(".zip"), (_zip(),)),
        "archive tar": Fuzzed(_archive(".tar.gz"), (_tar("w:gz"), _tar("w"), _tar("w:xz"))),
        "secret rules": Fuzzed(lambda data: _user_rules(settings, data), (b"[[rules]]\nid='a'\nregex='''x[0-9]{3}'''\nkeywords=['x']\n",)),
    }


_DIALECTS = (
    "text",
    "dotenv",
    "netrc",
    "pgpass",
    "properties",
    "yaml",
    "json",
    "xml",
    "tfstate",
    "kubeconfig",
    "docker-config",
    "htpasswd",
    "ini",
)
_TEXTS = (
    b"password = 'hunter2'\nuser: ana\n",
    b'{"auths": {"r": {"auth": "dTpw"}}, "token": "abc"}',
    b"<a password='x'><b>secret</b></a>",
    b"a: &x [1, *x]\nb: |\n  key: value\n",
    b"machine h login u password p\nh:1:d:u:p\nu:$apr1$x$y\n",
    b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
)
_GITLAB = b'include:\n  - remote: http://x/y.yml\njob:\n  image: a:latest\n  script:\n    - eval "$CI_COMMIT_MESSAGE"\n    - curl x | sh\n'
_JENKINS = b'@Library("a@master") _\npipeline { agent any\n stages { stage("x") { steps { sh "echo ${params.X}" } } } }\n'
_PHP = (
    b"<p><?= $_GET['a'] ?></p>\n<?php class A { function f(Request $q) { $x = $q->get('n'); $this->y['k'] = \"a '$x'\";\n"
    b"if (!in_array($x, ['a'])) { die(); } foreach ($_POST as $k => $v) { $$k = $v; } include $x . '.php'; echo `ls $x`;\n"
    b"return $this->db->query(\"SELECT a FROM t WHERE n = '{$this->y['k']}'\"); } }\n"
)


def _formats() -> dict[str, Fuzzed]:
    raw = b":100644 100644 " + b"a" * 40 + b" " + b"b" * 40 + b" M\0path\0"
    return {
        "policy": Fuzzed(
            parse_policy, (b'[policy]\nlevel = "production"\n[[waiver]]\nrule = "x"\nreason = "r"\nowner = "o"\nuntil = 2027-01-01\n',)
        ),
        "narrowed": Fuzzed(lambda d: narrowed("p", "secret_rules", d, d[::-1]), (b"[[rules]]\nid = 'a'\n",)),
        "baseline": Fuzzed(lambda d: load_baseline(d, "b"), (b'{"format": "assaymark-baseline/1", "findings": []}',)),
        "sarif": Fuzzed(
            read_sarif,
            (b'{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"t"}},"results":[{"ruleId":"r","message":{"text":"m"}}]}]}',),
            (NotSarifError,),
        ),
        "raw diff": Fuzzed(lambda d: list(read_raw(d)), (raw,), (AssayError, ValueError)),
        "tree": Fuzzed(read_tree, (b"100644 blob " + b"a" * 40 + b"\tpath\0",), (AssayError, ValueError)),
        "commit": Fuzzed(
            lambda d: read_commit("a" * 40, d), (b"tree " + b"a" * 40 + b"\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nsubject\n",)
        ),
        "patch": Fuzzed(lambda d: in_patches(d, [("a", 1)]), (b"diff --git a/a b/a\n@@ -1 +1,2 @@\n+x\n",), (AssayError, ValueError)),
        "lines": Fuzzed(lambda d: between(d[: len(d) // 2], d[len(d) // 2 :]), (b"a\nb\na\nc\n",)),
        "request": Fuzzed(decode_request, (b"assay/1\x00s\x00/p\x0022\x00000\x000\x00/\x00A=b",), (ValueError,)),
        "outcome": Fuzzed(decode_outcome, (b"\x82\xa4type\xa7checked\xa9sightings\x90",), (ValueError,)),
        "terminal text": Fuzzed(lambda d: visible(d.decode("utf-8", "surrogateescape")), (b"\x1b[31mred\x07\xe2\x80\xae",)),
    }


def _sources() -> dict[str, Fuzzed]:
    code = b"class A:\n    def f(self):\n        return run(\n            a,\n            b,\n        )\n"
    return {
        f"scope {language}": Fuzzed(lambda d, language=language: _locate(d, language), (code, b"func f() {\n  x(y)\n}\n"))  # type: ignore[misc]
        for language in ("python", "javascript", "java", "")
    } | {"tokens": Fuzzed(lambda d: tokens(d.decode("latin-1"), "java"), (code, b"f(\"a\", /* b */ 'c') // d\n"))}


def _locate(data: bytes, language: str) -> object:
    text = data.decode("latin-1")
    found = locator(text, language)
    return [found.site(line, line) for line in (1, 2, text.count("\n") + 1)]


def _check(name: str, dialect: str, settings: CheckSettings) -> Target:
    check = load(BUILT_IN[name])(settings)
    return lambda data: list(check.run([Input(sha256(data), Dialect(dialect), (Part("", data),))]))


def _user_rules(settings: CheckSettings, data: bytes) -> object:
    given = CheckSettings(settings.cache_dir, settings.installation_key, (NamedFile("rules.toml", data),))
    return load(BUILT_IN["secrets"])(given).knowledge()


def _archive(suffix: str) -> Target:
    folder = tempfile.mkdtemp()

    def read(data: bytes) -> object:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(data)
        with contextlib.suppress(AssayError, MemberUnreadable):
            return [(member.path, next(member.pieces(), b"")) for member in walk(str(path))]
        return []

    return read


def _zip() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.py", "x = 1\n" * 40)
        archive.writestr("c", b"\0\1")
    return data.getvalue()


def _tar(mode: str) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:  # type: ignore[call-overload]
        info = tarfile.TarInfo("a/b.py")
        info.size = 12
        archive.addfile(info, io.BytesIO(b"x = 1\ny = 2\n"))
    return data.getvalue()
