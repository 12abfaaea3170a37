# ruff: noqa: N818 - names say what is wrong; that they are errors the tree says
"""Every error that a user can meet, as one tree.

    AssayError                     exit  code
    ├── UsageError                  2    usage            the request makes no sense as given
    │   ├── PolicyInvalid           2    policy-invalid   assay.toml does not say what it means
    │   ├── SubjectNotFound         2    subject-missing  no such commit, path, archive
    │   └── SignatureInvalid        2    signature-invalid  no given key signed it, or it is no envelope
    ├── EngineMissing               3    engine-missing   a tool that a check needs is not installed
    ├── SubjectUnreadable           3    subject-broken   git or an archive cannot be read
    ├── DriverFailed                3    driver-failed    what runs things did not do as told
    ├── Busy                        3    busy             another process deploys the same pair now
    ├── NotEndorsed                 5    not-endorsed     what is compared with is not shown to be endorsed
    └── InternalError               4    internal         a defect of Assaymark

A verdict is no error: exit codes 0 (pass), 1 (fail) and 5 (unproven) belong to it. 130 is an interruption by the user.
"""

from __future__ import annotations


class AssayError(Exception):
    """Base: what happened, why, what to do."""

    code = "internal"
    exit_code = 4

    def __init__(self, what: str, *, why: str = "", advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.advice = advice

    def diagnosis(self) -> str:
        """Up to three lines for a terminal."""
        lines = [f"error[{self.code}]: {self.what}"]
        if self.why:
            lines.append(f"  because: {self.why}")
        if self.advice:
            lines.append(f"  do this: {self.advice}")
        return "\n".join(lines)


class UsageError(AssayError):
    code = "usage"
    exit_code = 2


class PolicyInvalid(UsageError):
    code = "policy-invalid"


class SubjectNotFound(UsageError):
    code = "subject-missing"


class SignatureInvalid(UsageError):
    code = "signature-invalid"


class EngineMissing(AssayError):
    code = "engine-missing"
    exit_code = 3


class SubjectUnreadable(AssayError):
    code = "subject-broken"
    exit_code = 3


class DriverFailed(AssayError):
    code = "driver-failed"
    exit_code = 3


class Busy(AssayError):
    code = "busy"
    exit_code = 3


class NotEndorsed(AssayError):
    code = "not-endorsed"
    exit_code = 5


class InternalError(AssayError):
    code = "internal"
    exit_code = 4
