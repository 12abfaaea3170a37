"""Makes the pictures of the README from what the program really says of the sample repository.

    python docs/images/make.py            # both pictures; the PNG only where chromium is

The terminal picture is rich's export of the real output, with its colours; ids and fonts are fixed and the line of times is left out, so
the same version makes the same file. The picture of the HTML report is chromium's and shows the times of its run.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SPAN = "main...feature/fast-export"
WIDTH = 100
DARK = TerminalTheme(
    (22, 27, 34),
    (230, 237, 243),
    [(72, 79, 88), (255, 123, 114), (126, 231, 135), (227, 179, 65), (121, 192, 255), (210, 168, 255), (86, 211, 231), (230, 237, 243)],
    [(139, 148, 158), (255, 161, 152), (165, 240, 173), (242, 204, 96), (165, 214, 255), (226, 197, 255), (140, 229, 243), (255, 255, 255)],
)
"""Light on dark; every pair has a contrast above 4.5."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ESCAPE = re.compile(r"\x1b\]8;[^\x1b\x07]*(?:\x1b\\|\x07)")


def environment(folder: Path) -> dict[str, str]:
    """The same surroundings as the show's, so that ids are the same everywhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASSAYMARK_", "GIT_"))}
    return kept | {
        "ASSAYMARK_CACHE": os.environ.get("ASSAYMARK_CACHE", str(folder / "cache")),
        "ASSAYMARK_DAEMON": "off",
        "ASSAYMARK_KEY": "the key of the show, known to all",
        "ASSAYMARK_TODAY": "2026-06-01",
        "COLUMNS": str(WIDTH),
        "FORCE_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(ROOT / "src"),
    }


def say(arguments: list[str], sample: Path, folder: Path) -> str:
    """What `assay` prints, as on a terminal."""
    command = [sys.executable, "-c", "from assaymark.cli.main import main; main()", *arguments]
    ran = subprocess.run(command, cwd=sample, env=environment(folder), stdout=subprocess.PIPE, check=False)
    return ran.stdout.decode("utf-8")


def terminal_picture(output: str) -> str:
    """The output as SVG."""
    lines = _ESCAPE.sub("", output).rstrip("\n").split("\n")
    plain = [_COLOUR.sub("", line) for line in lines]
    start = next(number for number, line in enumerate(plain) if line.startswith("  time "))
    end = next(number for number, line in enumerate(plain) if line.startswith("  next "))
    lines[start:end] = []
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi("\n".join([f"$ assay check {SPAN}", "", *lines])))
    return console.export_svg(title="assay check", theme=DARK, unique_id="assay-check")


def without_fetching(svg: str) -> str:
    """The picture loads nothing: the font comes from the reader's machine."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("<svg ", '<svg role="img" aria-label="assay check: fail, two new findings, one check was switched off" ', 1)
    return (
        "\n".join(line.rstrip() for line in svg.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono").splitlines()) + "\n"
    )


def report_picture(sample: Path, folder: Path) -> str:
    """Write the picture of the HTML report; gives what was done."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        return "no chromium here: the picture of the report is left as it is"
    page = folder / "report.html"
    say(["check", SPAN, "--format", "html", "--output", str(page), "--trend", "30"], sample, folder)
    target = HERE / "report.png"
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb",
        f"--user-data-dir={folder / 'browser'}", "--window-size=1180,1040", f"--screenshot={target}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return f"{target.name}: {target.stat().st_size} bytes"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sample = folder / "harbour"
        subprocess.run([sys.executable, str(ROOT / "demo" / "build_sample.py"), str(sample)], check=True, capture_output=True)
        picture = HERE / "check.svg"
        picture.write_text(without_fetching(terminal_picture(say(["check", SPAN], sample, folder))), "utf-8")
        print(f"{picture.name}: {picture.stat().st_size} bytes")
        print(report_picture(sample, folder))


if __name__ == "__main__":
    main()
