"""Laws of addresses, whole rendered answers, and what arbitrary input may do to the readers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark.checks.infrastructure.workloads import compose, dockerfile, kubernetes
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Check, Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import ConfigurationSite, Fingerprint
from assaymark.model.identity import Seen, identify
from assaymark.model.rules import catalogue

SETTINGS = CheckSettings(cache_dir="", installation_key=Secret(b"k"))
CHECKS: dict[str, Check] = {
    "kubernetes": kubernetes.make(SETTINGS),
    "dockerfile": dockerfile.make(SETTINGS),
    "compose": compose.make(SETTINGS),
}
GOLDEN = Path(__file__).parent / "golden"
FILES = {"kubernetes": "sample.yaml", "dockerfile": "sample.dockerfile", "compose": "sample.compose.yaml"}


def outcome(name: str, content: bytes) -> Outcome:
    ((_, found),) = CHECKS[name].run([Input(sha256(content), Dialect(name), (Part("", content),))])
    return found


def text_of(name: str) -> str:
    return (GOLDEN / FILES[name]).read_text("utf-8")


def findings(name: str, *texts: str) -> Counter[Fingerprint]:
    """What a repository with these files has."""
    seen: list[Seen] = []
    for number, text in enumerate(texts):
        content = text.encode()
        found = outcome(name, content)
        assert isinstance(found, Checked), found
        seen += [Seen(each, CHECKS[name].id, CHECKS[name].layer, sha256(content), f"file-{number}") for each in found.sightings]
    return Counter(finding.fingerprint for finding in identify(seen, catalogue()))


def rendered(found: Outcome) -> str:
    assert isinstance(found, Checked)
    rows = []
    for each in found.sightings:
        assert isinstance(each.site, ConfigurationSite)
        assert each.span is not None
        place = f"{each.span.start_line}:{each.span.start_column}-{each.span.end_line}:{each.span.end_column}"
        muted = f" muted by {each.suppression.marker!r}" if each.suppression else ""
        instead = f" -> {each.fix.replacement}" if each.fix and each.fix.replacement else ""
        rows.append(
            f"{place} {each.rule} {each.severity}/{each.confidence} {each.site.resource} | {each.site.attribute}{muted}{instead}\n"
            f"    {each.message}\n"
        )
    return "".join(rows)


@pytest.mark.parametrize("name", FILES)
def test_workloads_whole_answer_is_the_golden_one(name: str) -> None:
    assert rendered(outcome(name, text_of(name).encode())) == (GOLDEN / f"{name}.txt").read_text("utf-8")


def _deeper(text: str) -> str:
    """Twice the indentation, list items included."""
    return re.sub(r"(?m)^( *)(- )?", lambda found: found[1] * 2 + ("-   " if found[2] else ""), text)


def _containers_reversed(text: str) -> str:
    start = text.index("        - name: app\n")
    middle = text.index("        - name: side\n")
    end = text.index("      initContainers:\n")
    return text[:start] + text[middle:end] + text[start:middle] + text[end:]


def _services_reversed(text: str) -> str:
    head, services, tail = re.split(r"^services:\n|^volumes:\n", text, flags=re.MULTILINE)
    return head + "services:\n" + "".join(reversed(re.split(r"(?m)^(?=  \w)", services))) + "volumes:\n" + tail


STILL: dict[str, dict[str, Callable[[str], str]]] = {
    "kubernetes": {
        "documents reversed": lambda text: "---\n".join(part.rstrip("\n") + "\n" for part in reversed(text.split("---\n"))),
        "containers reversed": _containers_reversed,
        "another document before": lambda text: "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n---\n" + text,
        "labels": lambda text: text.replace("metadata:\n", "metadata:\n  labels: {a: b}\n"),
        "comments": lambda text: "# one\n" + text.replace("\n    spec:\n", "\n    # why\n    spec:\n"),
        "deeper": _deeper,
        "crlf": lambda text: text.replace("\n", "\r\n"),
        "tag raised": lambda text: text.replace(":1.2", ":1.3").replace("v1.34.1", "v1.35.0"),
    },
    "dockerfile": {
        "step before": lambda text: text.replace("ARG NPM", "RUN make quiet\nARG NPM"),
        "step in between": lambda text: text.replace("    # the compiler\n", "    make quiet && \\\n"),
        "comments": lambda text: text.replace("\nEXPOSE", "\n# why\n\nEXPOSE"),
        "lower case": lambda text: re.sub(r"(?m)^[A-Z]+(?= )", lambda found: found[0].lower(), text),
        "deeper": lambda text: re.sub(r"(?m)^(ADD|COPY|RUN) (?!<<)", r"\1   ", text),
        "crlf": lambda text: text.replace("\n", "\r\n"),
        "address raised": lambda text: text.replace("v1.2.3", "v1.2.4").replace("=3.7", "=3.6"),
        "instructions reordered": lambda text: text.replace("EXPOSE 22\nUSER root\n", "USER root\nEXPOSE 22\n"),
    },
    "compose": {
        "services reversed": _services_reversed,
        "service before": lambda text: text.replace("services:\n", "services:\n  quiet:\n    labels: [a]\n"),
        "comments": lambda text: "# one\n" + text.replace("  worker:\n", "  # why\n  worker:\n"),
        "deeper": _deeper,
        "crlf": lambda text: text.replace("\n", "\r\n"),
        "tag raised": lambda text: text.replace("postgres:16", "postgres:17"),
        "long form": lambda text: text.replace('["5432:5432"]', "[{target: 5432, published: 5432}]"),
    },
}


@pytest.mark.parametrize(("name", "edit"), [(name, edit) for name, edits in STILL.items() for edit in edits])
def test_workloads_nothing_is_new_after_an_edit_elsewhere(name: str, edit: str) -> None:
    text = text_of(name)
    changed = STILL[name][edit](text)
    assert changed != text
    assert findings(name, changed) == findings(name, text)


def test_workloads_a_document_that_moves_to_another_file_is_not_new() -> None:
    parts = text_of("kubernetes").split("---\n")
    whole = findings("kubernetes", text_of("kubernetes"))
    for cut in range(1, len(parts)):
        assert findings("kubernetes", "---\n".join(parts[:cut]), "---\n".join(parts[cut:])) == whole
    assert findings("kubernetes", text_of("kubernetes"), parts[1]) == whole + findings("kubernetes", parts[1])


DEFECTS: dict[str, dict[str, tuple[str, str]]] = {
    "kubernetes": {
        "pod setting": ("      hostNetwork: true\n", "      hostNetwork: true\n      hostPID: true\n"),
        "second capability": ("                - SYS_ADMIN\n", "                - SYS_ADMIN\n                - SYS_MODULE\n"),
        "third volume": ("      volumes:\n", "      volumes:\n        - name: root\n          hostPath: {path: /}\n"),
        "flag": ("        - kube-apiserver\n", "        - kube-apiserver\n        - --insecure-port=8080\n"),
        "role": ('    verbs: ["*"]\n', '    verbs: ["*"]\n  - apiGroups: [""]\n    resources: [pods/exec]\n    verbs: [create]\n'),
        "subject": ("subjects:\n", "subjects:\n  - kind: Group\n    name: system:authenticated\n"),
        "where one stood": ("            privileged: true\n", "            procMount: Unmasked\n"),
    },
    "dockerfile": {
        "step": ("ARG NPM_TOKEN\n", "ARG NPM_TOKEN\nRUN wget --no-check-certificate https://b.example.org\n"),
        "same again": ("sudo make install\n", "sudo make install\nsudo make install\n"),
        "file": ("COPY .env /srv/\n", "COPY .env /srv/\nCOPY id_rsa /srv/\n"),
        "where one stood": ("EXPOSE 22\n", "EXPOSE 23\n"),
    },
    "compose": {
        "setting": ("    user: root\n", "    user: root\n    ipc: host\n"),
        "volume": ("    volumes:\n", "    volumes:\n      - /:/host\n"),
        "shared": ("  privileged: true\n", "  privileged: true\n  userns_mode: host\n"),
        "capability": ("SYS_ADMIN,", "SYS_ADMIN, SYS_MODULE,"),
    },
}


@pytest.mark.parametrize(("name", "defect"), [(name, defect) for name, defects in DEFECTS.items() for defect in defects])
def test_workloads_one_defect_is_one_new_finding(name: str, defect: str) -> None:
    old, new = DEFECTS[name][defect]
    text = text_of(name)
    assert old in text
    before, after = findings(name, text), findings(name, text.replace(old, new, 1))
    assert sum((after - before).values()) == 1


def test_workloads_hardening_a_container_step_by_step_is_never_new() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n    - name: c\n      image: a:1\n"
    steps = [
        "allowPrivilegeEscalation: false",
        "runAsNonRoot: true",
        "readOnlyRootFilesystem: true",
        "seccompProfile: {type: RuntimeDefault}",
        "capabilities: {drop: [ALL]}",
    ]
    before = findings("kubernetes", text)
    for upto in range(1, len(steps) + 1):
        after = findings("kubernetes", f"{text}      securityContext: {{{', '.join(steps[:upto])}}}\n")
        assert not after - before
        before = after


@pytest.mark.parametrize("name", FILES)
def test_workloads_a_batch_answers_as_single_runs_do(name: str) -> None:
    check = CHECKS[name]
    contents = [text_of(name).encode(), b"", b"\xff", b"{", b"a: [", b"apiVersion: v1\nkind: Pod\n: [", b"FROM a\nX"]
    inputs = [Input(sha256(content), Dialect(name), (Part("", content),)) for content in contents]
    assert dict(check.run(inputs)) == {each.digest: next(iter(check.run([each])))[1] for each in inputs}


_PIECES = st.sampled_from(
    [
        *(
            "apiVersion: v1\n",
            "kind: Pod\n",
            "kind: ClusterRole\n",
            "kind: List\n",
            "spec:\n",
            "containers:\n",
            "- name: c\n",
            "image: a:latest\n",
        ),
        *(
            "  ",
            "    ",
            "\n",
            "---\n",
            "- ",
            "&x ",
            "*x",
            "<<: *x\n",
            "{",
            "}",
            "[",
            "]",
            "'",
            '"',
            "|\n",
            "\t",
            "é",
            "\x85",
            "%",
            "#",
            "{{ ",
            " }}",
        ),
        *("{{- if x }}\n", "{{- end }}\n", "securityContext: {privileged: true}\n", "rules:\n", "verbs: ['*']\n", "hostPath: {path: /}\n"),
        *(
            "FROM ",
            "a AS b\n",
            "RUN ",
            "\\\n",
            "<<EOF\n",
            "EOF\n",
            "COPY --from=b --chmod=777 ",
            "ARG X=1\n",
            "ENV A=${X:-$Y} ",
            "USER 0\n",
            "ONBUILD ",
        ),
        *(
            "# escape=`\n",
            "`\n",
            '["sh", "-c", "curl x | sh"]\n',
            "services:\n",
            "  a:\n",
            "    extends: a\n",
            "    ports: ['1:22']\n",
            "volumes:\n",
        ),
        *("command: [kube-apiserver, --insecure-port=1]\n", "items:\n", "--config-file ", "ADD http://x/y.git#z /\n", "CMD "),
    ]
)


def one_outcome(name: str, content: bytes) -> None:
    found = outcome(name, content)
    # What YAML takes for the end of a line.
    lines = 1 + sum(content.count(end) for end in (b"\n", b"\r", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9"))
    assert isinstance(found, Checked | Unchecked)
    if isinstance(found, Unchecked):
        assert found.reason_class in {"syntax", "schema", "size", "encoding"}
        assert found.line > 0 or found.reason_class == "size"
        assert found.line <= lines + 1
    else:
        for each in found.sightings:
            assert each.span is not None
            assert each.span.start_line <= lines


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.lists(_PIECES, max_size=60).map(lambda pieces: "".join(pieces).encode())))
def test_workloads_readers_give_one_outcome_for_any_bytes(content: bytes) -> None:
    for name in CHECKS:
        one_outcome(name, content)
    one_outcome("kubernetes", b"apiVersion: v1\nkind: Pod\n" + content)
    one_outcome("dockerfile", b"FROM a\nRUN " + content)


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None)
@given(st.one_of(st.binary(max_size=2000), st.lists(_PIECES, max_size=300).map(lambda pieces: "".join(pieces).encode())))
def test_workloads_readers_hold_out_long(content: bytes) -> None:
    for name in CHECKS:
        one_outcome(name, content)


HOSTILE = {
    "open template actions": ("kubernetes", b"apiVersion: v1\nkind: Pod\na: " + b"{{ " * 100_000),
    "template actions": ("kubernetes", b"apiVersion: v1\nkind: Pod\na: {{ x }}" + b"{{ x }}" * 60_000),
    "line of template actions": ("kubernetes", b"apiVersion: v1\nkind: Pod\n" + b"{{ x }} " * 60_000),
    "quotes before braces": ("kubernetes", b"apiVersion: v1\nkind: Pod\n" + b"a: b " * 100_000 + b"{{ x }}"),
    "dashes": ("kubernetes", b"apiVersion: v1\nkind: Pod\n" + b"---\n" * 200_000),
    "keys": ("kubernetes", b"apiVersion: v1\nkind: Deployment\nspec:\n" + b" a: b\n" * 60_000),
    "spaces": ("kubernetes", b" " * 500_000 + b"apiVersion: v1\nkind: Pod\n"),
    "continuations": ("dockerfile", b"FROM a\nRUN a" + b" \\\n" * 200_000),
    "flags": ("dockerfile", b"FROM a\nCOPY " + b"--a=b " * 100_000 + b"c d"),
    "variables": ("dockerfile", b"FROM a\n" + b"ENV A=$A$A$A$A$A$A$A$A$A$A\n" * 1_000 + b"USER $A"),
    "settings": ("dockerfile", b"FROM a\nENV " + b"A=b " * 100_000),
    "documents": ("dockerfile", b"FROM a\nRUN " + b"<<A " * 50_000 + b"\nA\n"),
    "stages": ("dockerfile", b"".join(b"FROM a%d AS a%d\n" % (n, n + 1) for n in range(2_400))),
    "services": ("compose", b"services:\n" + b"".join(b" a%d: {extends: a%d, image: x}\n" % (n, n + 1) for n in range(600))),
    "merges": ("compose", b"x: &x {a: b}\nservices:\n a: {<<: [" + b"*x," * 50_000 + b"*x], image: a}\n"),
}


@pytest.mark.parametrize(("name", "content"), HOSTILE.values(), ids=HOSTILE.keys())
def test_workloads_hostile_text_costs_no_more_than_its_length(name: str, content: bytes) -> None:
    one_outcome(name, content)
