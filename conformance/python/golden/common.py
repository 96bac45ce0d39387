"""What all models share: exact numbers, and the situation that a state describes.

Nothing here knows Oddsmith's code. Prices and sizes are `Decimal`; the book is kept in YES terms, as one book of which the other token's
is the mirror.
"""

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal as D, getcontext
import math

getcontext().prec = 40
ZERO, ONE, CENT = D(0), D(1), D("0.01")
TICKS = [D("0.1"), D("0.01"), D("0.001"), D("0.0001")]


def text(number: D) -> str:
    """The shortest decimal string."""
    return f"{number.normalize():f}" if number else "0"


def floor_to(number: D, grid: D) -> D:
    return (number / grid).to_integral_value(ROUND_FLOOR) * grid


def ceil_to(number: D, grid: D) -> D:
    return (number / grid).to_integral_value(ROUND_CEILING) * grid


def round_to(number: float, grid: D) -> D:
    """To the grid as the originals round: `round()` of a float to so many decimals."""
    return D(repr(round(float(number), -grid.normalize().as_tuple().exponent)))


def cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def fee_per_share(rate: D, price: D) -> D:
    """The taker's fee of one share, before rounding."""
    return rate * price * (1 - price)


@dataclass
class Order:
    """An order of ours, or one that is wanted."""

    token: str
    side: str
    price: D
    size: D
    name: str = ""

    def kind(self) -> tuple:
        return (self.token, self.side, self.price)

    def yes_terms(self) -> tuple[str, D]:
        """Side and price of the same exposure in YES."""
        if self.token == "YES":
            return self.side, self.price
        return ("SELL" if self.side == "BUY" else "BUY"), 1 - self.price


@dataclass
class Market:
    """One market of a state."""

    raw: dict
    tick: D
    min_size: D
    bids: list = field(default_factory=list)
    asks: list = field(default_factory=list)
    orders: list = field(default_factory=list)

    @property
    def held(self) -> dict:
        position = self.raw.get("position", {})
        return {token: D(position.get(token.lower(), "0")) for token in ("YES", "NO")}

    @property
    def cost(self) -> dict:
        cost = self.raw.get("position", {}).get("cost", ["0", "0"])
        return {"YES": D(cost[0]), "NO": D(cost[1])}

    @property
    def net(self) -> D:
        return self.held["YES"] - self.held["NO"]

    @property
    def rate(self) -> D | None:
        return D(self.raw["fee"]["rate"]) if "fee" in self.raw else None

    def seconds_left(self, state: dict) -> float | None:
        return None if "end_s" not in self.raw else self.raw["end_s"] - state["time_ms"] / 1000

    def levels(self, token: str, side: str) -> list:
        """What can be bought (`side` BUY) or sold of a token, best first."""
        if token == "YES":
            return self.asks if side == "BUY" else self.bids
        mirrored = self.bids if side == "BUY" else self.asks
        return [(1 - price, size) for price, size in mirrored]

    def trouble(self, limit_ms: int) -> set | None:
        """Why nothing can be said from this book, if so."""
        if "book" not in self.raw or self.raw.get("book_age_ms", 0) > limit_ms:
            return {"stale_book"}
        if not self.bids or not self.asks:
            return {"no_book"}
        # A crossed book shows no prices: there is none, or none to trust.
        return {"no_book", "book_not_trusted"} if self.bids[0][0] >= self.asks[0][0] else None

    @property
    def mid(self) -> D:
        return (self.bids[0][0] + self.asks[0][0]) / 2


def markets(state: dict) -> list[Market]:
    """The markets of a state."""
    found = []
    for raw in state["markets"]:
        market = Market(raw, D(raw["tick"]), D(raw["min_size"]))
        book = raw.get("book", {"bids": [], "asks": []})
        sides = {}
        for side in ("bids", "asks"):
            total = {}
            for price, size in book[side]:
                total[D(price)] = total.get(D(price), ZERO) + D(size)
            sides[side] = total
        if book.get("outcome", "YES") == "NO":
            mirror = lambda levels: {1 - price: size for price, size in levels.items()}
            sides = {"bids": mirror(sides["asks"]), "asks": mirror(sides["bids"])}
        for order in raw.get("open_orders", []):
            market.orders.append(
                Order(order["outcome"], order["side"], D(order["price"]), D(order["size"]), order["id"])
            )
        if book.get("includes_own"):
            # What is left of a level without us; less than a lot is nothing.
            for order in market.orders:
                side, price = order.yes_terms()
                levels = sides["bids" if side == "BUY" else "asks"]
                levels[price] = levels.get(price, ZERO) - order.size
            sides = {side: {p: s for p, s in levels.items() if s >= CENT} for side, levels in sides.items()}
        market.bids = sorted(((p, s) for p, s in sides["bids"].items() if s > 0), reverse=True)
        market.asks = sorted((p, s) for p, s in sides["asks"].items() if s > 0)
        found.append(market)
    return found


@dataclass
class Expected:
    """What a model says of one market."""

    reason: set | None = None
    """Every reason for wanting nothing; one of them is told."""
    quotes: list | None = None
    """What shall rest, in YES terms."""
    keep: list | None = None
    """Names of orders that stay; `None` if the model does not say."""
    cancel: list | None = None
    place: list | None = None
    taking: list | None = None
    """What is taken, leg by leg."""
    figures: dict = field(default_factory=dict)
