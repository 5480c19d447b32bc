from tests.integration.test_optout import *  # noqa: F403
