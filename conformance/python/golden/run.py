"""Oddsmith's strategies against independent models of them, on seeded random situations.

Usage: python3 conformance/python/golden/run.py [--oddsmith PROGRAM] [--seed N] [--states N] [--only STRATEGY] [--show N]

Every situation goes through `oddsmith eval`; what it wants, plans, takes and says why is compared with what the model of the strategy, written
from the formulas alone, says. Prints a line for each strategy and, last, `N agree, M differ`; ends with 1 if any differs.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
from collections import Counter
from decimal import Decimal as D

import arbitrage
import ladders
import makers
import states
import takers
from common import ZERO, Expected, Market, Order, markets

ROOT = pathlib.Path(__file__).resolve().parents[3]
LOT = D("0.01")
MODELS = {
    "amm": ladders.amm,
    "bands": ladders.bands,
    "skewed_maker": makers.skewed,
    "reference_maker": makers.reference,
    "imbalance": takers.imbalance,
    "temporal": takers.temporal,
    "pair": arbitrage.pair,
}
"""Models of strategies that look at one market at a time; `multi` looks at all."""


def defaults(program: str) -> dict:
    listed = subprocess.run([program, "strategies", "--json"], capture_output=True, text=True, check=True)
    return {one["name"]: one["parameters"] for one in map(json.loads, listed.stdout.splitlines())}


def evaluate(program: str, strategy: str, cases: list) -> list:
    """The result of every case, in order: one call."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for number, (config, state) in enumerate(cases):
            stated = states.in_other_words(state) if number % 4 == 3 else state
            file.write(json.dumps({**stated, "parameters": config}) + "\n")
        file.flush()
        command = [program, "eval", "--strategy", strategy, "--state", file.name]
        done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if len(lines) != len(cases):
        raise SystemExit(f"{' '.join(command)}: {len(lines)} results of {len(cases)}: {done.stderr.strip()}")
    return [json.loads(line) for line in lines]


def orders(listed: list) -> list[Order]:
    return [Order(o["outcome"], o["side"], D(o["price"]), D(o["size"])) for o in listed]


def differences(wanted: list[Order], found: list[Order]) -> str | None:
    """What two sets of orders do not have in common. A lot more or less is rounding, and so is what a cent buys: the originals round shares and
    dollars down as doubles."""
    sums = ({}, {})
    for total, listed in zip(sums, (wanted, found)):
        for order in listed:
            total[order.kind()] = total.get(order.kind(), ZERO) + order.size
    told = []
    for kind in sorted(sums[0].keys() | sums[1].keys()):
        a, b = (total.get(kind, ZERO) for total in sums)
        if abs(a - b) > LOT + LOT / kind[2]:
            told.append(f"{kind[1]} {kind[0]} @{kind[2]}: {a} by the model, {b} by Oddsmith")
    return "; ".join(told[:4]) or None


def of_market(market: Market, expected: Expected, ours: dict) -> str | None:
    """What differs in one market, if anything."""
    plan = ours["plan"]
    if expected.reason:
        if ours["mode"] != "STOP" or not expected.reason & set(ours["reasons"]):
            return f"one of {sorted(expected.reason)} by the model, {ours['mode']} {ours['reasons']} by Oddsmith"
        if len(plan["cancel"]) != len(market.orders) or plan["place"] or plan["place_after_cancels"]:
            return "a stop does not cancel everything"
        return None
    for name, value in expected.figures.items():
        if abs(float(ours["figures"].get(name, "nan")) - value) > 2e-6 or name not in ours["figures"]:
            return f"{name} {value:.6f} by the model, {ours['figures']} {ours['reasons']} by Oddsmith"
    if expected.quotes is not None:
        return differences(expected.quotes, orders(ours["quotes"]))
    if expected.place is None:
        return None
    # What rests in the end: an order that is made anew where one like it is cancelled is one that stays.
    wanted = [o for o in market.orders if o.name in expected.keep] + expected.place
    found = [o for o in market.orders if o.name not in plan["cancel"]]
    return differences(wanted, found + orders(plan["place"]) + orders(plan["place_after_cancels"]))


def of_basket(expected: Expected, ours: dict) -> str | None:
    """What differs in what is taken, if anything."""
    basket = ours["basket"]
    if expected.taking is None:
        return f"Oddsmith takes {basket['legs']}" if basket else None
    if basket is None:
        return f"{[o.kind() for o in expected.taking]} by the model, {ours['markets'][0]['reasons']} by Oddsmith"
    legs = [{**leg, "price": leg["limit"]} for leg in basket["legs"]]
    named = [Order(f"{o.name} {o.token}".strip(), o.side, o.price, o.size) for o in expected.taking]
    slug = lambda leg: f"m{leg['market']} " if expected.taking[0].name else ""
    return differences(named, [Order(slug(leg) + leg["outcome"], leg["side"], D(leg["limit"]), D(leg["size"])) for leg in legs])


def of_state(name: str, state: dict, parameters: dict, ours: dict, seen: Counter) -> str | None:
    if "error" in ours:
        return ours["error"]
    looked_at = markets(state)
    if name == "multi":
        expected = arbitrage.multi(looked_at, state, parameters)
        seen[kind(expected)] += 1
        stops = expected.reason and of_market(looked_at[0], expected, ours["markets"][0])
        return stops or of_basket(expected, ours)
    expected = MODELS[name](looked_at[0], state, parameters)
    seen[kind(expected)] += 1
    return of_market(looked_at[0], expected, ours["markets"][0]) or of_basket(expected, ours)


def kind(expected: Expected) -> str:
    if expected.reason:
        return min(expected.reason)
    return "taking" if expected.taking else "quotes"


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--oddsmith", default=os.environ.get("ODDSMITH_BIN"))
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--states", type=int, default=400)
    arguments.add_argument("--only", choices=[*MODELS, "multi"])
    arguments.add_argument("--show", type=int, default=3)
    asked = arguments.parse_args()
    program = asked.oddsmith
    if program is None:
        subprocess.run(["cargo", "build", "--bin", "oddsmith"], cwd=ROOT, check=True)
        program = str(pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "oddsmith")
    base, agree, differ = defaults(program), 0, 0
    for name in [asked.only] if asked.only else [*MODELS, "multi"]:
        rng = random.Random(f"{asked.seed} {name}")
        cases = [states.make(name, rng) for _ in range(asked.states)]
        seen, told = Counter(), []
        for (config, state), ours in zip(cases, evaluate(program, name, cases)):
            why = of_state(name, state, {**base[name], **config}, ours, seen)
            if why:
                told.append(f"  {why}\n    {json.dumps({**state, 'parameters': config})}")
        agree, differ = agree + len(cases) - len(told), differ + len(told)
        print(f"{name}: {len(cases) - len(told)} agree, {len(told)} differ; {dict(seen.most_common())}")
        print("".join(f"{line}\n" for line in told[: asked.show]), end="")
    print(f"{agree} agree, {differ} differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
