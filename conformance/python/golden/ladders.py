"""The two ladders of poly-market-maker: AMM and bands.

Written from their formulas, without their faults: the market's own tick and minimum size, edge prices that are defined, all own orders
counted, parameters that do not change while they are used.
"""

from dataclasses import dataclass
from decimal import Decimal as D

from common import CENT, ONE, ZERO, Expected, Market, Order, floor_to, round_to

LOT = CENT


class Curve:
    """One token's ladder around a price."""

    def __init__(self, price: D, tick: D, p: dict):
        self.price = price
        self.low = round_to(max(float(price) - p["depth"], p["p_min"]), tick)
        self.high = round_to(min(float(price) + p["depth"], p["p_max"]), tick)
        # Beyond its bounds a token has no ladder, and the other one's stands alone.
        within = p["p_min"] <= float(price) <= p["p_max"]
        self.buys = self._levels(-1, p, tick) if within else []
        self.sells = self._levels(1, p, tick) if within else []

    def _levels(self, way: int, p: dict, tick: D) -> list[D]:
        """From the price outwards; a step finer than the grid is one step of it, and none stands at the price itself."""
        levels, price = [], round_to(float(self.price) + way * p["spread"], tick)
        while self.low <= price <= self.high and 0 < price < 1:
            if price != self.price:
                levels.append(price)
            following = round_to(float(price) + way * p["delta"], tick)
            price = following if (following - price) * way >= tick else price + way * tick
        return levels

    def sell_sizes(self, tokens: D) -> list[D]:
        """Shares at each sell level; the levels of a concentrated-liquidity curve that holds so many tokens."""
        if not self.sells:
            return []
        root, high = self.price.sqrt(), self.high.sqrt()
        liquidity = tokens / (ONE / root - ONE / high)
        reach = [liquidity / high - liquidity / t.sqrt() + tokens for t in self.sells]
        return self._steps(reach)

    def buy_sizes(self, collateral: D) -> list[D]:
        if not self.buys:
            return []
        root, low = self.price.sqrt(), self.low.sqrt()
        liquidity = collateral / (root - low)
        reach = [liquidity * (ONE / t.sqrt() - ONE / root) for t in self.buys]
        return self._steps(reach)

    @staticmethod
    def _steps(reach: list[D]) -> list[D]:
        return [floor_to(now - before, LOT) for before, now in zip([ZERO, *reach], reach)]

    @property
    def phi(self) -> D:
        """Shares of the best bid that one dollar gives."""
        root, low = self.price.sqrt(), self.low.sqrt()
        return (ONE / self.buys[0].sqrt() - ONE / root) / (root - low)


def skewed_mid(market: Market, p: dict) -> D:
    """The mid, moved against the net inventory, on the grid."""
    return round_to(float(market.mid) - float(market.net) * p["inventory_skew"], market.tick)


def split(a: Curve, b: Curve, best_a: D, best_b: D, total: D) -> tuple[D, D]:
    """How the dollars are shared between the tokens' bids: one that has no level gets none."""
    if not a.buys and not b.buys:
        return ZERO, ZERO
    if not a.buys:
        return ZERO, floor_to(total, LOT)
    if not b.buys:
        return floor_to(total, LOT), ZERO
    share = (best_a - best_b + total * b.phi) / (a.phi + b.phi)
    share = min(max(share, ZERO), total)
    return floor_to(share, LOT), floor_to(total - share, LOT)


def amm(market: Market, state: dict, p: dict) -> Expected:
    if trouble := market.trouble(p["max_book_age_ms"]):
        return Expected(trouble)
    price = skewed_mid(market, p)
    a, b = Curve(price, market.tick, p), Curve(1 - price, market.tick, p)
    if not (a.buys or a.sells or b.buys or b.sells):
        return Expected({"outside_zone"})
    sells_a, sells_b = a.sell_sizes(market.held["YES"]), b.sell_sizes(market.held["NO"])
    total = min(D(state["collateral"]), D(str(p["max_collateral"])))
    for_a, for_b = split(a, b, (sells_a or [ZERO])[0], (sells_b or [ZERO])[0], total)
    wanted = []
    for token, curve, sells, dollars in (("YES", a, sells_a, for_a), ("NO", b, sells_b, for_b)):
        wanted += [Order(token, "SELL", t, size) for t, size in zip(curve.sells, sells)]
        wanted += [Order(token, "BUY", t, size) for t, size in zip(curve.buys, curve.buy_sizes(dollars))]
    return by_type(market, wanted, max(D(str(p["min_size"])), market.min_size))


def by_type(market: Market, wanted: list[Order], least: D) -> Expected:
    """The original's comparison of what is wanted with what is open, type by type."""
    kinds = {order.kind(): order.size for order in wanted}
    result = Expected(keep=[], cancel=[], place=[])
    for order in market.orders:
        if order.kind() not in kinds:
            result.cancel.append(order.name)
    for (token, side, price), size in kinds.items():
        open_ones = [o for o in market.orders if o.kind() == (token, side, price)]
        open_size = sum((o.size for o in open_ones), ZERO)
        if open_size > size:
            result.cancel += [o.name for o in open_ones]
            missing = size
        else:
            result.keep += [o.name for o in open_ones]
            missing = size - open_size
        if missing >= least and missing > 0:
            result.place.append(Order(token, side, price, missing))
    return result


def bands(market: Market, state: dict, p: dict) -> Expected:
    if trouble := market.trouble(p["max_book_age_ms"]):
        return Expected(trouble)
    price = skewed_mid(market, p)
    if not 0 < price < 1:
        return Expected({"no_price"})
    least = max(D(str(p["min_size"])), market.min_size)
    targets = {"YES": price, "NO": 1 - price}
    active = [token for token, letter in (("YES", "A"), ("NO", "B")) if letter in p["active_tokens"]]
    result = Expected(keep=[], cancel=[], place=[])
    tables = {token: virtual(p["bands"], targets[token], market.tick) for token in ("YES", "NO")}
    staying = []
    for token in ("YES", "NO"):
        group = [o for o in market.orders if grouped(o, p["vanilla_mode"]) == token]
        gone = cancels(group, targets[token], tables[token] if token in active else [], p["vanilla_mode"])
        result.cancel += [o.name for o in gone]
        staying += [o for o in group if o not in gone]
    result.keep = [o.name for o in market.orders if o in staying]
    free = D(state["collateral"]) - sum((o.price * o.size for o in staying if o.side == "BUY"), ZERO)
    # A sell that is being cancelled still promises its tokens.
    promised = {t: sum((o.size for o in market.orders if o.token == t and o.side == "SELL"), ZERO) for t in targets}
    tokens = {t: market.held[t] - promised[t] for t in targets}
    for token in active:
        free = top_up(token, targets[token], tables[token], staying, market, p["vanilla_mode"], least, free, tokens, result)
    return result


def grouped(order: Order, vanilla: bool) -> str:
    """The token whose exposure an order adds to, in the original's grouping."""
    if order.side == "BUY" or vanilla:
        return order.token
    return "NO" if order.token == "YES" else "YES"


@dataclass
class Zone:
    """A band around a price, on the grid."""

    near: D
    far: D
    buy: D
    least: D
    average: D
    most: D

    def holds(self, at: D) -> bool:
        return self.far < at <= self.near


def virtual(table: list[dict], target: D, tick: D) -> list[Zone]:
    """The bands at a price. Beyond the original: what a band places is one step below the price at least, and in the band."""
    made = []
    for band in table:
        below = lambda margin: round_to(float(target) - margin, tick)
        if target <= tick or below(band["minMargin"]) <= 0:
            continue
        buy = max(min(below(band["avgMargin"]), target - tick), tick)
        amounts = [D(str(band[key])) for key in ("minAmount", "avgAmount", "maxAmount")]
        made.append(Zone(max(below(band["minMargin"]), buy), min(below(band["maxMargin"]), buy - tick), buy, *amounts))
    return made


def equivalent(order: Order, target: D, vanilla: bool) -> D:
    if order.side == "BUY":
        return order.price
    return 2 * target - order.price if vanilla else 1 - order.price


def inside(order: Order, zone: Zone, target: D, vanilla: bool) -> bool:
    return zone.holds(equivalent(order, target, vanilla))


def cancels(group: list[Order], target: D, table: list[Zone], vanilla: bool) -> list[Order]:
    """What goes: orders in no band, and what is too much in each. Where the grid puts two bands on one price, an order of which the first has
    too much may be in the second."""
    staying = []
    distance = lambda o: abs(equivalent(o, target, vanilla) - target)
    for number, band in enumerate(table):
        members = [o for o in group if inside(o, band, target, vanilla) and o not in staying]
        if number == 0:
            members.sort(key=distance, reverse=True)
        elif number == len(table) - 1:
            members.sort(key=distance)
        else:
            members.sort(key=lambda o: o.size)
        while sum((o.size for o in members), ZERO) > band.most:
            members.pop()
        staying += members
    return [o for o in group if o not in staying]


def top_up(token, target, table, staying, market, vanilla, least, free, tokens, result) -> D:
    other = "NO" if token == "YES" else "YES"
    sold = token if vanilla else other
    group = [o for o in staying if grouped(o, vanilla) == token]
    for band in table:
        have = sum((o.size for o in group if inside(o, band, target, vanilla)), ZERO)
        if have >= band.least:
            continue
        buy_price = band.buy
        sell_price = 2 * target - buy_price if vanilla else 1 - buy_price
        size = floor_to(min(band.average - have, tokens[sold]), LOT)
        if size >= least and size > 0 and 0 < sell_price < 1:
            result.place.append(Order(sold, "SELL", sell_price, size))
            tokens[sold] -= size
            have += size
        if have < band.average and 0 < buy_price < 1:
            size = floor_to(min(band.average - have, free / buy_price), LOT)
            if size >= least and size > 0:
                result.place.append(Order(token, "BUY", buy_price, size))
                free -= size * buy_price
    return free
