"""Which runs of journeys an event begins and stops, and what begins one. Pure."""

from __future__ import annotations

from typing import Final

from chalicelib.channels.publication import Publication
from chalicelib.errors import FieldError, InvalidEvent
from chalicelib.events.event import Event
from chalicelib.rules.journeys import journey_key
from chalicelib.rules.routing import Decision, Routing
from chalicelib.store.run import RunKey, bounded

CHANNEL: Final = "journey"
START: Final = "start:"
"""How the ledger's name of a journey's start begins; that of the journey follows."""
# Why a step sends nothing, as the ledger has it.
ENDED: Final = "journey-ended"


def stopped_by(event: Event, decision: Decision, routing: Routing) -> tuple[RunKey, ...]:
    """The runs that are over because of an event; of a journey whose key it does not have there is none."""
    found = ((name, journey_key(routing.journeys[name].key, event)) for name in decision.stops)
    return tuple((name, bounded(key)) for name, key in found if key)


def started_by(
    event: Event, tag: str, decision: Decision, routing: Routing
) -> dict[str, Publication]:
    """What begins the journeys that an event starts, by the ledger's names; `tag` stands for the event.

    Raises
    ------
    InvalidEvent : it lacks the key by which a journey's runs are told apart.
    """
    found: dict[str, Publication] = {}
    errors: list[FieldError] = []
    for name in decision.starts:
        path = routing.journeys[name].key
        key = journey_key(path, event)
        if not key and path != "id":  # it gets one when it is accepted
            problem = f"is required, a text or a number: by it the journey {name} knows its runs"
            errors.append(FieldError(path, problem))
        begun = {"id": event.id, "source": event.source, "type": event.type}
        begun |= {"key": bounded(key), "tag": tag}
        begun |= {"recipient": event.recipient} if event.recipient else {}
        text = event.to_json()
        found[START + name] = Publication(CHANNEL, name, None, text, begun, structured=False)
    if errors:
        raise InvalidEvent("no-journey-key", errors)
    return found
