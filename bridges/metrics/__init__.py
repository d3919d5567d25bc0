"""What the processes count and measure, in the text that Prometheus reads (extra `metrics`)."""

from ._exposition import ProcessMetrics as ProcessMetrics
from ._exposition import exposition as exposition

__all__ = ["ProcessMetrics", "exposition"]
