"""The checks of both Python clients. Reads the exchange's line from standard input; `run.py` starts this."""

import dataclasses
import json
import sys
import time
import traceback
from decimal import Decimal

INFO = json.loads(sys.stdin.readline())
QUIET = next(market for market in INFO["markets"] if market["slug"].startswith("quiet-"))
YES, NO = QUIET["tokens"]
# Public development keys: accounts 0 to 3 of the mnemonic that the exchange names.
KEYS = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
]
CLOB = "py-clob-client-v2 1.2.1"
UNIFIED = "polymarket-client 0.14.0"
rows: list[tuple[str, str, str]] = []


def check(client: str, name: str):
    """Runs the decorated function at once and notes how it went."""

    def run(body):
        try:
            body()
            rows.append((name, client, "passed"))
        except Exception as error:  # noqa: BLE001 - a check may fail in any way
            traceback.print_exc()
            rows.append((name, client, f"FAILED: {type(error).__name__}: {error}"))

    return run


def refused(words: str, act) -> None:
    """The act must be refused with these words."""
    try:
        act()
    except Exception as error:  # noqa: BLE001 - the clients raise errors of their own
        assert words in str(error), error
        return
    raise AssertionError("was not refused")


def same(what, is_, should):
    assert is_ == should, f"{what} is {is_!r} and should be {should!r}"


def legacy() -> None:
    from py_clob_client_v2 import (
        ApiCreds,
        AssetType,
        BalanceAllowanceParams,
        ClobClient,
        MarketOrderArgs,
        OrderArgs,
        OrderMarketCancelParams,
        OrderPayload,
        OrderType,
        PostOrdersV2Args,
        TradeParams,
    )

    def client(index: int) -> "ClobClient":
        made = ClobClient(host=INFO["urls"]["clob"], chain_id=INFO["chain_id"], key=KEYS[index])
        creds: ApiCreds = made.create_or_derive_api_key()
        made.set_api_creds(creds)
        return made

    maker, taker = client(0), client(1)

    @check(CLOB, "service, metadata and books")
    def _():
        same("ok", maker.get_ok(), "OK")
        same("version", maker.get_version(), 2)
        same("tick", str(maker.get_tick_size(YES)), "0.01")
        same("neg-risk", maker.get_neg_risk(YES), False)
        same("condition", maker.get_market(QUIET["condition"])["condition_id"], QUIET["condition"])
        maker.get_clob_market_info(QUIET["condition"])
        book = maker.get_order_book(YES)
        assert book, book
        maker.get_midpoint(YES)
        maker.get_markets()

    @check(CLOB, "a limit order rests, is listed and is cancelled")
    def _():
        placed = maker.create_and_post_order(OrderArgs(token_id=YES, price=0.31, size=10, side="BUY"))
        same("status", placed["status"], "live")
        open_ids = [order["id"] for order in maker.get_open_orders()]
        assert placed["orderID"] in open_ids, open_ids
        same("cancelled", maker.cancel_order(OrderPayload(orderID=placed["orderID"]))["canceled"], [placed["orderID"]])

    @check(CLOB, "a mint, settled, seen by both")
    def _():
        resting = maker.create_and_post_order(OrderArgs(token_id=NO, price=0.42, size=10, side="BUY"))
        placed = taker.create_and_post_order(OrderArgs(token_id=YES, price=0.6, size=10, side="BUY"))
        same("status", placed["status"], "matched")
        same("amounts", (placed["makingAmount"], placed["takingAmount"]), ("5.8", "10"))
        trade = next(t for t in maker.get_trades(TradeParams()) if t["maker_orders"][0]["order_id"] == resting["orderID"])
        same("side", trade["trader_side"], "MAKER")

    def cash(who) -> int:
        return int(who.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.COLLATERAL))["balance"])

    def limit(who, token, price, size, side="BUY", order_type=OrderType.GTC, expiration=0, post_only=False):
        wanted = OrderArgs(token_id=token, price=price, size=size, side=side, expiration=expiration)
        return who.create_and_post_order(wanted, order_type=order_type, post_only=post_only)

    def settled(who, trade: str) -> None:
        for _ in range(100):
            if any(t["status"] == "CONFIRMED" for t in who.get_trades(TradeParams(id=trade))):
                return
            time.sleep(0.05)
        raise AssertionError(f"{trade} is not settled")

    @check(CLOB, "the venue's hash of a book, computed by the client")
    def _():
        limit(maker, YES, 0.21, 10)
        book = maker.get_order_book(YES)
        same("hash", maker.get_order_book_hash(dict(book)), book["hash"])
        maker.cancel_all()

    @check(CLOB, "GTD, FOK, FAK and post-only")
    def _():
        now = int(time.time())
        same("GTD", limit(maker, YES, 0.2, 10, order_type=OrderType.GTD, expiration=now + 600)["status"], "live")
        refused("invalid expiration", lambda: limit(maker, YES, 0.2, 10, order_type=OrderType.GTD, expiration=now + 90))
        refused("FOK orders are fully filled or killed", lambda: limit(taker, YES, 0.5, 10, order_type=OrderType.FOK))
        limit(maker, NO, 0.5, 6)
        refused("order crosses book", lambda: limit(taker, YES, 0.5, 6, post_only=True))
        part = limit(taker, YES, 0.5, 10, order_type=OrderType.FAK)
        same("FAK", (part["status"], part["makingAmount"], part["takingAmount"]), ("matched", "3", "6"))
        maker.cancel_all()

    @check(CLOB, "batches, and cancels by id, market and token")
    def _():
        def signed(price, size=10):
            return PostOrdersV2Args(maker.create_order(OrderArgs(token_id=YES, price=price, size=size, side="BUY")))

        placed = maker.post_orders([signed(0.1), signed(0.11, 1), signed(0.12), signed(0.13)])
        same("who lives", [order["status"] == "live" for order in placed], [True, False, True, True])
        ids = [order["orderID"] for order in placed if order["status"] == "live"]
        same("by id", maker.cancel_orders(ids[:1])["canceled"], ids[:1])
        same("of the other token", maker.cancel_market_orders(OrderMarketCancelParams(asset_id=NO))["canceled"], [])
        gone = maker.cancel_market_orders(OrderMarketCancelParams(market=QUIET["condition"]))["canceled"]
        same("of the market", sorted(gone), sorted(ids[1:]))

    @check(CLOB, "a mint and a merge, balances exact")
    def _():
        for side, prices, change in [("BUY", (0.42, 0.58), (-4_200_000, -5_800_000)), ("SELL", (0.4, 0.6), (4_000_000, 6_000_000))]:
            before = (cash(maker), cash(taker))
            limit(maker, NO, prices[0], 10, side)
            settled(taker, limit(taker, YES, prices[1], 10, side)["tradeIDs"][0])
            same(side, (cash(maker) - before[0], cash(taker) - before[1]), change)

    @check(CLOB, "a market order of each side, and balances")
    def _():
        maker.create_and_post_order(OrderArgs(token_id=NO, price=0.5, size=10, side="BUY"))
        bought = taker.create_and_post_market_order(MarketOrderArgs(token_id=YES, amount=5, side="BUY"), order_type=OrderType.FOK)
        same("status", bought["status"], "matched")
        params = BalanceAllowanceParams(asset_type=AssetType.CONDITIONAL, token_id=YES, signature_type=0)
        assert int(taker.get_balance_allowance(params)["balance"]) > 0
        maker.cancel_all()

    @check(CLOB, "keys, heartbeats, notifications")
    def _():
        assert maker.get_api_keys()
        beat = maker.post_heartbeat("")
        maker.post_heartbeat(beat["heartbeat_id"])
        maker.get_notifications()
        same("closed-only", maker.get_closed_only_mode()["closed_only"], False)


def unified() -> None:
    from polymarket import PublicClient, RequestRejectedError, SecureClient
    from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment

    urls = INFO["urls"]
    config = dataclasses.replace(
        PRODUCTION_CONFIG,
        clob_url=urls["clob"],
        gamma_url=urls["gamma"].rstrip("/"),
        data_url=urls["data"].rstrip("/"),
        clob_market_ws_url=urls["ws_market"],
        clob_user_ws_url=urls["ws_user"],
        relayer_url=urls["clob"],
        rpc_url=urls["clob"],
    )
    environment = create_environment(name="oddsmith", config=config)

    def client(index: int) -> "SecureClient":
        wallet = INFO["accounts"][index]
        return SecureClient.create(private_key=KEYS[index], wallet=wallet, environment=environment)

    public = PublicClient(environment=environment)
    maker, taker = client(2), client(3)

    @check(UNIFIED, "books, prices and Gamma")
    def _():
        public.get_order_book(token_id=YES)
        public.get_midpoint(token_id=YES)
        market = public.get_market(slug=QUIET["slug"])
        assert market, market

    @check(UNIFIED, "a limit order rests, is read and is cancelled")
    def _():
        placed = maker.place_limit_order(token_id=YES, price="0.31", size="10", side="BUY")
        same("status", placed.status, "live")
        same("price", maker.get_order(order_id=placed.order_id).price, Decimal("0.31"))
        same("cancelled", list(maker.cancel_order(order_id=placed.order_id).canceled), [placed.order_id])

    @check(UNIFIED, "a batch, and cancels by id and token")
    def _():
        signed = [maker.create_limit_order(token_id=YES, price=price, size="10", side="BUY") for price in ("0.1", "0.11", "0.12")]
        ids = [placed.order_id for placed in maker.post_orders(signed)]
        listed = {order.id for order in maker.list_open_orders(token_id=YES).first_page().items}
        assert set(ids) <= listed, listed
        same("by id", list(maker.cancel_orders(order_ids=ids[:1]).canceled), ids[:1])
        same("by token", sorted(maker.cancel_market_orders(token_id=YES).canceled), sorted(ids[1:]))

    @check(UNIFIED, "a mint, and the trade of its parties")
    def _():
        maker.place_limit_order(token_id=NO, price="0.42", size="10", side="BUY")
        placed = taker.place_limit_order(token_id=YES, price="0.6", size="10", side="BUY")
        same("status", placed.status, "matched")
        taker.wait_for_order_fill_settlement(placed)
        assert list(maker.list_account_trades().first_page().items)

    @check(UNIFIED, "a market order, balances and positions")
    def _():
        maker.place_limit_order(token_id=NO, price="0.5", size="10", side="BUY")
        bought = taker.place_market_order(token_id=YES, side="BUY", amount="4", order_type="FAK")
        same("status", bought.status, "matched")
        balance = taker.get_balance_allowance(asset_type="CONDITIONAL", token_id=YES)
        assert balance.balance > 0, balance
        assert list(taker.list_positions().first_page().items)
        maker.cancel_all()

    @check(UNIFIED, "a refusal is recognised by its words")
    def _():
        maker.place_limit_order(token_id=NO, price="0.4", size="10", side="BUY", post_only=True)
        try:
            taker.place_limit_order(token_id=YES, price="0.6", size="10", side="BUY", post_only=True)
            raise AssertionError("was not refused")
        except RequestRejectedError as refusal:
            same("words", str(refusal), "invalid post-only order: order crosses book")
        maker.cancel_all()


for run in (legacy, unified):
    try:
        run()
    except Exception as error:  # noqa: BLE001 - a client that cannot even start is a failed check
        traceback.print_exc()
        rows.append(("starting", run.__name__, f"FAILED: {type(error).__name__}: {error}"))
print("| check | client | result |\n|---|---|---|")
for name, client_name, result in rows:
    print(f"| {name} | {client_name} | {result} |")
failed = sum(result != "passed" for _, _, result in rows)
print(f"{len(rows) - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
