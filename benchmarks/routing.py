"""What routing an event costs as the rules grow: our index, our matcher on every rule, and moto's.

    python benchmarks/routing.py [--rules 10 100 1000 10000] [--events 200] [--seed 1]

All three get the same rules and events in one run, and must find the same rules. Times are the
fastest of the rounds, in microseconds per event.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from moto.events.models import EventPattern

from chalicelib.rules.patterns import compile_pattern
from chalicelib.rules.patterns.rule_index import RuleIndex

TYPES = [
    "order.placed",
    "order.shipped",
    "order.delivered",
    "order.cancelled",
    "payment.confirmed",
    "payment.failed",
    "cart.abandoned",
    "offer.published",
    "promotion.started",
    "reminder.due",
    "critical.alert",
    "update.announced",
]
COUNTRIES = ["ES", "PT", "FR", "IT", "DE", "MX", "AR", "CO", "CL", "PE"]
ROUNDS = 3

Event = dict[str, Any]
Route = Callable[[Event], list[int]]


def a_rule(draw: random.Random, rules: int) -> dict[str, Any]:
    """One rule of a shop's mix: most are about one customer, product, warehouse or campaign."""
    type_ = draw.choice(TYPES)
    kind = draw.random()
    if kind < 0.30:
        return {"type": [type_], "data": {"customer": {"id": [f"c-{draw.randrange(rules)}"]}}}
    if kind < 0.55:
        skus = [f"sku-{draw.randrange(rules)}" for _ in range(draw.randint(1, 4))]
        return {"type": [type_], "data": {"order": {"sku": skus}}}
    if kind < 0.70:
        return {
            "data": {
                "campaign": [{"prefix": f"camp-{draw.randrange(rules):05}-"}],
                "country": draw.sample(COUNTRIES, 2),
            }
        }
    if kind < 0.80:
        return {"source": [f"warehouse-{draw.randrange(1 + rules // 10)}"], "type": [type_]}
    if kind < 0.90:
        return {
            "subject": [{"wildcard": f"store/{draw.randrange(rules)}/*"}],
            "data": {"order": {"status": [{"anything-but": ["test", "draft"]}]}},
        }
    if kind < 0.95:
        return {
            "type": [type_],
            "$or": [
                {"data": {"customer": {"id": [f"c-{draw.randrange(rules)}"]}}},
                {
                    "data": {
                        "customer": {"email": [{"suffix": f"@firm-{draw.randrange(rules)}.es"}]}
                    }
                },
            ],
        }
    if kind < 0.99:
        low = draw.randrange(5_000)
        return {
            "type": [type_],
            "data": {
                "order": {"total": [{"numeric": [">=", low, "<", low + 50]}]},
                "country": [draw.choice(COUNTRIES)],
            },
        }
    return {
        "data": {"customer": {"vip": [True], "ip": [{"cidr": f"10.{draw.randrange(256)}.0.0/16"}]}}
    }


def an_event(draw: random.Random, rules: int) -> Event:
    return {
        "id": str(draw.random()),
        "source": f"warehouse-{draw.randrange(1 + rules // 10)}",
        "type": draw.choice(TYPES),
        "subject": f"store/{draw.randrange(rules)}/till-3",
        "recipient": "ana@example.com",
        "data": {
            "country": draw.choice(COUNTRIES),
            "campaign": f"camp-{draw.randrange(rules):05}-spring",
            "customer": {
                "id": f"c-{draw.randrange(rules)}",
                "email": f"ana@firm-{draw.randrange(rules)}.es",
                "vip": draw.random() < 0.1,
                "ip": f"10.{draw.randrange(256)}.1.2",
            },
            "order": {
                "id": "A-1",
                "total": draw.randrange(500_000) / 100,
                "status": "paid",
                "sku": [f"sku-{draw.randrange(rules)}" for _ in range(draw.randint(1, 5))],
            },
        },
    }


def microseconds(route: Route, events: list[Event]) -> float:
    def once() -> float:
        started = time.perf_counter()
        for event in events:
            route(event)
        return time.perf_counter() - started

    return min(once() for _ in range(ROUNDS)) / len(events) * 1e6


def linear(matchers: list[Callable[[Event], bool]]) -> Route:
    return lambda event: [number for number, matches in enumerate(matchers) if matches(event)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rules", type=int, nargs="+", default=[10, 100, 1_000, 10_000])
    parser.add_argument("--events", type=int, default=200, help="events a size (fewer for moto)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("          µs per event                      times as long as the index   per event")
    print("  rules     index    linear        moto        linear        moto        matched  tried")
    first: tuple[int, float] | None = None
    for rules in options.rules:
        draw = random.Random(options.seed)
        sources = [a_rule(draw, rules) for _ in range(rules)]
        events = [an_event(draw, rules) for _ in range(options.events)]
        patterns = [compile_pattern(source) for source in sources]
        index = RuleIndex(patterns)
        ours = linear([pattern.matches for pattern in patterns])
        moto = linear([EventPattern.load(json.dumps(s)).matches_event for s in sources])
        # moto copies an event for every rule: what takes it seconds a hundred times needs no repeats.
        few = events[: max(2, min(len(events), 20_000 // rules))]
        for event in few:
            assert index.match(event) == ours(event) == moto(event), event
        matched = sum(len(index.match(event)) for event in events) / len(events)
        tried = sum(len(index.candidates(event)) for event in events) / len(events)
        by_index = microseconds(index.match, events)
        by_linear = microseconds(ours, events[: max(2, min(len(events), 200_000 // rules))])
        by_moto = microseconds(moto, few)
        print(
            f"{rules:7,}{by_index:10.1f}{by_linear:10.1f}{by_moto:12.1f}"
            f"{by_linear / by_index:14.1f}{by_moto / by_index:12.1f}{matched:15.2f}{tried:7.1f}"
        )
        first = first or (rules, by_index)
    print(
        f"\nFrom {first[0]:,} to {rules:,} rules ({rules / first[0]:,.0f} times as many) the index"
        f" takes {by_index / first[1]:.1f} times as long."
    )


if __name__ == "__main__":
    main()
