"""What the pages show is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.docs_pages import PAGES, ROOT, Workshop, blocks, commands, missing

RUN = [page for page in PAGES if any(block.info == "console" for block in blocks(page.read_text("utf-8")))]


def inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    assert path.is_relative_to(folder), name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_does_what_the_page_says(page: Path, workshop: Workshop, tmp_path: Path) -> None:
    folder = workshop.copy(tmp_path)
    for block in blocks(page.read_text("utf-8")):
        _, _, wish = block.info.partition(" ")
        if wish.startswith("file="):
            inside(folder, wish.removeprefix("file=")).write_text(block.text, "utf-8")
        elif wish.startswith("append="):
            with inside(folder, wish.removeprefix("append=")).open("a", encoding="utf-8") as file:
                file.write("\n" + block.text)
        elif block.info == "console":
            for command in commands(block):
                ran = workshop.run(command.words, folder)
                where = f"{page.name}, block at line {block.line}: $ {command.words}\n{ran.stdout}"
                assert ran.returncode == command.code, f"exit code {ran.returncode}, the page says {command.code}\n{where}"
                lacking = missing(command.says, ran.stdout)
                assert not lacking, f"the output does not say {lacking!r}\n{where}"


def test_the_pages_that_must_run_do() -> None:
    names = {page.name for page in RUN}
    assert {"README.md", "stop-bad-commits.md", "accept-a-risk.md", "start-on-old-code.md", "add-a-tool.md"} <= names


@pytest.mark.parametrize(
    ("expected", "output", "lacking"),
    [
        (("a … c", "d"), "x a b c\nd\n", ""),
        (("a", "b"), "b a", "b"),
        (("wrapped at  a blank",), "it was wrapped\n    at a blank", ""),
        (("1.5",), "135", "1.5"),
    ],
)
def test_expected_lines_are_sought_in_order_and_literally(expected: tuple[str, ...], output: str, lacking: str) -> None:
    assert missing(expected, output) == lacking
