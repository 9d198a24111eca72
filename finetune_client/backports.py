"""Names of `typing` that Python 3.10 does not have, so that annotations can be read there too.

``typing_extensions`` has them as well, but would be a dependency, and one more module to load.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["Self", "Unpack"]

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack
elif sys.version_info >= (3, 11):
    from typing import Self, Unpack
else:
    Self = TypeVar("Self")

    class Unpack:
        """``Unpack[Options]`` is ``Options`` itself: nothing else can be said of it here."""

        def __class_getitem__(cls, item: Any) -> Any:
            return item
