"""What goes wrong between a supervisor and those who ask something of it."""

from ..actors import GreenroomError


class SupervisorGaveUp(GreenroomError):
    """
    A supervisor has spent its restarts, or one of its children has escalated.

    It counts as a crash for its own supervisor (in OTP as an orderly end, which surprises).
    """

    def __init__(self, path: str, child: str, why: str) -> None:
        super().__init__(path, child, why)
        self.path, self.child, self.why = path, child, why

    def __str__(self) -> str:
        return f"{self.path} gave up because of {self.child}: {self.why}"


class SupervisorStopping(GreenroomError):
    """A supervisor that is stopping, or has ended, does nothing for anybody any more."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} is stopping: it takes no requests"


class InvalidState(GreenroomError, RuntimeError):
    """What an operator asked for can't be done in the state that something is in."""

    def __init__(self, path: str, state: str, problem: str) -> None:
        super().__init__(path, state, problem)
        self.path, self.state, self.problem = path, state, problem

    def __str__(self) -> str:
        return f"{self.path} is {self.state}: {self.problem}"


class DescribeFailed(GreenroomError):
    """
    An actor's ``describe()`` raised, or returned no mapping; the actor lives on.

    ``__cause__`` is what it raised.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path} could not describe itself: {self.problem}"


class ChildNotFound(GreenroomError):
    """A supervisor has no child of that name."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__(path, name)
        self.path, self.name = path, name

    def __str__(self) -> str:
        return f"{self.path} has no child named {self.name!r}"


class TooManyChildren(GreenroomError):
    """A dynamic supervisor, or a pool of tasks, has as many children as it may."""

    def __init__(self, path: str, most: int, option: str = "max_children") -> None:
        super().__init__(path, most, option)
        self.path, self.most, self.option = path, most, option

    def __str__(self) -> str:
        return f"{self.path} has {self.most} children, as many as it may ({self.option})"


class AlreadyStarted(GreenroomError):
    """A child of that name runs already, which is left as it is."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} runs already"


class StartsStill(GreenroomError, RuntimeError):
    """An actor asked a supervisor for something that waits for the actor's own start."""

    def __init__(self, actor: str, supervisor: str) -> None:
        super().__init__(actor, supervisor)
        self.actor, self.supervisor = actor, supervisor

    def __str__(self) -> str:
        return (
            f"{self.actor} asked {self.supervisor} for something in started(), while that waits"
            " for started() to return. Ask in after_start()."
        )


class TaskStopped(GreenroomError):
    """A task of a pool was stopped before it was done, and so has no result."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path} was stopped before it was done: {self.reason}"


class TaskTimeout(GreenroomError, TimeoutError):
    """A task of a pool was not done within *seconds*, and is stopped for that."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__(path, seconds)
        self.path, self.seconds = path, seconds

    def __str__(self) -> str:
        return f"{self.path} was not done within {self.seconds:g} s, and is stopped"
