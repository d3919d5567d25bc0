# Groups against a model: a dict of lists.

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from greenroom.actors.consumers._frames import Frame
from greenroom.bridges.engines import LocalEngine
from greenroom.supervisor._events import EventStream
from greenroom.supervisor._groups import Groups

NAMES = st.sampled_from(["a", "b", "c"])
NUMBERS = st.integers(0, 4)


class Counter:
    """A member that counts what it gets."""

    def __init__(self, number: int) -> None:
        self.path, self.taken = f"/connections/chat/{number}", 0

    def deliver_frame(self, frame: Frame) -> None:
        self.taken += 1

    def deliver_message(self, message: object) -> None:
        self.taken += 1


class GroupsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.engine = LocalEngine()
        self.groups = Groups(self.engine, EventStream())
        self.members = [Counter(number) for number in range(5)]
        self.model: dict[str, list[Counter]] = {}
        self.expected = dict.fromkeys(self.members, 0)

    @rule(name=NAMES, number=NUMBERS)
    def join(self, name: str, number: int) -> None:
        self.groups.join(name, self.members[number])
        joined = self.model.setdefault(name, [])
        if self.members[number] not in joined:
            joined.append(self.members[number])

    @rule(name=NAMES, number=NUMBERS)
    def leave(self, name: str, number: int) -> None:
        self.groups.leave(name, self.members[number])
        self._forget(name, self.members[number])

    @rule(number=NUMBERS)
    def leave_all(self, number: int) -> None:
        self.groups.leave_all(self.members[number])
        for name in list(self.model):
            self._forget(name, self.members[number])

    def _forget(self, name: str, member: Counter) -> None:
        joined = self.model.get(name, [])
        if member in joined:
            joined.remove(member)
        if not joined:
            self.model.pop(name, None)

    @rule(name=NAMES, excluded=st.none() | NUMBERS, frame=st.booleans())
    def send(self, name: str, excluded: int | None, frame: bool) -> None:
        exclude = None if excluded is None else self.members[excluded]
        reached = [member for member in self.model.get(name, []) if member is not exclude]
        for member in reached:
            self.expected[member] += 1
        if frame:
            sent = self.groups.send(name, text="x", exclude=exclude)
        else:
            sent = self.groups.send(name, {"type": "x"}, exclude=exclude)

        assert sent == len(reached)

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Names, members, their order, and the engine's subscriptions agree."""
        assert self.groups.names() == {name: len(joined) for name, joined in self.model.items()}
        for name in ("a", "b", "c"):
            assert self.groups.members(name) == tuple(self.model.get(name, []))
        for member in self.members:
            mine = {name for name, joined in self.model.items() if member in joined}
            assert set(self.groups.groups_of(member)) == mine
            assert member.taken == self.expected[member]
        assert self.engine.statistics().subscriptions == len(self.model)


TestGroups = GroupsMachine.TestCase
