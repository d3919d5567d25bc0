# The permissions of the console, by codename. models.py makes them; here they are named without it,
# for settings are read before there are models. tests/bridges/django/test_api_tokens.py compares.

CODENAMES = (
    "view_tree",
    "view_traceback",
    "view_state",
    "view_audit",
    "restart_actor",
    "stop_actor",
    "start_actor",
    "suspend_actor",
    "reset_budget",
    "disconnect_connection",
    "disconnect_user",
    "drain_process",
    "trace_actor",
)
"""What a token of INSPECTION_TOKENS, or a member of staff, may be allowed."""
