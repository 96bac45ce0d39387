"""The two arbitrages: both tokens of one market, and every outcome of an event."""

from decimal import Decimal as D

from common import CENT, ZERO, Expected, Market, Order, fee_per_share, floor_to


def sets(legs: list[list], rates: list[D], pays: D, margin: D, share: D, budget: D) -> tuple[D, list[D], D]:
    """How many complete sets leave the margin, level by level: their number, each leg's worst price, and what they cost, fees included.

    `legs` are the offers of each leg, best first; `share` of each level is counted on.
    """
    at, used = [0] * len(legs), [ZERO] * len(legs)
    total, worst, spent = ZERO, [ZERO] * len(legs), ZERO
    while all(i < len(leg) for i, leg in zip(at, legs)):
        now = [leg[i] for i, leg in zip(at, legs)]
        each = sum((price + fee_per_share(rate, price) for (price, _), rate in zip(now, rates)), ZERO)
        if pays - each < margin:
            break
        room = min(floor_to(size * share, CENT) - done for (_, size), done in zip(now, used))
        take = min(room, (budget - spent) / each)
        total, spent = total + take, spent + take * each
        worst = [price for price, _ in now]
        if take < room:
            break
        used = [done + take for done in used]
        for i, (_, size) in enumerate(now):
            if used[i] >= floor_to(size * share, CENT):
                at[i], used[i] = at[i] + 1, ZERO
    return total, worst, spent


def multi(markets: list[Market], state: dict, p: dict) -> Expected:
    """Every YES, where the named outcomes are all that there are, or every NO: whichever leaves more."""
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
    budget = min(D(p["max_basket_usdc"]), D(p["max_total_usdc"]) - held, D(state["collateral"]) * D(str(p["balance_share"])))
    found = []
    none = {"no_edge"} | ({"no_book"} if any(not m.bids or not m.asks for m in markets) else set())
    if p["outcomes"] not in (0, len(markets)):
        none.add("incomplete_set")
    forms = [("NO", D(len(markets) - 1))]
    if p["outcomes"] == len(markets):
        forms.append(("YES", D(1)))
    for token, pays in forms:
        legs = [m.levels(token, "BUY") for m in markets]
        dear = [[level for level in leg if level[0] <= D(str(p["max_leg_price"]))] for leg in legs]
        rates = [m.rate or ZERO for m in markets]
        total, worst, spent = sets(dear, rates, pays, D(str(p["margin"])), D(str(p["depth_share"])), max(budget, ZERO))
        size = floor_to(total, CENT)
        if any(len(now) < len(leg) and now[:1] != leg[:1] for now, leg in zip(dear, legs)):
            none |= {"outside_zone"}
        elif total and size < max(m.min_size for m in markets):
            none |= {"thin_book"}
        elif size > 0:
            found.append((total * pays - spent, [Order(token, "BUY", price, size, m.raw["slug"]) for m, price in zip(markets, worst)]))
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
        legs = [market.levels(token, "BUY") for token in ("YES", "NO")]
        most = min(D(p["max_order_usdc"]), D(p["max_total_usdc"]) - cost, D(state["collateral"]))
        share, margin = D(str(p["depth_share"])), D(str(p["taker_margin"]))
        total, worst, _ = sets(legs, [market.rate] * 2, D(1), margin, share, max(most, ZERO))
        size = floor_to(total, CENT)
        if size >= market.min_size and size > 0:
            taken = [Order(token, "BUY", price, size) for token, price in zip(("YES", "NO"), worst)]
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
