"""How Hypothesis runs here: the same examples every time, unless somebody goes looking for more."""

import os

from hypothesis import settings

# HERALDO_RANDOM=1 make test: other examples at every run.
settings.register_profile("heraldo", derandomize="HERALDO_RANDOM" not in os.environ, database=None)
settings.load_profile("heraldo")
