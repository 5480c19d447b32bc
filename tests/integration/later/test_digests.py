from tests.integration.test_digests import *  # noqa: F403
