"""What msgspec raises at bytes that are no document of the type asked for."""

from __future__ import annotations

from typing import Final

import msgspec

UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Text that is no UTF-8 and nesting that is too deep are not among msgspec's own errors."""
