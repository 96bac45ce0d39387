"""The two takers of one side: on a book that leans, and on a match that is known."""

from decimal import Decimal as D

from common import CENT, ZERO, Expected, Market, Order, fee_per_share, floor_to


def lean(bids: list, asks: list, depth: int) -> D:
    """(bids - asks) / (bids + asks) over the best levels; 0 where there is nothing."""
    bought = sum((size for _, size in bids[:depth]), ZERO)
    offered = sum((size for _, size in asks[:depth]), ZERO)
    return (bought - offered) / (bought + offered) if bought + offered else ZERO


def leave(market: Market, p: dict) -> Order | None:
    """The sale of a position whose profit is reached: what is bid for it against what was paid. One side of the book is enough."""
    if market.trouble(p["max_book_age_ms"]) not in (None, {"no_book"}):
        return None
    for token, held in market.held.items():
        size, bids = floor_to(held, CENT), market.levels(token, "SELL")
        bid = bids[0][0] if bids else ZERO
        aim = float(market.cost[token]) / float(held) * (1 + p["take_profit"]) if held else 0.0
        if p["take_profit"] > 0 and size >= market.min_size and size > 0 and float(bid) >= aim:
            return Order(token, "SELL", bid, size)
    return None


def imbalance(market: Market, state: dict, p: dict) -> Expected:
    if sale := leave(market, p):
        return Expected(taking=[sale])
    left = market.seconds_left(state)
    reasons = set()
    if left is None or not p["min_seconds_left"] <= left <= p["max_seconds_left"]:
        reasons |= {"near_expiry", "outside_zone"}
    if market.raw.get("caution"):
        reasons.add("caution")
    if trouble := market.trouble(p["max_book_age_ms"]):
        return Expected(reasons | trouble)
    bids, asks = market.bids, market.asks
    signal = lean(bids, asks, p["depth"])
    if abs(signal) < D(str(p["threshold"])):
        reasons.add("weak_signal")
    (bid, _), (ask, _) = bids[0], asks[0]
    if not D(str(p["min_mid"])) <= (bid + ask) / 2 <= D(str(p["max_mid"])):
        reasons.add("outside_zone")
    if ask - bid > D(str(p["max_spread"])):
        reasons.add("wide_spread")
    if any(market.held.values()):
        reasons |= {"already_held", "max_positions"}
    token = "YES" if signal > 0 else "NO"
    price = ask if token == "YES" else 1 - bid
    if market.rate is None:
        reasons.add("fee_unknown")
    elif market.rate * (1 - price) > D(str(p["max_fee"])):
        reasons.add("no_edge")
    free = D(state["collateral"])
    size = floor_to(min(D(p["size_usdc"]), free) / price, CENT)
    if size < market.min_size and p["raise_to_minimum"]:
        size = market.min_size
    if size < market.min_size or size * price > free:
        reasons.add("below_min_size")
    if size > (asks if token == "YES" else bids)[0][1]:
        reasons.add("thin_book")
    if reasons:
        return Expected(reasons)
    return Expected(taking=[Order(token, "BUY", price, size)], figures={"imbalance": float(signal)})


def temporal(market: Market, state: dict, p: dict) -> Expected:
    if not p["enabled"]:
        return Expected({"disabled"})
    truth = market.raw.get("truth")
    if truth is None:
        return Expected({"truth_unknown"})
    reasons = set()
    if truth.get("heard_age_ms", 0) > p["max_truth_age_ms"]:
        reasons.add("truth_stale")
    if truth["event_age_ms"] > min(p["signal_ttl_ms"], p["cold_window_ms"]):
        reasons.add("too_late")
    if truth["confidence"] < p["min_confidence"]:
        reasons.add("weak_signal")
    if not clear(market.raw["question"], truth["rules"]):
        reasons.add("rules_unclear")
    if market.rate is None:
        reasons.add("fee_unknown")
    if market.raw.get("caution"):
        reasons.add("caution")
    chance = truth["probability"]
    token, chance = ("YES", chance) if chance > 0.5 else ("NO", 1 - chance)
    if trouble := market.trouble(p["max_book_age_ms"]):
        return Expected(reasons | trouble)
    bids, asks = market.bids, market.asks
    offers = asks if token == "YES" else [(1 - price, size) for price, size in bids]
    price, shown = offers[0]
    if price > D(str(p["max_price"])):
        reasons |= {"no_edge", "outside_zone"}
    rate = market.rate or ZERO
    cost = float(price + fee_per_share(rate, price))
    if chance - cost - p["void_risk"] < p["min_edge"] - 1e-12:
        reasons.add("no_edge")
    stake = min((chance - cost) / (1 - cost) * p["kelly"] * float(p["bankroll_usdc"]), float(p["max_stake_usdc"]))
    stake = min(stake, float(p["max_exposure_usdc"]) - float(sum(market.cost.values())), float(state["collateral"]))
    size = floor_to(min(D(stake / cost), shown), CENT)
    if stake < float(p["min_stake_usdc"]):
        reasons.add("inventory_limit")
    if size < market.min_size:
        reasons.add("thin_book")
    if reasons:
        return Expected(reasons)
    full = (chance - cost) / (1 - cost)
    return Expected(taking=[Order(token, "BUY", price, size)], figures={"chance": chance, "cost": cost, "kelly": full})


def clear(question: str, rules: str) -> bool:
    """Whether the text says what decides the market, leaves it to nobody, and says what a void match means if it speaks of one."""
    text = f"{question} {rules}".lower()
    speaks = lambda *words: any(word in text for word in words)
    return speaks("win") and not speaks("sole discretion") and (not speaks("cancel", "void") or speaks("50-50"))
