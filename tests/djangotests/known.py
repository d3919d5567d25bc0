# Which of Django's test modules are run, and which of their tests cannot pass on trio.

MODULES = (
    "asgi",
    "async",
    "auth_tests",
    "cache",
    "decorators",
    "deprecation",
    "dispatch",
    "generic_relations",
    "generic_views",
    "handlers",
    "httpwrappers",
    "logging_tests",
    "middleware",
    "middleware_exceptions",
    "pagination",
    "requests_tests",
    "sessions_tests",
    "signals",
    "staticfiles_tests",
    "tasks",
    "tasks",
    "test_client",
    "test_client_regress",
    "view_tests",
)
"""All modules that have async tests, and those about handlers, middleware and views."""

_ASGI = "asgi.tests.ASGITest."

CANNOT: dict[str, str] = {
    _ASGI + "test_assert_in_listen_for_disconnect": "an unknown ASGI message is passed over",
    _ASGI + "test_static_file_response": "Django's ASGIStaticFilesHandler runs on asyncio only;"
    " runserver brings one of its own",
}
"""Tests, by name, and why they fail."""

EITHER: dict[str, str] = {
    _ASGI + "test_disconnect_with_body": "a client that leaves is heeded until a thread has begun"
    " with a sync view, which is a race here",
}
"""Tests that may pass or fail, and why."""
