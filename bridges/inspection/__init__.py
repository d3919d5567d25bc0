"""What can be seen of a running tree, and done to it, as plain data."""

from ._asgi import InspectionApp as InspectionApp
from ._gather import gather as gather
from ._gathered import Answer as Answer
from ._gathered import Gathered as Gathered
from ._health_app import HealthApp as HealthApp
from ._hook import inspected as inspected
from ._identity import ProcessId as ProcessId
from ._inspector import Inspector as Inspector
from ._question import BadQuestion as BadQuestion
from ._wire import BadMessage as BadMessage

__all__ = [
    "Answer",
    "BadMessage",
    "BadQuestion",
    "Gathered",
    "HealthApp",
    "InspectionApp",
    "Inspector",
    "ProcessId",
    "gather",
    "inspected",
]
