"""What an API says when it cannot do what was asked: RFC 9457 problem details, one class per reason."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from assaymark.errors import AssayError

KIND = "application/problem+json"


class Problem(Struct, frozen=True, omit_defaults=True):
    """The document."""

    title: str
    status: int
    type: str = "about:blank"
    """``<public URL>/problems/<code>``."""
    detail: str = ""
    advice: str = ""
    """What to do about it."""
    request: str = ""
    """Id of the request, as in the log."""


class ApiError(Exception):
    """Ends a call with a problem."""

    def __init__(  # noqa: PLR0913 - one per member of the document
        self, status: int, code: str, title: str, *, detail: str = "", advice: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(title)
        self.status, self.code, self.title, self.detail, self.advice = status, code, title, detail, advice
        self.headers = headers or {}


def not_found(what: str) -> ApiError:
    """Also for what is there but not for this caller: the difference is nobody's business."""
    return ApiError(404, "not-found", f"{what} is not here")


def forbidden(permission: str) -> ApiError:
    return ApiError(
        403, "forbidden", "this is not allowed", detail=f"it needs {permission}", advice="ask an administrator for a role that has it"
    )


def invalid(detail: str, advice: str = "") -> ApiError:
    return ApiError(400, "invalid", "the request makes no sense", detail=detail, advice=advice)


def conflict(detail: str, advice: str = "") -> ApiError:
    return ApiError(409, "conflict", "this is not possible now", detail=detail, advice=advice)


class Told:
    """Around a step: what stands in its way leaves as an answer, where there is one for it."""

    def __init__(self, answer: Callable[[AssayError], ApiError | None]) -> None:
        self._answer = answer

    def __enter__(self) -> None:
        """Nothing to do before."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        found = self._answer(error) if isinstance(error, AssayError) else None
        if found is not None:
            raise found from error
