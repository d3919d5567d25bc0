# The extra that tracing needs; imported first, for its one clear sentence.

try:
    from opentelemetry import context, propagate, trace
    from opentelemetry.propagators.textmap import Getter
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "opentelemetry":
        raise
    raise ImportError(
        "tracing needs opentelemetry-api: pip install 'greenroom[tracing]'"
    ) from error

__all__ = ["Getter", "context", "propagate", "trace"]
