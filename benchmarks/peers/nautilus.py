"""The stream and the orders of `rates --write DIR` through NautilusTrader's BacktestEngine.

    pip install nautilus_trader==1.221.0
    python3 nautilus.py DIR [--rounds 5] [--bare]

Prints processor time for one event; `--bare`: the engine and its simulated venue with the stream alone, no strategy and no order.
"""

import argparse
import csv
import time
from decimal import Decimal

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import USDC
from nautilus_trader.model.data import BookOrder, OrderBookDelta, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    AssetClass,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
    RecordFlag,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import BinaryOption
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

MS = 1_000_000
# The feed leg and the way to the venue: its venue sees data when it is received, so that an order takes both.
FEED_NS, ENTRY_NS = 40 * MS, 60 * MS
ID = InstrumentId(Symbol("WANDERING"), Venue("POLYMARKET"))


def instrument():
    return BinaryOption(
        instrument_id=ID,
        raw_symbol=ID.symbol,
        asset_class=AssetClass.ALTERNATIVE,
        currency=USDC,
        price_precision=2,
        size_precision=2,
        price_increment=Price.from_str("0.01"),
        size_increment=Quantity.from_str("0.01"),
        activation_ns=0,
        expiration_ns=2**63 - 1,
        ts_event=0,
        ts_init=0,
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
    )


def datum(number, row):
    at = int(row["at_ms"]) * MS
    buy, price, lots = row["buy"] == "1", Price(int(row["cents"]) / 100, 2), int(row["lots"])
    size = Quantity(lots / 100, 2)
    if row["trade"] == "1":
        side = AggressorSide.BUYER if buy else AggressorSide.SELLER
        return TradeTick(ID, price, size, side, TradeId(str(number)), at, at + FEED_NS)
    order = BookOrder(OrderSide.BUY if buy else OrderSide.SELL, price, size, 0)
    action = BookAction.UPDATE if lots else BookAction.DELETE
    return OrderBookDelta(ID, action, order, RecordFlag.F_LAST, number, at, at + FEED_NS)


class Follower(Strategy):
    """Places and cancels what it is told, when it is told to."""

    def __init__(self, deeds):
        super().__init__(StrategyConfig())
        self.deeds, self.at, self.mine = deeds, 0, {}
        self.placed, self.filled, self.shares = 0, set(), 0.0

    def on_start(self):
        self.subscribe_order_book_deltas(ID, book_type=BookType.L2_MBP)
        self.subscribe_trade_ticks(ID)

    def on_order_book_deltas(self, deltas):
        self.follow(deltas.ts_init)

    def on_trade_tick(self, trade):
        self.follow(trade.ts_init)

    def follow(self, now):
        while self.at < len(self.deeds) and self.deeds[self.at][0] <= now:
            _, number, row = self.deeds[self.at]
            self.at += 1
            if row is None:
                # Most cancels leave in the moment in which their order arrives.
                if not self.mine[number].is_closed:
                    self.cancel_order(self.mine[number])
                continue
            order = self.order_factory.limit(
                ID,
                OrderSide.BUY if row["buy"] == "1" else OrderSide.SELL,
                Quantity(int(row["lots"]) / 100, 2),
                Price(int(row["cents"]) / 100, 2),
                post_only=row["post_only"] == "1",
            )
            self.mine[number] = order
            self.placed += 1
            self.submit_order(order)

    def on_order_filled(self, event):
        self.filled.add(event.client_order_id)
        self.shares += float(event.last_qty)


def once(data, strategy):
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False))
    engine.add_venue(
        ID.venue,
        OmsType.NETTING,
        AccountType.MARGIN,
        [Money(1_000_000, USDC)],
        book_type=BookType.L2_MBP,
        latency_model=LatencyModel(FEED_NS + ENTRY_NS),
    )
    engine.add_instrument(instrument())
    if strategy is not None:
        engine.add_strategy(strategy)
    engine.add_data(data)
    began = time.thread_time_ns()
    engine.run()
    took = time.thread_time_ns() - began
    engine.dispose()
    return took / len(data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bare", action="store_true")
    arguments = parser.parse_args()
    with open(f"{arguments.dir}/events.csv") as file:
        data = [datum(number, row) for number, row in enumerate(csv.DictReader(file))]
    deeds = []
    with open(f"{arguments.dir}/orders.csv") as file:
        for number, row in enumerate(csv.DictReader(file)):
            deeds.append((int(row["place_ns"]), number, row))
            if row["cancel_ns"]:
                deeds.append((int(row["cancel_ns"]), number, None))
    deeds.sort(key=lambda deed: deed[0])
    times = []
    for _ in range(arguments.rounds):
        strategy = None if arguments.bare else Follower(deeds)
        times.append(once(data, strategy))
    times.sort()
    median = times[len(times) // 2]
    print(f"nautilus_trader: {1e3 / median:.3f} M events/s, {median:.0f} ns ({times[0]:.0f} to {times[-1]:.0f})")
    if strategy is not None:
        print(f"{strategy.placed} orders, {len(strategy.filled)} filled, {strategy.shares:.2f} shares")


if __name__ == "__main__":
    main()
