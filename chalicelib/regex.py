"""Regular expressions that are compiled when they are first needed: an invocation needs few of all that there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:

    def regex(pattern: str, flags: int = 0) -> re.Pattern[str]: ...

else:

    class regex:  # noqa: N801 (it is called as a function, and gives what re.compile gives)
        """What `re.compile` gives, by and by. A pattern that is none is told of at its first use."""

        def __init__(self, pattern: str, flags: int = 0) -> None:
            self.pattern, self._flags = pattern, flags

        def __getattr__(self, name: str) -> Any:
            """A method that is not here yet; from then on it is."""
            found = getattr(re.compile(self.pattern, self._flags), name)
            setattr(self, name, found)
            return found
