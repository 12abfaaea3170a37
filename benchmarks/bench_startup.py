"""What starting costs in instructions, which no neighbour on the machine changes: the hook's client, and the hook's program without it.

Counted by valgrind's callgrind. `nothing` is the interpreter alone; budgets are about what is above it. Writes no times at all.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import generate, measure


def program(modules: str, *, site: bool = True) -> list[str]:
    """An interpreter that imports modules of this installation."""
    places = [path for path in sys.path if path.endswith("site-packages")] if not site else []
    line = f"import sys; sys.path[:0] = [{measure.PACKAGE!r}]; sys.path += {places!r}; {modules}"
    return [sys.executable, "-I", *(["-S"] if not site else []), "-c", line]


def cases(folder: Path) -> dict[str, list[str]]:
    client = str(Path(measure.PACKAGE) / "assaymark" / "hookclient.py")
    return {
        "nothing (-I -S)": [sys.executable, "-I", "-S", "-c", "pass"],
        "hook client, no socket there": [sys.executable, "-I", "-S", "-c", _client_without_program(client)],
        "nothing (-I)": program("pass"),
        "import assaymark.cli.hook": program("import assaymark.cli.hook"),
        "all that a hook imports": program(
            f"{_LEAN}; import assaymark.cli.hook, assaymark.compose, assaymark.flow, assaymark.subjects.resolve"
        ),
        "import assaymark.cli.check": program("import assaymark.cli.main, assaymark.cli.check"),
        "hook with an empty change": [*program(f"import os; os.chdir({str(folder)!r}); {_RUN}")],
    }


_LEAN = "from assaymark.cli.lean import load_msgspec; load_msgspec()"
_RUN = f"{_LEAN}; from assaymark.cli import hook; sys.exit(hook.run(['pre-commit'], os.write))"


def _client_without_program(client: str) -> str:
    """The client up to the point where it would become the program."""
    return (
        "import posix, sys; posix.execv = lambda *_: posix._exit(0); sys.argv = ['hookclient', 'pre-commit'];"
        f"code = compile(open({client!r}).read(), {client!r}, 'exec'); exec(code, {{'__name__': '__main__', '__file__': {client!r}}})"
    )


def instructions(command: list[str], env: dict[str, str], out: Path) -> float:
    """Millions of instructions of a command, its children left out."""
    tool = ["valgrind", "--tool=callgrind", "--trace-children=no", f"--callgrind-out-file={out}"]
    ran = subprocess.run([*tool, *command], env=env, capture_output=True, text=True, check=False)
    totals = [line.split()[1] for line in out.read_text("utf-8").splitlines() if line.startswith(("totals:", "summary:"))]
    if ran.returncode or not totals:
        raise SystemExit(ran.stderr[-2000:])
    return round(int(totals[0]) / 1e6, 1)


def run() -> dict[str, Any]:
    counts = {}
    with measure.bench_folder() as home:
        env = measure.environment(home)
        generate.repository(home / "repo", generate.tree(50), env)
        for name, command in cases(home / "repo").items():
            subprocess.run(command, env=env, capture_output=True, check=False)  # writes the bytecode that the counted run reads
            counts[name] = instructions(command, env, home / "callgrind.out")
            print(f"  {name:32}{counts[name]:10.1f} M", flush=True)
    return {"million_instructions": counts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="print, write no result")
    options = parser.parse_args()
    facts = measure.announce("instructions of a start")
    if shutil.which("valgrind") is None:
        print("  valgrind is not installed: nothing counted")
        return
    figures = run()
    if not options.dry:
        measure.write("startup", facts, figures)


if __name__ == "__main__":
    main()
