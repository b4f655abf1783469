"""Events travel as JSON lines and come back as they were."""

import json

import pytest

from trainer.events import Event, Failed, Finished, Progress, Saved, Started, StateSaved, Stopped

EVENTS = [
    Started("7", 80, 0, {"dim": 16, "learning_rate": None}, "CPU"),
    Progress("7", 3, 80, 12, 0.1234567890123, 1e-4, 0.5),
    Progress("7", 3, 80, 12, 0.5, None, 0.5),
    Saved("7", "zwx-000001.safetensors", 8, 30, 1.0, "ab" * 32, 1000, 192, {"error": 1e-4}, False),
    Saved("7", "zwx.safetensors", 8, 30, 1.0, "ab" * 32, 1000, 192, {}, True, 9.5, 1 << 30, 0.1, None, {"all": 0.02}),
    StateSaved("7", 8),
    Finished("7", 80, 9.5),
    Stopped("7", 8, "cancelled"),
    Failed("7", "diverged", {"update": 9, "what": "loss"}, 9),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_an_event_survives_json(event):
    assert Event.from_dict(json.loads(json.dumps(event.to_dict()))) == event


def test_an_unknown_event_is_refused_by_name():
    with pytest.raises(ValueError, match="no event 'Paused'"):
        Event.from_dict({"event": "Paused", "run": "7"})
