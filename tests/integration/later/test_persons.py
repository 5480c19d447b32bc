from tests.integration.test_persons import *  # noqa: F403
