# The facts about a request: limits, refusals.

import pickle

import pytest

from greenroom.bridges.http._request import BadRequest, Limits


@pytest.mark.parametrize("name", ["head_bytes", "target_bytes", "headers"])
@pytest.mark.parametrize("value", [0, -1])
def test_bounded(name: str, value: int) -> None:
    """
    BOUNDED: a limit that is no positive number is refused by name.
    """
    with pytest.raises(ValueError, match=f"{name} must be a positive number. Got: {value}"):
        Limits(**{name: value})


def test_blame() -> None:
    """
    BLAME: a refusal carries its status and sentence, also through pickle.
    """
    error = pickle.loads(pickle.dumps(BadRequest(414, "Too long.")))

    assert (error.status, error.reason, str(error)) == (414, "Too long.", "414: Too long.")
