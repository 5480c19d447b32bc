from tests.integration.test_journeys import *  # noqa: F403
