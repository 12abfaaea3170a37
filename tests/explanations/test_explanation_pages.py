"""The explanation pages: one per class, in one format, with code that a language's own front end accepts.

`assay explain`, SARIF ``help.markdown`` and the report read these files by their form, so the form is tested as strictly as code.
Java, Go, PHP, C# and Groovy are shown as statements; for them only the brackets are checked.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
import warnings
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from msgspec import Struct

from assaymark.model.finding import RuleClassId
from assaymark.model.rules import catalogue
from assaymark.views.explain import explanation, safe_code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = {entry.name.removesuffix(".md"): entry.read_text("utf-8") for entry in (files("assaymark.views") / "explanations").iterdir()}
CLASSES = {str(name): row for name, row in catalogue().classes.items()}
SECTIONS = ("Why it matters", "How it is exploited", "Safe code", "References")
LANGUAGES = frozenset({"python", "javascript", "java", "go", "php", "c#", "c"})
PIPELINES = frozenset({"yaml github", "yaml gitlab", "groovy"})
SETTINGS = frozenset({"shell", "ini", "yaml kubernetes", "yaml compose", "json", "toml", "dockerfile"})
TAGS = LANGUAGES | PIPELINES | SETTINGS | {"text"}
SECRETS = ("hardcoded-credential", "provider-token", "private-key", "password-hash", "credential-in-url")
REASONS = ("syntax", "size", "encoding", "timeout", "memory", "engine-missing", "engine-failed", "missing", "schema", "unreadable")

FENCE = re.compile(r"^```(?P<tag>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
REFERENCE = re.compile(r"- (?P<label>[^\n]+?): (?P<url>https://[^\s<>]+)")
CWE_LINK = re.compile(r"https://cwe\.mitre\.org/data/definitions/(\d+)\.html")
LITERALS_AND_COMMENTS = re.compile(
    r"'''.*?'''|\"\"\".*?\"\"\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`[^`]*`|//[^\n]*|/\*.*?\*/", re.DOTALL
)
SECRET_SHAPES = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_\w{20}|glpat-\w{15}|xox[abp]-\w{10}|sk_live_\w{10}|BEGIN [A-Z ]*PRIVATE KEY|eyJ\w{10,}\.eyJ"
    r"|://[^/\s:@]+:[^<$\s@][^\s@]*@"
)


class Block(Struct, frozen=True):
    page: str
    section: str
    tag: str
    code: str


def group_of() -> dict[str, str]:
    """Class -> heading under which classes.toml lists it."""
    groups: dict[str, str] = {}
    heading = ""
    for line in (files("assaymark.model") / "rule_data" / "classes.toml").read_text("utf-8").splitlines():
        if line.startswith("# "):
            heading = line[2:]
        elif "=" in line:
            groups[next(iter(tomllib.loads(line)))] = heading
    return groups


def sections_of(text: str) -> dict[str, str]:
    """Heading -> body; headings inside of code blocks are code."""
    bodies: dict[str, str] = {}
    heading, fenced = "", False
    for line in text.splitlines(keepends=True):
        fenced ^= line.startswith("```")
        if line.startswith("## ") and not fenced:
            heading = line[3:].strip()
            bodies[heading] = ""
        else:
            bodies[heading] = bodies.get(heading, "") + line
    return bodies


def blocks_of(name: str, text: str) -> Iterator[Block]:
    for section, body in sections_of(text).items():
        for found in FENCE.finditer(body):
            yield Block(page=name, section=section, tag=found["tag"], code=found["code"])


BLOCKS = [block for name, text in sorted(PAGES.items()) for block in blocks_of(name, text)]


def of(*tags: str) -> list[Any]:
    """Parameters: the blocks with one of the tags."""
    chosen = [block for block in BLOCKS if block.tag in tags]
    return [pytest.param(block, id=f"{block.page}-{block.tag.replace(' ', '-')}-{number}") for number, block in enumerate(chosen)]


def defects(name: str, text: str) -> list[str]:
    """What is wrong with the form of a page; nothing when it is right."""
    return [*_head_defects(name, text), *_block_defects(name, text), *_reference_defects(name, text)]


def _head_defects(name: str, text: str) -> Iterator[str]:
    lines = text.split("\n")
    bodies = sections_of(text)
    if lines[0] != f"# {CLASSES[name].title}":
        yield "the title is not the class's"
    if lines[1] or lines[3] or not lines[2].endswith(".") or re.search(r"[.!?] [A-Z]", lines[2]):
        yield "the head is not one sentence"
    if tuple(bodies) != ("", *SECTIONS):
        yield f"the sections are {tuple(bodies)}"
    if not 900 <= len(text) <= 6000:
        yield f"the page has {len(text)} characters"
    if not text.endswith("\n") or text.endswith("\n\n") or "\t\n" in text or " \n" in text or "\r" in text:
        yield "the white space is untidy"
    sentences = len(re.findall(r"[.!?](?=\s|$)", bodies.get(SECTIONS[0], "")))
    if not 2 <= sentences <= 5:
        yield f"'{SECTIONS[0]}' has {sentences} sentences"


def _block_defects(name: str, text: str) -> Iterator[str]:
    if len(re.findall(r"^```", text, re.MULTILINE)) != 2 * len(list(blocks_of(name, text))):
        yield "a fence is not closed or not opened with a tag"
    for block in blocks_of(name, text):
        where = f"block {block.tag or '?'}"
        if block.tag not in TAGS:
            yield f"{where}: not a tag that the views know"
        if block.section != "Safe code" and block.tag != "text":
            yield f"{where}: code outside of 'Safe code'"
        if block.section == "Safe code" and "unsafe: " not in block.code:
            yield f"{where}: does not show the unsafe line"
        if any(len(line) > 140 for line in block.code.splitlines()):
            yield f"{where}: a line is longer than 140 characters"
    if SECRET_SHAPES.search(text):
        yield "something looks like a real secret"


def _reference_defects(name: str, text: str) -> Iterator[str]:
    lines = sections_of(text).get("References", "").strip().splitlines()
    found = [REFERENCE.fullmatch(line) for line in lines]
    urls = [match["url"] for match in found if match]
    cwe = CLASSES[name].cwe
    if len(urls) != len(lines) or len(set(urls)) != len(urls):
        yield "a reference is not '- label: https://…', or stands there twice"
    if cwe and (not lines or lines[0] != f"- CWE-{cwe}: https://cwe.mitre.org/data/definitions/{cwe}.html"):
        yield f"the first reference is not CWE-{cwe}"
    if not any(re.match(r"https://([a-z]+\.)?owasp\.org/", url) for url in urls):
        yield "no reference to OWASP"
    for match in found:
        number = CWE_LINK.fullmatch(match["url"]) if match else None
        if match and "cwe.mitre.org" in match["url"] and not (number and re.match(rf"CWE-{number[1]}\b", match["label"])):
            yield "a CWE link and its label differ"


def test_every_class_has_exactly_one_page_and_no_page_is_without_class() -> None:
    assert sorted(PAGES) == sorted(CLASSES)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_page_has_the_form_that_the_views_parse(name: str) -> None:
    assert defects(name, PAGES[name]) == []


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_view_reads_every_block_and_every_reference(name: str) -> None:
    page = explanation(RuleClassId(name))
    assert [block.code + "\n" for block in page.safe] == [b.code for b in BLOCKS if b.page == name and b.section == "Safe code"]
    assert [f"- {r.label}: {r.url}" for r in page.references] == sections_of(PAGES[name])["References"].strip().splitlines()
    assert "```" not in page.advice


def test_view_takes_the_first_line_alone_for_the_title() -> None:
    assert [name for name, row in CLASSES.items() if explanation(RuleClassId(name)).title != row.title] == []


def test_finding_in_a_workflow_is_answered_with_yaml_and_one_in_a_jenkinsfile_with_groovy() -> None:
    page = explanation(RuleClassId("pipeline-injection"))
    assert {block.language for block in safe_code(page, "yaml")} == {"yaml"}
    assert {block.language for block in safe_code(page, "groovy")} == {"groovy"}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_safe_code_covers_the_languages_that_the_class_is_met_in(name: str) -> None:
    tags = {block.tag for block in BLOCKS if block.page == name and block.section == "Safe code"}
    match group_of()[name]:
        case "pipelines":
            assert tags >= PIPELINES
        case "infrastructure":
            assert tags & SETTINGS
        case "not a weakness":
            assert tags
        case _ if name == "payment-card-number" or name in SECRETS:
            assert tags >= {"python", "javascript", "java", "go", "shell"}
        case _:
            assert tags >= {"python", "javascript", "java", "go"}


@pytest.mark.parametrize("name", SECRETS)
def test_leaked_secret_is_rotated_first_then_loaded_then_purged_then_kept_out(name: str) -> None:
    steps = [sections_of(PAGES[name])["Safe code"].lower().find(f"**{step}") for step in ("rotate", "load", "purge", "keep out")]
    assert -1 not in steps
    assert steps == sorted(steps)
    assert [part for part in ("assay hook install", "--rotated", "git filter-repo") if part not in PAGES[name]] == []


@pytest.mark.parametrize("reason", REASONS)
def test_unchecked_says_what_to_do_for_each_reason(reason: str) -> None:
    assert re.search(rf"^- \*\*{reason}\*\*: \S.{{80,}}$", PAGES["unchecked"], re.MULTILINE)


@pytest.mark.parametrize("block", of("python"))
def test_python_compiles(block: Block) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an invalid escape is only a warning
        compile(block.code, block.page, "exec")


@pytest.mark.parametrize("block", of("javascript"))
def test_javascript_is_accepted_by_node(block: Block, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: JavaScript of the explanation pages was NOT checked")
    script = tmp_path / "block.mjs"
    script.write_text(block.code, "utf-8")
    done = subprocess.run([node, "--check", str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", of("shell"))
def test_shell_is_accepted_by_bash(block: Block) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed: shell code of the explanation pages was NOT checked")
    done = subprocess.run([bash, "-n"], input=block.code, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", of("yaml github", "yaml gitlab", "yaml kubernetes", "yaml compose", "json"))
def test_data_parses_to_a_mapping(block: Block) -> None:
    assert isinstance(json.loads(block.code) if block.tag == "json" else yaml.safe_load(block.code), dict)


@pytest.mark.parametrize("block", of("yaml github"))
def test_github_workflow_names_its_permissions_and_pins_what_it_uses(block: Block) -> None:
    workflow = yaml.safe_load(block.code)
    assert "permissions" in workflow
    for job in workflow.get("jobs", {}).values():
        assert "runs-on" in job
        for step in job["steps"]:
            assert "run" in step or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])


@pytest.mark.parametrize("block", of("java", "go", "php", "c#", "c", "groovy"))
def test_brackets_close_in_what_is_not_compiled(block: Block) -> None:
    code = LITERALS_AND_COMMENTS.sub("", block.code)
    while code != (shorter := re.sub(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}", "", code)):
        code = shorter
    assert not set(code) & set("()[]{}")


GOOD = PAGES["sql-injection"]


@pytest.mark.parametrize(
    ("broken", "defect"),
    [
        (GOOD.replace("# SQL built", "# Sql built", 1), "the title is not the class's"),
        (GOOD.replace("write part of the query.", "write it. Part of it.", 1), "the head is not one sentence"),
        (GOOD.replace("## How it is exploited", "## Exploit", 1), "the sections are"),
        (GOOD.replace("## Safe code\n", "## Safe code\n" + "word " * 1200, 1), "the page has"),
        (GOOD.replace("## References", "## References \n", 1), "the white space is untidy"),
        (GOOD.replace("```python\n", "```\n", 1), "not a tag"),
        (GOOD.replace("```python\n", "```rust\n", 1), "not a tag"),
        (GOOD.replace("# unsafe: ", "# bad: "), "does not show the unsafe line"),
        (GOOD.replace("- CWE-89: ", "- CWE-90: ", 1), "the first reference is not CWE-89"),
        (GOOD.replace("89.html", "90.html", 1), "a CWE link and its label differ"),
        (GOOD.replace("owasp.org", "example.org"), "no reference to OWASP"),
        (GOOD.replace(": https://go.dev", ": http://go.dev", 1), "a reference is not"),
        (GOOD.replace("name = '", "name = 'AKIA" + "Q" * 16, 1), "something looks like a real secret"),
        (GOOD.replace("name = '", "name = 'ftp://shop:" + "hunter2" + "@host", 1), "something looks like a real secret"),
    ],
)
def test_each_defect_of_form_is_noticed(broken: str, defect: str) -> None:
    assert broken != GOOD
    assert any(defect in found for found in defects("sql-injection", broken))
