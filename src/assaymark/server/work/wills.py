"""What is left to do when a job was given up: kind -> kind of the job that is put in the transaction of its death.

It gets the same arguments and ``error``. For what must not stay half done, e.g. an assessment that would never end.
"""

from __future__ import annotations

from collections.abc import Mapping

WILLS: Mapping[str, str] = {"assess": "abandon-assessment", "import": "abandon-import"}
