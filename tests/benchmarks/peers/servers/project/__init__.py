"""The Django project that Channels and Greenroom serve."""
