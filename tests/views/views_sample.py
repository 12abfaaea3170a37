"""Verdicts to render: one rich, one empty, one unproven, one huge, and hostile ones made from any text."""

from __future__ import annotations

import hashlib

from assaymark.errors import InternalError
from assaymark.model.digest import Digest
from assaymark.model.finding import (
    CheckId,
    Core,
    Finding,
    Fingerprint,
    Fix,
    Kind,
    Layer,
    Place,
    RuleClassId,
    RuleId,
    Suppression,
    Witness,
)
from assaymark.model.rules import RuleInfo
from assaymark.model.severity import Confidence, Severity
from assaymark.model.subject import SubjectRef
from assaymark.model.verdict import (
    CheckRun,
    Judged,
    Outcome,
    Posture,
    Reason,
    ReasonKind,
    State,
    Verdict,
    WaiverRef,
)
from assaymark.views.explain import Explanation, parse
from assaymark.views.history import HistoryPoint
from assaymark.views.options import Options

SQL, SECRET, SHELL, PIN = (RuleClassId(name) for name in ("sql-injection", "provider-token", "shell-use", "unpinned-dependency"))

PAGE = """# SQL built from text that others control

## Why it matters

Whoever can send the text can read or change every row that the program's account can. It is the oldest
of the well-known attacks and still one of the most used.

## How it is exploited

A name field is given `' OR '1'='1`, and the query returns **every** row:

```text
SELECT * FROM users WHERE name = '' OR '1'='1'
```

- Tables are read through `UNION`.
- Rows are changed where several statements are allowed.

## Safe code

Hand values over as parameters; the driver keeps them apart from the statement.

```python
# never an f-string
cursor.execute("SELECT * FROM users WHERE name = %s", (name,))
```

```js
await db.query("SELECT * FROM users WHERE name = $1", [name]);
```

## References

- CWE-89: https://cwe.mitre.org/data/definitions/89.html
- OWASP, SQL Injection Prevention: https://cheatsheetseries.owasp.org/cheatsheets/SQL_Injection_Prevention_Cheat_Sheet.html
"""


def explain(rule_class: RuleClassId) -> Explanation | None:
    """A library of one page, and nothing of foreign rules; classes of ours share the page under their own name."""
    if "/" in rule_class:
        return None
    if rule_class == RuleClassId("missing-page"):
        raise InternalError("no page")
    return parse(rule_class, PAGE)


def fingerprint(seed: str) -> Fingerprint:
    return Fingerprint("s1:" + hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:32])


def finding(
    path: str = "app/db.py",
    line: int = 42,
    *,
    rule_class: RuleClassId = SQL,
    rule: str = "ruff/S608",
    severity: Severity = Severity.HIGH,
    message: str = "SQL is built by joining strings",
    statement: str = 'cursor.execute("SELECT * FROM users WHERE name = \'" + name + "\'")',
    fix: str = "Pass values as parameters: cursor.execute(sql, (name,))",
    kind: Kind = Kind.CODE,
    seed: str = "",
    more: tuple[Witness, ...] = (),
    suppression: Suppression | None = None,
    confidence: Confidence = Confidence.HIGH,
    notes: tuple[tuple[str, str], ...] = (),
) -> Finding:
    check = CheckId(rule.partition("/")[0])
    return Finding(
        fingerprint=fingerprint(seed or f"{path}{line}{rule_class}"),
        core=Core(kind, rule_class, ("Users.find", statement)),
        place=Place(path, line, 5 if line else 0, line, 60 if line else 0),
        layer=Layer.INFRASTRUCTURE if check == "zizmor" else Layer.APPLICATION,
        severity=severity,
        confidence=confidence,
        witnesses=(Witness(check, RuleId(rule), message), *more),
        input=Digest("git-sha1:" + "a" * 40),
        statement=statement,
        fix=Fix(fix) if fix else None,
        suppression=suppression,
        notes=notes,
    )


def gap(path: str = "app/broken.py", line: int = 7, message: str = "Python cannot parse line 7") -> Finding:
    return finding(
        path,
        line,
        rule_class=RuleClassId("unchecked"),
        rule="ruff/unchecked-syntax",
        severity=Severity.INFO,
        message=message,
        statement="",
        fix="",
        kind=Kind.UNCHECKED,
    )


def rules_of(findings: list[Judged]) -> dict[str, RuleInfo]:
    titles = {
        "ruff/S608": ("Possible SQL injection", "https://docs.astral.sh/ruff/rules/hardcoded-sql-expression/"),
        "secrets/aws-access-key": ("AWS access key", ""),
        "zizmor/unpinned-uses": ("Action that is not pinned", "https://docs.zizmor.sh/audits/#unpinned-uses"),
    }
    made: dict[str, RuleInfo] = {}
    for judged in findings:
        item = judged.finding
        title, url = titles.get(item.rule, (item.rule, ""))
        made[item.rule] = RuleInfo(
            id=item.rule, rule_class=item.core.rule_class, title=title, severity=item.severity, confidence=item.confidence, url=url
        )
    return made


CHECKS = (
    CheckRun(CheckId("secrets"), Layer.APPLICATION, "1", "sha256:" + "1" * 64, 12, 9, 0.0123, skipped=(("binary", 3),)),
    CheckRun(CheckId("ruff"), Layer.APPLICATION, "0.14.1", "sha256:" + "2" * 64, 8, 5, 0.0481, unchecked=1),
    CheckRun(CheckId("zizmor"), Layer.INFRASTRUCTURE, "1.20.0", "sha256:" + "3" * 64, 2, 2, 0.0),
)


def verdict_of(
    findings: list[Judged],
    *,
    outcome: Outcome = Outcome.FAIL,
    reasons: tuple[Reason, ...] = (),
    checks: tuple[CheckRun, ...] = CHECKS,
    notices: tuple[str, ...] = (),
    whole: bool = False,
    head_name: str = "9f1c2ab Add search by name",
) -> Verdict:
    return Verdict(
        outcome=outcome,
        base=SubjectRef("commit", "main (4be01d7)", "git-sha1:" + "b" * 40),
        head=SubjectRef("commit", head_name, "git-sha1:" + "c" * 40),
        reasons=reasons,
        findings=tuple(findings),
        checks=checks,
        policy_level="standard",
        fail_on="medium",
        knowledge="sha256:" + "4" * 64,
        policy_digest="sha256:" + "5" * 64,
        scheme="s1",
        whole=whole,
        before=Posture(open={"critical": 0, "high": 2, "medium": 5, "low": 3}, waived=1),
        after=Posture(open={"critical": 1, "high": 4, "medium": 4, "low": 3}, waived=2, unchecked=1),
        seconds=0.183,
        tool_version="0.1.0",
        rules=rules_of(findings),
        notices=notices,
    )


def _secret() -> Finding:
    masked = 'aws_access_key_id = "AKIA************"'
    return finding(
        "config/prod.env",
        3,
        rule_class=SECRET,
        rule="secrets/aws-access-key",
        severity=Severity.CRITICAL,
        message="An AWS access key is in the content",
        statement=masked,
        fix="Revoke the key at the provider, then read it from the environment",
        kind=Kind.SECRET,
    )


def _pin() -> Finding:
    return finding(
        ".github/workflows/ci.yml",
        12,
        rule_class=PIN,
        rule="zizmor/unpinned-uses",
        severity=Severity.MEDIUM,
        message="action is not pinned to a hash",
        statement="uses: actions/checkout@v4",
        fix="Pin the action to a full commit hash",
        kind=Kind.CONFIGURATION,
    )


def _rich_reasons(secret: Finding, first: Finding, edited: Finding) -> tuple[Reason, ...]:
    return (
        Reason(ReasonKind.NEW_FINDING, "AWS access key", "Revoke it", True, secret.fingerprint, "config/prod.env", 3),
        Reason(ReasonKind.NEW_FINDING, "SQL built by joining strings", "Use parameters", True, first.fingerprint, "app/db.py", 42),
        Reason(ReasonKind.WORSENED, "shell=True is now reachable", "Use a list", True, edited.fingerprint, "app/run.py", 9),
        Reason(ReasonKind.WEAKENED, "assay.toml stops at medium instead of low", "Restore fail-on, or record an exception", True),
        Reason(ReasonKind.UNPROVEN, "ruff could not parse it: line 7", "Correct the syntax", True, "", "app/broken.py", 7),
        Reason(ReasonKind.EXCEPTION, "Waiver of unpinned actions prolonged", "Ends 2027-01-31", False),
    )


def rich() -> Verdict:
    """Every state, kind of reason, waiver and witness once."""
    twin = Witness(CheckId("bandit"), RuleId("bandit/B608"), "Possible SQL injection vector through string-based query construction.")
    first = finding(seed="first", more=(twin,), notes=(("scope", "Users.find"),))
    copied = finding("app/search.py", 17, seed="first")
    secret = _secret()
    before = finding("app/run.py", 9, rule_class=SHELL, rule="ruff/S602", severity=Severity.LOW, message="shell=True", fix="")
    edited = finding("app/run.py", 9, rule_class=SHELL, rule="ruff/S602", severity=Severity.MEDIUM, message="shell=True", fix="")
    pin = _pin()
    foreign = finding(
        "lib/x.js", 0, rule_class=RuleClassId("semgrep/own-rule"), rule="semgrep/own-rule", severity=Severity.LOW, fix="", statement=""
    )
    old = finding("app/old.py", 80, severity=Severity.MEDIUM)
    judged = [
        Judged(secret, State.NEW, gates=True),
        Judged(first, State.NEW, gates=True),
        Judged(copied, State.NEW, gates=True),
        Judged(edited, State.CHANGED, previous=before, gates=True),
        Judged(foreign, State.NEW),
        Judged(pin, State.NEW, waiver=WaiverRef("policy", "mirror is read-only", owner="ops", until="2027-01-31")),
        Judged(
            finding("app/legacy.py", 5, suppression=Suppression("# nosec B608", 5)), State.NEW, waiver=WaiverRef("inline", "# nosec B608")
        ),
        Judged(old, State.KNOWN),
        Judged(finding("app/fresh.py", 8, severity=Severity.LOW), State.NEWLY_KNOWN),
        Judged(finding("app/gone.py", 31), State.FIXED),
        Judged(gap(), State.NEW),
    ]
    return verdict_of(judged, reasons=_rich_reasons(secret, first, edited), notices=("waiver w-7 ends in 9 days",))


def empty() -> Verdict:
    """Nothing to say."""
    return verdict_of([], outcome=Outcome.PASS)


def unproven() -> Verdict:
    """A file that could not be read."""
    reasons = (Reason(ReasonKind.UNPROVEN, "ruff could not parse it", "Correct the syntax", True, "", "app/broken.py", 7),)
    return verdict_of([Judged(gap(), State.NEW)], outcome=Outcome.UNPROVEN, reasons=reasons)


def huge(number: int = 10_000) -> Verdict:
    """One careless commit."""
    ranks = list(Severity)
    judged = [
        Judged(finding(f"src/m{i % 97}/f{i}.py", i + 1, severity=ranks[i % 5], seed=str(i % 9000)), State.NEW, gates=i % 5 > 1)
        for i in range(number)
    ]
    return verdict_of(judged)


HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\u202etxt.exe\u2066",
    "zero\u200bwidth\ufeff",
    "]]>\x00\x0b\ufffe",
    "@everyone #1 !2 /close [x](javascript:alert(1)) `code` ```",
    "=cmd|' /C calc'!A0,\"quoted\";",
    "::error file=x::owned\r\n::set-output name=a::b",
    "caf\udce9\ud800.py",
    "| a | b |\n|---|---|\n- x",
    "</style></script><!-- --><svg/onload=alert(1)>",
    "%0A%25 {0} {{x}}",
)


def hostile(texts: tuple[str, ...] = HOSTILE) -> Verdict:
    """The texts in every field that content can reach."""
    judged: list[Judged] = []
    reasons: list[Reason] = []
    for number, text in enumerate(texts):
        made = finding(
            f"src/{text}.py",
            number + 1,
            message=text,
            statement=text,
            fix=text,
            rule=f"ruff/{text}",
            notes=((text, text),),
            suppression=Suppression(text, 1),
        )
        waiver = WaiverRef("policy", text, owner=text, until="2027-01-01") if number % 3 == 2 else None
        judged.append(Judged(made, State.NEW, waiver=waiver, gates=waiver is None))
        foreign = finding(f"{text}/k", 1, rule_class=RuleClassId(f"x/{text}"), rule=f"x/{text}", message=text, statement=text)
        judged.append(Judged(foreign, State.KNOWN))
        judged.append(Judged(gap(path=text, message=text), State.NEW))
        reasons.append(Reason(ReasonKind.WEAKENED, text, text, True, "", text, 3))
        reasons.append(Reason(ReasonKind.UNPROVEN, text, text, True, "", text, 0))
    check = CheckRun(CheckId("ruff"), Layer.APPLICATION, texts[0], texts[0], 1, 0, 0.1, 1, ((texts[0], 1),))
    return verdict_of(judged, reasons=tuple(reasons), checks=(check,), notices=texts, head_name=texts[0])


HISTORY = tuple(
    HistoryPoint(
        commit=hashlib.sha256(str(i).encode()).hexdigest()[:40],
        subject=f"Step {i}",
        author="Ada" if i % 2 else "Grace",
        when=f"2026-{1 + i // 8:02d}-{1 + 3 * (i % 8):02d}",
        open={"high": max(14 - i // 2, 1), "medium": 6 + (i * 7) % 5},
        new=i % 3,
        fixed=(i + 1) % 3,
        outcome=Outcome.FAIL if i % 9 == 4 else Outcome.UNPROVEN if i == 11 else Outcome.PASS,
    )
    for i in range(30)
)

OPTIONS = Options(started="2026-01-31T12:00:00", finished="2026-01-31T12:00:01", explain=explain, history=HISTORY, project="Sample shop")
