"""`python -m assaymark.deployment.edge FOLDER`: what `starting` runs; people say `assay edge run`."""

from __future__ import annotations

import sys
from pathlib import Path

from assaymark.deployment.edge.serving import run
from assaymark.errors import AssayError

if __name__ == "__main__":
    try:
        run(Path(sys.argv[1]))
    except AssayError as error:
        sys.stderr.write(f"{error.diagnosis()}\n")
        sys.exit(error.exit_code)
