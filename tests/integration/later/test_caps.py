from tests.integration.test_caps import *  # noqa: F403
