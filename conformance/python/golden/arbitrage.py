"""The two arbitrages: both tokens of one market, and every outcome of an event."""

from dataclasses import dataclass
from decimal import Decimal as D

from common import CENT, ZERO, Expected, Market, Order, fee_per_share, floor_to


@dataclass
class Leg:
    """Offers of one token, best first; `sold` if nothing is paid for it now, because the other token is sold in the end."""

    offers: list
    rate: D
    sold: bool = False


@dataclass
class Sets:
    """Complete sets: how many, each leg's worst price, what they cost, and what of it is paid at once; fees included."""

    size: D
    worst: list
    cost: D
    paid: D


def sets(legs: list[Leg], pays: D, margin: D, share: D, budget: D) -> Sets:
    """As many sets as leave the margin, level by level, for a budget; `share` of each level is counted on."""
    shown = [[(price, floor_to(size * share, CENT)) for price, size in leg.offers] for leg in legs]
    shown = [[level for level in levels if level[1] > 0] for levels in shown]
    at, used = [0] * len(legs), [ZERO] * len(legs)
    found = Sets(ZERO, [ZERO] * len(legs), ZERO, ZERO)
    while all(i < len(levels) for i, levels in zip(at, shown)):
        now = [levels[i] for i, levels in zip(at, shown)]
        prices = [price + fee_per_share(leg.rate, price) for (price, _), leg in zip(now, legs)]
        each, paid = sum(prices, ZERO), sum((price for price, leg in zip(prices, legs) if not leg.sold), ZERO)
        if pays - each < margin:
            break
        room = min(size - done for (_, size), done in zip(now, used))
        take = min(room, (budget - found.paid) / paid)
        found = Sets(found.size + take, [price for price, _ in now], found.cost + take * each, found.paid + take * paid)
        if take < room:
            break
        used = [done + take for done in used]
        for i, (_, size) in enumerate(now):
            if used[i] >= size:
                at[i], used[i] = at[i] + 1, ZERO
    return found


def multi(markets: list[Market], state: dict, p: dict) -> Expected:
    """Every YES, every NO, or some NO that are converted into YES of the others: the form with more profit per dollar paid."""
    reasons = set()
    for market in markets:
        if "book" not in market.raw or market.raw.get("book_age_ms", 0) > p["max_book_age_ms"]:
            reasons.add("stale_book")
        left = market.seconds_left(state)
        if left is not None and left < p["stop_before_end_s"]:
            reasons.add("near_expiry")
        if market.rate is None:
            reasons.add("fee_unknown")
        if market.raw.get("caution"):
            reasons.add("caution")
    held = sum((sum(m.cost.values(), ZERO) for m in markets), ZERO)
    free = D(state["collateral"]) * D(str(p["balance_share"]))
    budget = max(min(D(p["max_basket_usdc"]), D(p["max_total_usdc"]) - held, free), ZERO)
    whole, none, found = p["outcomes"] == len(markets), {"no_edge"}, []
    if any(not m.bids or not m.asks for m in markets):
        none.add("no_book")
    if not whole and p["outcomes"]:
        none.add("incomplete_set")

    def tried(token: str, pays: int, bought: list[int], margin: D) -> bool:
        """Whether a form pays: the token of the markets that are bought, the other one sold in the rest."""
        legs = [Leg(m.levels(token, "BUY"), m.rate or ZERO, i not in bought) for i, m in enumerate(markets)]
        if any(not leg.offers for leg in legs):
            return False
        if any(not leg.sold and leg.offers[0][0] > D(str(p["max_leg_price"])) for leg in legs):
            none.add("outside_zone")
            return False
        got = sets(legs, D(pays), margin, D(str(p["depth_share"])), budget)
        size = floor_to(got.size, CENT)
        if 0 < size < max(m.min_size for m in markets):
            none.add("thin_book")
        elif size > 0:
            if len(bought) < len(markets) and not state.get("converts"):
                none.add("no_conversion")
                return True
            orders = [Order(token, "BUY", got.worst[i], size, markets[i].raw["slug"]) for i in bought]
            found.append(((got.size * pays - got.cost) / got.paid, orders))
            return True
        return False

    everything, margin = list(range(len(markets))), D(str(p["margin"]))
    if not tried("NO", len(markets) - 1, everything, margin) and whole and all(m.bids for m in markets):
        # The cheapest first, and as many as possible; one alone brings no dollars back.
        cheapest = sorted(everything, key=lambda i: markets[i].levels("NO", "BUY")[0][0])
        extra = margin + D(str(p.get("convert_margin", 0)))
        for count in range(len(markets) - 1, 1, -1):
            if "convert_margin" in p and tried("NO", len(markets) - 1, cheapest[:count], extra):
                break
    if whole:
        tried("YES", 1, everything, margin)
    if not found:
        reasons |= none
    if reasons:
        return Expected(reasons)
    return Expected(taking=max(found, key=lambda f: f[0])[1])


def pair(market: Market, state: dict, p: dict) -> Expected:
    """Both tokens for less than a dollar: taken where the book crosses, else bid for; and a leg that lags is mended."""
    reasons = set()
    if market.rate is None:
        reasons.add("fee_unknown")
    if "book" not in market.raw or market.raw.get("book_age_ms", 0) > p["max_book_age_ms"]:
        reasons.add("stale_book")
    if reasons:
        return Expected(reasons)
    left = market.seconds_left(state)
    ends = left is not None and left < p["stop_before_end_s"]
    careful = bool(market.raw.get("caution"))
    cost = sum(market.cost.values(), ZERO)
    sure = {"guaranteed": float(min(market.held.values()) - cost)}
    if not careful and (mending := mend(market, state, p)):
        return Expected(taking=[mending], figures=sure)
    if not careful and not ends:
        legs = [Leg(market.levels(token, "BUY"), market.rate) for token in ("YES", "NO")]
        most = min(D(p["max_order_usdc"]), D(p["max_total_usdc"]) - cost, D(state["collateral"]))
        share, margin = D(str(p["depth_share"])), D(str(p["taker_margin"]))
        got = sets(legs, D(1), margin, share, max(most, ZERO))
        size = floor_to(got.size, CENT)
        if size >= market.min_size and size > 0:
            taken = [Order(token, "BUY", price, size) for token, price in zip(("YES", "NO"), got.worst)]
            return Expected(taking=taken, figures=sure)
    if ends:
        return Expected({"near_expiry"})
    if not market.bids or not market.asks or market.bids[0][0] >= market.asks[0][0]:
        return Expected({"no_book", "book_not_trusted"})
    return bids(market, state, p, cost)


def bids(market: Market, state: dict, p: dict, cost: D) -> Expected:
    """At the best bids of both tokens, the dearer one lower where they come to too much together."""
    prices = {"YES": market.bids[0][0], "NO": 1 - market.asks[0][0]}
    dearer = "NO" if prices["NO"] > prices["YES"] else "YES"
    while prices["YES"] + prices["NO"] > 1 - D(str(p["maker_margin"])):
        prices[dearer] -= market.tick
    budget = min(D(p["max_total_usdc"]) - cost, D(state["collateral"]))
    quotes = []
    for token, other in (("YES", "NO"), ("NO", "YES")):
        ahead, paid_more = market.held[token] - market.held[other], market.cost[token] - market.cost[other]
        if ahead >= D(p["max_imbalance_shares"]) or paid_more >= D(p["max_imbalance_usdc"]) or not 0 < prices[token] < 1:
            continue
        size = min(D(p["step_usdc"]), budget / 2) / prices[token]
        size = floor_to(min(size, D(p["max_imbalance_shares"]) - ahead), CENT)
        if size >= market.min_size:
            quotes.append(Order(token, "BUY", prices[token], size))
    sure = {"guaranteed": float(min(market.held.values()) - cost)}
    return Expected(quotes=quotes, figures=sure) if quotes else Expected({"below_min_size", "inventory_limit", "no_price"})


def mend(market: Market, state: dict, p: dict) -> Order | None:
    """The leg that lags: bought, or the leading one sold, or left, by what each is worth per share (quant 8)."""
    ahead = market.net
    missing = floor_to(abs(ahead), CENT)
    if missing < market.min_size or missing < D(p["rebalance_shares"]):
        return None
    leading, lagging = ("YES", "NO") if ahead > 0 else ("NO", "YES")
    paid = market.cost[leading] / market.held[leading]
    bought = sweep(market.levels(lagging, "BUY"), missing, market.rate)
    sold = sweep(market.levels(leading, "SELL"), missing, -market.rate)
    offers = market.levels(leading, "BUY")
    takers = market.levels(leading, "SELL")
    # Nobody knows the middle of a book that is one-sided or crossed; both legs of a crossed one can be had.
    if not offers or not takers or takers[0][0] >= offers[0][0]:
        return None
    hold = (offers[0][0] + takers[0][0]) / 2 - paid - D(str(p["naked_risk"]))
    hedge = None if bought is None else 1 - paid - bought[0]
    unwind = None if sold is None else sold[0] - paid
    if bought and missing * bought[1] > min(D(p["max_order_usdc"]), D(state["collateral"])):
        hedge = None
    # Both tokens' books are mirrors: hedging and unwinding are worth the same, and hedging is the first choice.
    best = max(value for value in (hedge, unwind, hold) if value is not None)
    if hedge is not None and hedge >= best - D("1e-9"):
        return Order(lagging, "BUY", bought[1], missing)
    if unwind is not None and unwind >= best - D("1e-9"):
        return Order(leading, "SELL", sold[1], missing)
    return None


def sweep(levels: list, size: D, rate: D) -> tuple[D, D] | None:
    """Average price, fees of each level included (a negative rate takes them off), and the worst price; none if there is too little."""
    left, paid, worst = size, ZERO, ZERO
    for price, shown in levels:
        part = min(left, shown)
        paid, left, worst = paid + part * (price + fee_per_share(rate, price)), left - part, price
        if left == 0:
            return paid / size, worst
    return None
