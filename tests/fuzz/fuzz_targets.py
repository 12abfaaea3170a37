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
from tests.fuzz.fuzz_advisories import advisory_targets
from tests.fuzz.fuzz_deliveries import delivery_targets
from tests.fuzz.fuzz_endorsements import endorsement_targets
from tests.fuzz.fuzz_images import CONFIG, FILES, image_targets
from tests.fuzz.fuzz_imports import import_targets
from tests.lockfiles.lock_samples import SAMPLES
from tests.lockfiles.manifest_samples import ASKING

from assaymark.checks.application.code.sarif_in import NotSarifError, read_sarif
from assaymark.checks.application.dependencies.bom.purl import PurlInvalid
from assaymark.checks.application.dependencies.bom.purl import parse as parse_purl
from assaymark.checks.application.dependencies.manifests.declared import declared
from assaymark.checks.application.dependencies.readers import Unreadable as LockUnreadable
from assaymark.checks.application.dependencies.readers import read as read_lock
from assaymark.checks.application.dependencies.readers.registry import DIALECTS
from assaymark.checks.plugins import load
from assaymark.checks.policies.evaluation import UNSETTLED
from assaymark.checks.policies.evaluation import judge as evaluate
from assaymark.checks.policies.files import UserPolicy
from assaymark.checks.reading.inline import Comments
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.checks.registry import BUILT_IN
from assaymark.checks.settings import CheckSettings, NamedFile, Secret
from assaymark.daemon.protocol import decode as decode_request
from assaymark.engine.outcome import decode as decode_outcome
from assaymark.errors import AssayError
from assaymark.model.check import Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.model.finding import Span
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
        **_lock_files(),
        **{name: Fuzzed(run, seeds) for name, (run, seeds) in advisory_targets(_zip()).items()},
        **{name: Fuzzed(run, seeds) for name, (run, seeds) in delivery_targets().items()},
        **{name: Fuzzed(run, seeds) for name, (run, seeds) in import_targets().items()},
        **{name: Fuzzed(run, seeds, may) for name, (run, seeds, may) in endorsement_targets().items()},
        **{f"secrets {d}": Fuzzed(_check("secrets", d, settings), _TEXTS) for d in _DIALECTS},
        "gitlab-ci": Fuzzed(_check("gitlab-ci", "gitlab-ci", settings), (_GITLAB, *_TEXTS)),
        "kubernetes": Fuzzed(_check("kubernetes", "kubernetes", settings), (_KUBERNETES, _CHART, *_TEXTS)),
        "dockerfile": Fuzzed(_check("dockerfile", "dockerfile", settings), (_DOCKERFILE, *_TEXTS)),
        "compose": Fuzzed(_check("compose", "compose", settings), (_COMPOSE, *_TEXTS)),
        "jenkins": Fuzzed(_check("jenkins", "jenkinsfile", settings), (_JENKINS, *_TEXTS)),
        "nginx": Fuzzed(_tree("nginx", "nginx.conf", settings), (_NGINX, *_TEXTS)),
        "apache": Fuzzed(_tree("apache", "httpd.conf", settings), (_APACHE, *_TEXTS)),
        **{
            name: Fuzzed(_check(name, dialect, settings), ((_SAMPLES / file).read_bytes(), *_TEXTS))
            for name, (dialect, file) in _PIPELINES.items()
        },
        "terraform": Fuzzed(_terraform(settings, "main.tf"), _HCL),
        "terraform json": Fuzzed(_terraform(settings, "main.tf.json"), (_TFJSON, *_TEXTS)),
        "terraform variables": Fuzzed(_terraform(settings, "x.tfvars"), (b'x = ["0.0.0.0/0"]\n', *_HCL)),
        "terraform policies": Fuzzed(lambda data: _policies(settings, data), (_POLICIES,)),
        "manifest policies": Fuzzed(_manifests(settings), (_MANIFEST, *_TEXTS)),
        "cel": Fuzzed(_cel, _CEL, (AssayError, Unreadable)),
        "comments": Fuzzed(lambda d: _comments(d.decode("latin-1").split("\n")), (b"# checkov:skip=CKV_AWS_1:x\n# trivy:ignore:a\nx\n",)),
        "image config": Fuzzed(_check("image", "image-config", settings), (CONFIG,)),
        "image files": Fuzzed(_check("image", "image-files", settings), (FILES,)),
        **image_targets(Fuzzed),
        **{f"patterns {d}": Fuzzed(_check("javascript", d, settings), _SCRIPTS) for d in ("javascript", "typescript", "tsx")},
        "patterns java": Fuzzed(_check("java", "java", settings), _JAVA),
        "patterns go": Fuzzed(_check("go", "go", settings), _GO),
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
    b"password = 'hunter2'\nuser: ana\n",  # assay: allow - a seed
    b'{"auths": {"r": {"auth": "dTpw"}}, "token": "abc"}',
    b"<a password='x'><b>secret</b></a>",
    b"a: &x [1, *x]\nb: |\n  key: value\n",
    b"machine h login u password p\nh:1:d:u:p\nu:$apr1$x$y\n",
    b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
)
_SCRIPTS = (
    b"""const cp = require('child_process');
function f(req, res) {
  const { a, b: c = 1 } = req.query; let q = `ls ${a}`; q += c;
  if (x) { cp.exec(q); } else { eval(a ? b : c); }
  return res.send('<p>' + [a, c].join(' ')); // nosemgrep
}
""",
    b"""import { exec as e } from 'child_process';
class A<T> { constructor(private x: string) {} m = async (r: Request) => e(r.body!.x as any); }
const B = () => <p dangerouslySetInnerHTML={{ __html: location.hash }}>{t}</p>;
""",
)
_JAVA = (
    b"""class A { void f(HttpServletRequest q, @RequestParam String n) throws E {
  Map<String, Object> m = new HashMap<>(); m.put("a", q.getHeader(n));
  StringBuilder s = new StringBuilder("select "); s.append(m.get("a")).append(n);
  switch (k) { case 'A': n = "x"; break; default: n += s; }
  for (String e : l) st.executeQuery(s.toString() + e); // NOSONAR
  Runtime.getRuntime().exec(b ? n : "ls"); } }
""",
)
_GO = (
    (
        b'package a\nimport ("net/http"; sq "database/sql"; . "os/exec"; _ "net/http/pprof")\n'
        b'type T[K any] struct{ db *sq.DB; n int `json:"n"` }\n'
        b"func (t *T[K]) f(w http.ResponseWriter, r *http.Request) (out string, err error) {\n"
        b'  v, ok := m["k"]; q := fmt.Sprintf("select %d %s", t.n, r.FormValue("a"))\n'
        b"  for i, e := range r.URL.Query() { q += e[i:] }\n"
        b"  switch y := v.(type) { case string: t.db.Query(q + y) // #nosec G201\n  default: }\n"
        b'  if c := exec.Command("sh", "-c", `ls `+q); !ok { c.Run() } else { json.NewDecoder(r.Body).Decode(&t) }\n'
        b"  return new(q), func() error { return nil }() }\n"
    ),
)
_GITLAB = b'include:\n  - remote: http://x/y.yml\njob:\n  image: a:latest\n  script:\n    - eval "$CI_COMMIT_MESSAGE"\n    - curl x | sh\n'
_KUBERNETES = (
    b"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  hostPID: true\n  containers:\n    - name: c\n      image: a:latest\n"
    b"      command: [sh, -c, 'curl x | sh']\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nrules: [{verbs: ['*']}]\n"
)
_CHART = (
    b'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ include "a" . }}\n'
    b"{{- if .x }}\nspec: {template: {spec: {containers: []}}}\n{{- end }}\n"
)
_DOCKERFILE = (
    b"# escape=`\nARG V=1\nFROM a:$V AS b\nRUN <<EOF\ncurl -k https://x | sh\nEOF\n"
    b'ENV A=${B:-c} D=\'e f\'\nCOPY --from=b --chmod=777 ["a", "b"]\n'
)
_COMPOSE = (
    b"x-a: &a {privileged: true}\nservices:\n  s:\n    <<: *a\n    image: b\n"
    b"    ports: ['1:22', {target: 5432}]\n    volumes: ['/:/h:ro']\n"
)
_JENKINS = b'@Library("a@master") _\npipeline { agent any\n stages { stage("x") { steps { sh "echo ${params.X}" } } } }\n'
_NGINX = (
    b"events {}\nhttp { include f.conf; ssl_ciphers ALL:!aNULL;\n server { listen 443 ssl; server_name a.example.org;\n"
    b"  set $t $1; location ~ ^/p/(?<x>[^/]*) { proxy_pass http://$x$uri; }\n  location /f { alias /f/; add_header A $uri; }\n"
    b'  if ($http_origin ~ "^https?://(.*)") { return 302 $arg_a; }\n  content_by_lua_block { x = "}" }\n } }\n'
)
_APACHE = (
    b"ServerRoot /srv\nDefine A b\n<Macro M $a>\nAlias /x ${A}$a\n</Macro>\nUse M c\nInclude f.conf\n<IfVersion >= 2.4.1>\nTraceEnable on\n"
    b"</IfVersion>\n<VirtualHost *:443>\nServerName a\nSSLEngine on\nSSLProtocol all -SSLv3\nSSLCipherSuite HIGH:!aNULL\nRewriteCond "
    b'%{QUERY_STRING} (.*)\nRewriteRule ^/(.*)$ http://$1 [P]\n<Location "/s">\nSetHandler server-status\n</Location>\n</VirtualHost>\n'
)

_SAMPLES = Path(__file__).parents[1] / "pipelines" / "golden"
_PIPELINES = {
    "azure-pipelines": ("azure-pipelines", "sample.azure-pipelines.yml"),
    "bitbucket-pipelines": ("bitbucket-pipelines", "sample.bitbucket-pipelines.yml"),
    "circleci": ("circleci", "sample.circleci.yml"),
    "tekton": ("tekton", "sample.tekton.yaml"),
    "github-scripts": ("github-workflow", "sample.github-workflow.yml"),
}
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


def _lock_files() -> dict[str, Fuzzed]:
    seeds = {dialect: tuple(each.text.encode() for each in SAMPLES if each.dialect == dialect) for dialect in DIALECTS}
    made = {f"lock {d}": Fuzzed(lambda data, d=d: read_lock(Dialect(d), data), seeds[d], (LockUnreadable,)) for d in DIALECTS}  # type: ignore[misc]
    for name in ASKING:
        seed = (ASKING[name][0].encode(),)
        made[f"manifest {name}"] = Fuzzed(lambda data, name=name: declared(name, data), seed, (LockUnreadable,))  # type: ignore[misc]
    made["package url"] = Fuzzed(lambda d: str(parse_purl(d.decode("utf-8", "replace"))), (b"pkg:npm/%40a/b@1.0?c=d#e",), (PurlInvalid,))
    return made


def _locate(data: bytes, language: str) -> object:
    text = data.decode("latin-1")
    found = locator(text, language)
    return [found.site(line, line) for line in (1, 2, text.count("\n") + 1)]


def _check(name: str, dialect: str, settings: CheckSettings) -> Target:
    check = load(BUILT_IN[name])(settings)
    return lambda data: list(check.run([Input(sha256(data), Dialect(dialect), (Part("", data),))]))


def _tree(name: str, main: str, settings: CheckSettings) -> Target:
    """Half of the bytes as the main file, the other half as a file that it may include."""
    check = load(BUILT_IN[name])(settings)

    def run(data: bytes) -> object:
        parts = (Part("f.conf", data[len(data) // 2 :]), Part(main, data[: len(data) // 2] + b"\n"), Part("g/" + main, data))
        return list(check.run([Input(sha256(data), Dialect(name), parts)]))

    return run


def _user_rules(settings: CheckSettings, data: bytes) -> object:
    given = CheckSettings(settings.cache_dir, settings.installation_key, (NamedFile("rules.toml", data),))
    return load(BUILT_IN["secrets"])(given).knowledge()


_HCL = (
    b"""variable "x" { default = ["0.0.0.0/0"] }
locals { a = { for k, v in var.x : k => upper(v) if v != "" } }
resource "aws_security_group" "g" {
  dynamic "ingress" {
    for_each = var.x
    content {
      from_port   = 22
      to_port     = 22
      cidr_blocks = [ingress.value]
    }
  }
}
""",
    b"""module "m" { source = "./m" }
resource "aws_iam_policy" "p" {
  count  = var.x ? 1 : 0
  policy = jsonencode({ Statement = [{ Effect = "Allow", Action = "*", Resource = ["*"] }] })
}
data "aws_iam_policy_document" "d" {
  statement {
    actions = ["${local.a}:*"]
  }
}
""",
    b"""x = <<-EOT
  a ${b}
  EOT
y = a.b[0][*].c["d"]
z = !a && b == c || -1 * (2 + 3) > 4 ? "x" : null
# checkov:skip=CKV_AWS_1
""",
)
_TFJSON = b"""{"variable": {"x": {"default": "private"}},
"resource": {"aws_s3_bucket": {"b": {"acl": "${var.x}", "tags": {"a": [1, true, null]}}}}}"""
_POLICIES = b"""[[policy]]
id = "a"
applies-to = ["terraform:*"]
require = "has(resource.x)"
message = "m"
fix = "f"
"""
_CEL = (
    b"resource.a.all(x, x > 1) && has(resource.b)",
    b"type.matches('^a(b|c)*$') || [1, 2].map(i, i * 2)[0] == 2",
    b"{'a': 1}.a in [1, 2u, 3.0]",
)


def _terraform(settings: CheckSettings, name: str) -> Target:
    check = load(BUILT_IN["terraform"])(settings)
    rest = Part("rest.tf", b'module "m" { source = "./m" }\nresource "aws_s3_bucket" "b" { acl = var.x }\n')

    def run(data: bytes) -> object:
        parts = (Part(name, data), rest, Part("m/main.tf", data if name == "main.tf" else b""))
        return [*check.run([Input(sha256(data), Dialect("terraform"), parts)]), list(getattr(check, "links")(data))]  # noqa: B009

    return run


def _policies(settings: CheckSettings, data: bytes) -> object:
    given = CheckSettings(settings.cache_dir, settings.installation_key, policies=(NamedFile("p.toml", data),))
    check = load(BUILT_IN["terraform-policies"])(given)
    return list(check.run([Input(sha256(data), Dialect("terraform"), (Part("main.tf", _HCL[0]),))]))


_MANIFEST = b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: &s\n  x: [1, true, null]\n  y: *s\n---\nkind: List\nitems: []\n"


def _manifests(settings: CheckSettings) -> Target:
    policies = _POLICIES.replace(b'"terraform:*"', b'"kubernetes:*", "dockerfile"')
    given = CheckSettings(settings.cache_dir, settings.installation_key, policies=(NamedFile("p.toml", policies),))
    checks = {name: load(BUILT_IN[f"{name}-policies"])(given) for name in ("kubernetes", "dockerfile")}
    return lambda data: [list(check.run([Input(sha256(data), Dialect(name), (Part("", data),))])) for name, check in checks.items()]


def _cel(data: bytes) -> object:
    policy = UserPolicy("a", ("terraform:*",), data.decode("latin-1"), "m", "f")
    documents = ({"resource": {"a": [1, 2], "b": "c"}, "type": "abc"}, {"resource": {"a": [UNSETTLED], "b": "c"}, "type": "abc"})
    return [list(evaluate([policy], document)) for document in documents]


def _comments(lines: list[str]) -> object:
    comments = Comments(lines)
    return [comments.cover(Span(n, 1, n, 2), "r", ("CKV_AWS_1",), Span(1, 1, len(lines), 1)) for n in range(1, len(lines) + 1)]


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
