"""The two makers: quotes skewed against the inventory, and quotes around what a reference price says."""

from decimal import Decimal as D
import math

from common import CENT, ZERO, Expected, Market, Order, cdf, ceil_to, floor_to

SLACK = D("1e-9")
"""A price this far below a grid point is on it: both sides compute with doubles."""


def down(price: float, tick: D) -> D:
    return floor_to(D(price) + SLACK, tick)


def up(price: float, tick: D) -> D:
    return ceil_to(D(price) - SLACK, tick)


def skewed(market: Market, state: dict, p: dict) -> Expected:
    if trouble := market.trouble(p["max_book_age_ms"]):
        return Expected(trouble | ending(market, state, p))
    (bid, bid_size), (ask, ask_size) = market.bids[0], market.asks[0]
    reasons = ending(market, state, p)
    if ask - bid > D(str(p["max_book_spread"])):
        reasons.add("wide_spread")
    # The mid of this strategy is the micro-price.
    micro = float((bid * ask_size + ask * bid_size) / (bid_size + ask_size))
    if not p["min_mid"] <= micro <= p["max_mid"]:
        reasons.add("outside_zone")
    if reasons:
        return Expected(reasons)
    net = float(market.net)
    risk = p["risk_per_share"] * (p["boundary_factor"] if min(micro, 1 - micro) < p["boundary"] else 1)
    caution = p["caution_factor"] if market.raw.get("caution") else 1
    half = p["target_spread"] / 2 * (p["toxic_widening"] if toxic(market, p) else 1) * caution
    half += abs(net) * p["inventory_widening"]
    tick, centre = market.tick, micro - net * risk
    # Never beyond the grid, never at other people's best of the other side; where that leaves no price there is no quote.
    buy = min(max(down(min(centre - half, micro - float(tick)), tick), tick), ask - tick)
    sell = max(min(up(max(centre + half, micro + float(tick)), tick), 1 - tick), bid + tick)
    base, quotes = D(p["base_usdc"]) / D(str(caution)), []
    limit = float(D(p["max_net_shares"]))
    for side, price, growing in (("BUY", buy, net > 0), ("SELL", sell, net < 0)):
        if growing and abs(net) >= limit:
            continue
        if 0 < price < 1:
            size = floor_to(base / price / (2 if growing else 1), CENT)
            quotes.append(Order("YES", side, price, max(size, market.min_size)))
    return Expected(quotes=quotes) if quotes else Expected({"no_price"})


def ending(market: Market, state: dict, p: dict) -> set:
    left = market.seconds_left(state)
    return {"near_expiry"} if left is not None and left < p["stop_before_end_s"] else set()


def toxic(market: Market, p: dict) -> bool:
    """Whether the fills of the last seconds are large and on one side."""
    recent = [f for f in market.raw.get("fills", []) if f["age_ms"] <= p["toxic_window_s"] * 1000]
    bought = sum((D(f["size"]) * D(f["price"]) for f in recent if f["side"] == "BUY"), ZERO)
    sold = sum((D(f["size"]) * D(f["price"]) for f in recent if f["side"] == "SELL"), ZERO)
    total = bought + sold
    return total > D(p["toxic_notional_usdc"]) and max(bought, sold) > total * D(str(p["toxic_one_sided"]))


def fair(reference: dict, now_s: float, basis_sd: float) -> float | None:
    """The chance of Up (quant 3.2 and 3.3); none where the state does not say what it depends on."""
    spot, sigma = float(reference["price"]), reference["sigma"]
    window, start, end = reference["average_s"], reference["start_s"], reference["end_s"]
    tau, extra = end - now_s, spot * basis_sd
    if tau <= 0:
        return None
    strike = reference.get("strike")
    if now_s < start:
        until = start - now_s
        if window == 0 or until >= window:
            return 0.5
        if "strike_mean" not in reference:
            return None
        mean = (window - until) * (spot - float(reference["strike_mean"])) / window
        length = end - start
        variance = until + length - 2 * window / 3 + until**3 / (3 * window**2) - until**2 / window
        return cdf(mean / (spot * sigma * math.sqrt(variance)))
    if strike is None and window > 0:
        strike = reference.get("strike_mean")
    if strike is None:
        return None
    strike = float(strike)
    if window == 0:
        return cdf(math.log(spot / strike) / math.hypot(sigma * math.sqrt(tau), basis_sd))
    if tau >= window:
        mean, sd = spot, spot * sigma * math.sqrt(tau - 2 * window / 3)
    else:
        if "final_mean" not in reference:
            return None
        mean = ((window - tau) * float(reference["final_mean"]) + tau * spot) / window
        sd = spot * sigma * math.sqrt(tau**3 / 3) / window
    return cdf((mean - strike) / math.hypot(sd, extra))


def chance(reference: dict, now_s: float, p: dict, moved: float = 0.0) -> float | None:
    return fair({**reference, "price": float(reference["price"]) * (1 + moved)}, now_s, p["basis_sd"])


def around(fair_price: float, net: float, half: float, u: float, speed: float, tau: float, p: dict) -> tuple[float, float]:
    """Bid and ask before the grid (quant 4.2 to 4.5)."""
    gamma, k, lot = p["gamma"], p["k"], float(p["base_shares"])
    if p["quoting"] == "simple":
        centre = fair_price - p["skew"] * u * half
        return centre - half, centre + half
    if p["quoting"] == "glft":
        xi = gamma * lot / k
        c1 = math.log(1 + xi) / (gamma * lot)
        c2 = math.sqrt(gamma / (2 * p["intensity"] * lot * k) * (1 + xi) ** (1 / xi + 1))
        own, skew = c1 + lot / 2 * speed * c2, speed * c2 * net / lot
        bid, ask = fair_price - own - skew, fair_price + own - skew
    elif p["quoting"] == "log_odds":
        spread = fair_price * (1 - fair_price)
        variance = (speed / spread) ** 2 * tau
        centre = math.log(fair_price / (1 - fair_price)) - net * spread / 0.25 * gamma * variance
        own = (gamma * variance + 2 / gamma * math.log(1 + gamma / k)) / 2
        bid, ask = 1 / (1 + math.exp(-(centre - own))), 1 / (1 + math.exp(-(centre + own)))
    else:
        worth = lambda q: fair_price * math.exp(-gamma * q) + 1 - fair_price
        bid = -math.log(worth(net + lot) / worth(net)) / (gamma * lot)
        ask = math.log(worth(net - lot) / worth(net)) / (gamma * lot)
    # The model says where and how wide at least; how fast we react says how wide, too.
    centre, half = (bid + ask) / 2, max(half, (ask - bid) / 2)
    return centre - half, centre + half


def reference(market: Market, state: dict, p: dict) -> Expected:
    """Quotes around fair value (quant 3 and 4.5), wider and smaller near the end."""
    stated, now_s = market.raw.get("reference"), state["time_ms"] / 1000
    if stated is None:
        return Expected({"settlement_unknown"})
    if trouble := market.trouble(p["max_book_age_ms"]):
        return Expected(trouble | ({"near_expiry"} if stated["end_s"] <= now_s else set()))
    tau, reasons = stated["end_s"] - now_s, set()
    if tau < max(p["stop_s"], 1e-9):
        reasons.add("near_expiry")
    if stated.get("age_ms", 0) > p["max_reference_age_ms"]:
        reasons.add("reference_stale")
    if stated.get("shock", 0) >= p["shock_z"]:
        reasons.add("shock")
    model = chance(stated, now_s, p)
    if model is None:
        reasons.add("reference_stale")
    if reasons:
        return Expected(reasons)
    step = 1e-5
    risen, fallen = chance(stated, now_s, p, step), chance(stated, now_s, p, -step)
    speed = abs(risen - fallen) / (2 * step) * stated["sigma"]
    (bid, bid_size), (ask, ask_size) = market.bids[0], market.asks[0]
    micro = float((bid * ask_size + ask * bid_size) / (bid_size + ask_size))
    logit = lambda x: math.log(x / (1 - x))
    within = lambda x: min(max(x, 0.005), 0.995)
    mixed = p["model_weight"] * logit(within(model)) + (1 - p["model_weight"]) * logit(within(micro))
    value = 1 / (1 + math.exp(-mixed))
    careful = bool(market.raw.get("caution")) or tau < p["near_s"]
    factor = p["near_factor"] if careful else 1
    half = max(p["half_min"], p["reaction"] * speed * math.sqrt(p["react_s"]), float(market.tick)) * factor
    if half > p["half_max"]:
        return Expected({"too_fast"})
    net = float(market.net)
    most = float(p["max_shares"]) * min(1, math.sqrt(tau / p["full_size_s"]))
    u = min(max(net / most, -1), 1)
    lower, higher = around(value, net, half, u, speed, tau, p)
    buy = min(down(lower, market.tick), ask - market.tick)
    sell = max(up(higher, market.tick), bid + market.tick)
    flatten, quotes = tau < p["flatten_s"], []
    for side, at, grows in (("BUY", buy, u), ("SELL", sell, -u)):
        if (flatten and grows >= 0) or grows >= 1 or not 0 < at < 1:
            continue
        wanted = float(p["base_shares"]) * (1 - grows) / factor
        size = floor_to(D(min(wanted, abs(net)) if flatten else wanted) + SLACK, CENT)
        if size >= market.min_size:
            quotes.append(Order("YES", side, at, size))
    if not quotes:
        return Expected({"below_min_size", "inventory_limit", "no_price"})
    return Expected(quotes=quotes, figures={"fair": value, "model": model, "half_spread": half})
