from tests.integration.test_held import *  # noqa: F403
