# What is due when.

import math

from hypothesis import given
from hypothesis import strategies as st

from greenroom.supervisor._agenda import Agenda

NAMES = st.sampled_from("abc")
TIMES = st.integers(0, 9)


def test_the_earliest_comes_first() -> None:
    """
    What is due is taken in the order of its times, so much at once as is asked for.
    """
    agenda = Agenda()
    for name, time in (("a", 3), ("b", 1), ("c", 2), ("d", 9)):
        agenda.put(name, time)
    assert agenda.next() == 1
    assert agenda.take(3, 2) == ["b", "c"]
    assert agenda.take(3, 2) == ["a"]
    assert (agenda.next(), len(agenda)) == (9, 1)
    assert repr(agenda) == "<Agenda 1 names>"


@given(st.lists(st.one_of(st.tuples(NAMES, TIMES), TIMES), max_size=30))
def test_it_is_as_a_dict_would_be(steps: list[tuple[str, int] | int]) -> None:
    """
    However it is used, each name is due once, at the earliest of the times that it was put for.
    """
    agenda, model = Agenda(), dict[str, int]()
    for step in steps:
        if isinstance(step, int):
            due = sorted(model, key=lambda name: (model[name], name))
            due = [name for name in due if model[name] <= step]
            assert agenda.take(step, 99) == due
            model = {name: time for name, time in model.items() if name not in due}
        else:
            name, time = step
            agenda.put(name, time)
            model[name] = min(time, model.get(name, time))
        assert agenda.next() == min(model.values(), default=math.inf)
