# Which of asgiref's test modules are run on trio, and which of their tests cannot pass there.

MODULES = (
    "test_garbage_collection.py",
    "test_local.py",
    "test_sync.py",
    "test_sync_contextvars.py",
    "test_sync_executor_context_scenario.py",
    "test_sync_thread_sensitive_context.py",
)
"""All that are about sync_to_async, async_to_sync and Local."""

_SYNC = "test_sync.py::"
_CONTEXT = "test_sync_thread_sensitive_context.py::"
_SHIELD = "asyncio's own: a task that swallows its cancellation, behind asyncio.shield()"

CANNOT: dict[str, str] = {
    _SYNC + "test_sync_to_async": "asks asyncio's loop for its executor",
    _SYNC + "test_sync_to_async_thread_handler_child_is_partial": "overrides a method of asgiref's"
    " that is its own business (as the test says)",
    _SYNC + "test_thread_sensitive_outside_async": "two tasks without a ThreadSensitiveContext"
    " share no thread: there is a pool in the place of asgiref's only one",
    _SYNC + "test_inner_shield_sync_middleware": _SHIELD,
    _SYNC + "test_inner_shield_async_middleware": _SHIELD,
    _SYNC + "test_inner_shield_sync_and_async_middleware": _SHIELD,
    _SYNC + "test_inner_shield_sync_and_async_middleware_sync_task": _SHIELD,
    _CONTEXT + "test_executor_context_cancellation_does_not_wait_for_worker": "a cancelled hop is"
    " waited for, five seconds at most",
    _CONTEXT + "test_plain_context_allows_calls_after_exit": "looks for asgiref's own executor",
}
"""Tests, by name, and why they fail."""
