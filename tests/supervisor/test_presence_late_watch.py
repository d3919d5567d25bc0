# Who begins to watch a topic between two tellings, and what the others hear because of it.

from greenroom.actors import Presence, PresenceDiff
from greenroom.supervisor._presence_topic import PresenceTopic

ANN = Presence("ann", {}, 0.0, "/1", "1")
AGAIN = Presence("ann", {}, 9.0, "/2", "2")


def topic_with_ann() -> PresenceTopic:
    """A topic of which everybody has been told that Ann is there."""
    topic = PresenceTopic("room", 5.0)
    topic.put(ANN)
    topic.expire(0)
    assert topic.changes() is not None
    return topic


def test_who_comes_again_and_watches_makes_no_diff() -> None:
    """
    Who comes again within the grace and looks at the list on the way was never away.
    """
    topic = topic_with_ann()
    topic.drop(ANN, at_once=False)
    assert list(topic.shown()) == ["ann"]
    topic.put(AGAIN)
    topic.expire(0)
    assert topic.changes() is None


def test_who_saw_it_gone_is_told_that_it_is_there() -> None:
    """
    Who began to watch while a key was not there hears of it, though others knew it before.
    """
    topic = topic_with_ann()
    topic.drop(ANN, at_once=True)
    assert topic.shown() == {}
    topic.put(AGAIN)
    assert topic.changes() == PresenceDiff("room", changed={"ann": (AGAIN,)})
