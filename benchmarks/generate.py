"""Repositories for benchmarks: made by arithmetic, so that everybody measures the same one; written through `git fast-import`.

The files look like an application's (Python, JavaScript, YAML, Markdown, JSON) and hold nothing that any check reports.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

WORDS = (
    *("account", "balance", "cargo", "delivery", "entry", "freight", "gate", "harbour", "invoice"),
    *("journal", "keel", "ledger", "manifest", "notice", "order", "parcel", "quay"),
)
WHEN = "Ada <ada@example.org> 1700000000 +0000"


def word(number: int) -> str:
    return WORDS[(number * 7 + number // len(WORDS)) % len(WORDS)]


def python_file(number: int, salt: str = "") -> str:
    parts = [f'"""Rules for {word(number)} {number}{salt}."""\n\nfrom __future__ import annotations\n\nimport datetime\n']
    for function in range(8):
        name, other = word(number + function), word(number * 3 + function)
        parts.append(
            f"\n\ndef {name}_{function}({other}: list[int], limit: int = {number % 97 + function}) -> int:\n"
            f'    """Count what {other} leaves of {name}."""\n'
            f"    total = 0\n    for position, item in enumerate({other}):\n"
            f"        if item > limit and position % {function + 2}:\n            total += item * {number % 13 + 1}\n"
            f"        elif item < 0:\n            total -= datetime.date(2020, 1, 1 + position % 28).day\n"
            f"    return total\n"
        )
    return "".join(parts)


def script_file(number: int) -> str:
    body = "".join(
        f"export function {word(number + f)}{f}(items) {{\n"
        f"  return items.filter((item) => item.size > {f}).map((item) => item.name);\n}}\n\n"
        for f in range(8)
    )
    return f"// {word(number)} {number}\n'use strict';\n\n{body}"


def settings_file(number: int) -> str:
    return "".join(
        f"{word(number + row)}_{row}:\n  enabled: true\n  limit: {number % 50 + row}\n  name: {word(row)}\n" for row in range(12)
    )


def page(number: int) -> str:
    return f"# {word(number)} {number}\n\n" + "".join(f"The {word(number + row)} waits for the {word(row * 5)}.\n" for row in range(30))


def tree(count: int) -> dict[str, str]:
    """So many files in folders of fifty; six in ten are Python."""
    files = {}
    for number in range(count):
        folder = f"{word(number // 50)}_{number // 50}"
        match number % 10:
            case 0 | 1 | 2 | 3 | 4 | 5:
                files[f"src/{folder}/{word(number)}_{number}.py"] = python_file(number)
            case 6 | 7:
                files[f"web/{folder}/{word(number)}_{number}.js"] = script_file(number)
            case 8:
                files[f"config/{folder}/{word(number)}_{number}.yml"] = settings_file(number)
            case _:
                files[f"docs/{folder}/{word(number)}_{number}.md"] = page(number)
    return files


def repository(folder: Path, files: Mapping[str, str], env: Mapping[str, str]) -> None:
    """A repository with one commit that holds `files`, checked out."""
    folder.mkdir(parents=True)

    def git(*arguments: str, stdin: bytes = b"") -> None:
        subprocess.run(["git", *arguments], cwd=folder, env=dict(env), input=stdin, check=True, capture_output=True)

    stream = [f"commit refs/heads/main\ncommitter {WHEN}\ndata 5\nbegin\n".encode()]
    for path, text in files.items():
        body = text.encode()
        stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(body), body))
    git("init", "--quiet", "--initial-branch=main")
    git("config", "gc.auto", "0")
    git("fast-import", "--quiet", stdin=b"".join(stream))
    git("reset", "--quiet", "--hard")


def stage_change(folder: Path, round_: int, salt: str, env: Mapping[str, str], count: int = 3) -> None:
    """Rewrite some Python files with content that nobody has seen, and stage them."""
    paths = sorted((folder / "src").rglob("*.py"))
    chosen = [paths[(round_ * 131 + number * 977) % len(paths)] for number in range(count)]
    for number, path in enumerate(chosen):
        path.write_text(python_file(10_000 + round_ * 10 + number, f" {salt} {round_}"), "utf-8")
    subprocess.run(["git", "add", "--", *map(str, chosen)], cwd=folder, env=dict(env), check=True, capture_output=True)
