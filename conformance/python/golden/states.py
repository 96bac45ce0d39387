"""Seeded random situations."""

from decimal import Decimal as D

from common import TICKS, floor_to, text

NOW_MS = 1_800_000_000_000


def price(rng, tick, low=D(0), high=D(1)):
    """A price on the grid, strictly between two bounds; often near an end."""
    least, most = int(low / tick) + 1, int((high - tick / 10) / tick)
    if most < least:
        return None
    if rng.random() < 0.15:
        return rng.choice([least, most]) * tick
    return rng.randint(least, most) * tick


def size(rng, most=400):
    return D(rng.randint(1, most * 100)) / 100 if rng.random() < 0.8 else D(rng.randint(1, most))


def book(rng, tick, flaws=True, centre=None, wide=5):
    """A book around a price; empty, one-sided or crossed now and then."""
    bids, asks = [], []
    mid = centre or price(rng, tick)
    ticks = rng.randint(0, wide)
    best_bid, best_ask = mid - ticks * tick, mid + rng.randint(1 if ticks == 0 else 0, wide) * tick
    if flaws and rng.random() < 0.02:
        best_bid, best_ask = best_ask, best_bid
    for _ in range(rng.randint(1, 8)):
        bids.append([text(best_bid), text(size(rng))])
        best_bid -= rng.randint(1, 3) * tick
    for _ in range(rng.randint(1, 8)):
        asks.append([text(best_ask), text(size(rng))])
        best_ask += rng.randint(1, 3) * tick
    inside = lambda levels: [level for level in levels if 0 < D(level[0]) < 1]
    bids, asks = inside(bids), inside(asks)
    if flaws and rng.random() < 0.03:
        rng.choice([bids, asks]).clear()
    rng.shuffle(bids)
    rng.shuffle(asks)
    return {"bids": bids, "asks": asks}


def mirrored(made):
    flip = lambda levels: [[text(1 - D(p)), s] for p, s in levels]
    return {"outcome": "NO", "bids": flip(made["asks"]), "asks": flip(made["bids"])}


def own_orders(rng, tick, market, centre, span, many=10):
    """Open orders near where a ladder would have them, and some that are far away."""
    found = []
    held = {"YES": D(market["position"]["yes"]), "NO": D(market["position"]["no"])}
    for number in range(rng.randint(0, many)):
        token, side = rng.choice(["YES", "NO"]), rng.choice(["BUY", "SELL"])
        near = centre if token == "YES" else 1 - centre
        away = rng.randint(1, span) * tick * (-1 if side == "BUY" else 1)
        at = near + away if rng.random() < 0.9 else price(rng, tick)
        amount = D(rng.choice([5, 10, 15, 20, 30, 45])) if rng.random() < 0.6 else size(rng, 60)
        if not 0 < at < 1 or (side == "SELL" and held[token] < amount):
            continue
        if side == "SELL":
            held[token] -= amount
        found.append({"id": f"o{number}", "outcome": token, "side": side, "price": text(at), "size": text(amount)})
    return found


def holdings(rng):
    odd = lambda: text(rng.choice([D(0), D(0), size(rng, 200), size(rng, 1000), D("0.000001") * rng.randint(1, 10**8)]))
    return {"yes": odd(), "no": odd()}


def ladder(rng, span=12):
    tick = rng.choice([D("0.01")] * 5 + [D("0.001")] * 3 + TICKS)
    centre = price(rng, tick)
    if rng.random() < 0.3:
        centre = min(max(centre, 30 * tick), 1 - 30 * tick) if tick < D("0.1") else centre
    market = {"slug": "m", "tick": text(tick), "min_size": rng.choice(["5", "5", "15", "1", "0.01", "20"]), "position": holdings(rng)}
    if rng.random() < 0.97:
        market["book"] = book(rng, tick, centre=centre)
        if rng.random() < 0.15:
            market["book"] = mirrored(market["book"])
    if rng.random() < 0.1:
        market["book_age_ms"] = rng.choice([1999, 2000, 2001, 60000])
    market["open_orders"] = own_orders(rng, tick, market, centre, span)
    if "book" in market and rng.random() < 0.2:
        market["book"]["includes_own"] = True
    collateral = text(rng.choice([D(0), D(50), D(1000), size(rng, 500), D(rng.randint(0, 10**9)) / 10**6]))
    return {"time_ms": NOW_MS, "collateral": collateral, "markets": [market]}


def amm(rng):
    config = {}
    if rng.random() < 0.6:
        depth = rng.choice([0.02, 0.05, 0.1, 0.2])
        config = {"p_min": rng.choice([0.01, 0.05, 0.1]), "p_max": rng.choice([0.9, 0.95, 0.99]), "spread": rng.choice([0.01, 0.005, 0.015]),
                  "delta": rng.choice([0.01, 0.005, 0.02]), "depth": depth, "max_collateral": rng.choice([20.0, 200.0, 1000.0])}
    if rng.random() < 0.5:
        config["min_size"] = rng.choice([0.0, 1.0, 5.0])
    if rng.random() < 0.2:
        config["inventory_skew"] = rng.choice([0.0001, 0.001])
    return config, ladder(rng)


def bands(rng):
    config = {}
    if rng.random() < 0.7:
        step = rng.choice([D("0.01"), D("0.02"), D("0.005")])
        at, table = rng.choice([D(0), step]), []
        for _ in range(rng.randint(1, 4)):
            width = step * rng.randint(1, 3)
            least = rng.choice([5, 10, 15, 20])
            table.append({"minMargin": float(at), "avgMargin": float(at + rng.choice([D(0), width / 2, width])), "maxMargin": float(at + width),
                          "minAmount": float(least), "avgAmount": float(least + rng.choice([0, 5, 10])), "maxAmount": float(least + 20)})
            at += width + rng.choice([D(0), step])
        config["bands"] = table
    if rng.random() < 0.5:
        config["min_size"] = rng.choice([0.0, 1.0, 5.0])
    if rng.random() < 0.15:
        config["active_tokens"] = rng.choice([["A"], ["B"], ["A", "B"]])
    if rng.random() < 0.15:
        config["vanilla_mode"] = True
    return config, ladder(rng, 6)


def one(rng, market, collateral="1000"):
    return {"time_ms": NOW_MS, "collateral": collateral, "markets": [market]}


def fee(rng, market):
    if rng.random() < 0.96:
        market["fee"] = {"rate": rng.choice(["0.07", "0.05", "0.04", "0"])}


def skewed_maker(rng):
    tick = rng.choice([D("0.01")] * 3 + [D("0.001")] * 2 + TICKS)
    market = {"slug": "m", "tick": text(tick), "min_size": rng.choice(["5", "1", "15"])}
    if rng.random() < 0.97:
        market["book"] = book(rng, tick, wide=rng.choice([1, 3, 8]))
        if rng.random() < 0.15:
            market["book"] = mirrored(market["book"])
    if rng.random() < 0.6:
        market["position"] = holdings(rng)
        if rng.random() < 0.5:
            market["position"] = {"yes": text(size(rng, 30)), "no": text(size(rng, 30))}
    if rng.random() < 0.5:
        market["end_s"] = NOW_MS // 1000 + rng.choice([100, 299, 300, 301, 5000])
    if rng.random() < 0.1:
        market["book_age_ms"] = rng.choice([2000, 2001])
    if rng.random() < 0.1:
        market["caution"] = True
    if rng.random() < 0.3:
        ages = sorted((rng.randint(0, 9000) for _ in range(rng.randint(1, 5))), reverse=True)
        sides = ["BUY", "BUY", "BUY", "SELL"]
        fill = lambda age: {"age_ms": age, "side": rng.choice(sides), "size": text(size(rng, 80)), "price": "0.5"}
        market["fills"] = [fill(age) for age in ages]
    config = {}
    if rng.random() < 0.5:
        # The values of the document's commit.
        config = {"target_spread": 0.03, "risk_per_share": 0.05, "inventory_widening": 0.001, "boundary": 0.0}
    if rng.random() < 0.3:
        config["max_net_shares"] = rng.choice(["10", "1000"])
    return config, one(rng, market)


def imbalance(rng):
    tick = rng.choice([D("0.01")] * 4 + [D("0.001")])
    centre = D(rng.randint(25, 75)) / 100 if rng.random() < 0.8 else price(rng, tick)
    market = {"slug": "m", "tick": text(tick), "min_size": rng.choice(["5", "1", "1"])}
    fee(rng, market)
    if rng.random() < 0.97:
        made = book(rng, tick, centre=centre, wide=1)
        heavy, light = rng.choice([("bids", "asks"), ("asks", "bids")])
        if rng.random() < 0.7:
            made[heavy] = [[at, text(D(amount) * 5)] for at, amount in made[heavy]]
        market["book"] = made if rng.random() < 0.7 else mirrored(made)
    if rng.random() < 0.95:
        market["end_s"] = NOW_MS // 1000 + rng.choice([299, 300, 301, 900, 3600, 3600, 14400, 14401])
    if rng.random() < 0.2:
        paid = text(D(rng.randint(10, 200)) / 100)
        yes = rng.random() < 0.5
        market["position"] = {"yes": "3", "no": "0", "cost": [paid, "0"]} if yes else {"yes": "0", "no": "3", "cost": ["0", paid]}
    if rng.random() < 0.1:
        market["book_age_ms"] = rng.choice([2000, 2001])
    if rng.random() < 0.05:
        market["caution"] = True
    config = {"size_usdc": rng.choice(["1.1", "5", "10"])}
    if rng.random() < 0.3:
        config["raise_to_minimum"] = True
    if rng.random() < 0.5:
        config["take_profit"] = rng.choice([0.05, 0.2])
    return config, one(rng, market, rng.choice(["1000", "1000", "3"]))


RULES = [
    "Resolves to the winner of the match. If it is canceled, the market will resolve 50-50.",
    "",
    "At the sole discretion of the market's creator.",
]


def temporal(rng):
    tick = rng.choice([D("0.01"), D("0.001")])
    chance = rng.choice([0.99, 0.01, 0.95, 0.9, 0.85, 0.7, 0.3, 0.5, round(rng.random(), 3)])
    question = "Will A win the match?" if rng.random() < 0.9 else "Total kills over 20?"
    market = {"slug": "m", "question": question, "tick": text(tick), "min_size": rng.choice(["5", "15"])}
    fee(rng, market)
    if rng.random() < 0.97:
        below = D(str(chance)) - D(rng.randint(2, 30)) / 100 if chance > 0.5 else D(str(chance)) + D(rng.randint(2, 30)) / 100
        centre = min(max(floor_to(below, tick), 2 * tick), 1 - 2 * tick)
        market["book"] = book(rng, tick, centre=centre, wide=2)
    if rng.random() < 0.96:
        age = rng.choice([0, 500, 999, 1000, 1001, 5000, 5001])
        market["truth"] = {"probability": chance, "confidence": rng.choice([1.0, 0.95, 0.9, 0.89]), "event_age_ms": age,
                           "heard_age_ms": rng.choice([0, 100, 30000, 30001]), "rules": rng.choice(RULES[:1] * 5 + RULES)}
    if rng.random() < 0.1:
        market["position"] = {"yes": "300", "no": "0", "cost": ["180", "0"]}
    if rng.random() < 0.1:
        market["book_age_ms"] = rng.choice([2000, 2001])
    if rng.random() < 0.05:
        market["caution"] = True
    config = {"enabled": rng.random() < 0.97}
    if rng.random() < 0.4:
        config.update({"min_edge": rng.choice([0.03, 0.05]), "void_risk": rng.choice([0.0, 0.005])})
        config.update({"bankroll_usdc": rng.choice(["200", "5000"]), "kelly": rng.choice([0.25, 1.0])})
    if rng.random() < 0.3:
        config["cold_window_ms"] = 10000
    return config, one(rng, market, rng.choice(["1000", "1000", "40"]))


def multi(rng):
    tick = rng.choice([D("0.01"), D("0.001")])
    count = rng.randint(2, 6)
    weights = [rng.random() + 0.05 for _ in range(count)]
    total = sum(weights) / rng.choice([1.0, 0.97, 0.93, 0.9, 1.05])
    markets = []
    for number, weight in enumerate(weights):
        centre = min(max(floor_to(D(weight / total), tick), 3 * tick), 1 - 3 * tick)
        market = {"slug": f"m{number}", "tick": text(tick), "min_size": rng.choice(["5", "1"]), "neg_risk": True}
        if rng.random() < 0.99:
            market["fee"] = {"rate": "0.04"}
        if rng.random() < 0.99:
            market["book"] = book(rng, tick, flaws=rng.random() < 0.2, centre=centre, wide=1)
        if rng.random() < 0.2:
            market["end_s"] = NOW_MS // 1000 + rng.choice([299, 300, 5000, 5000])
        if rng.random() < 0.1:
            market["position"] = {"yes": "10", "no": "0", "cost": [rng.choice(["3", "30"]), "0"]}
        markets.append(market)
    if rng.random() < 0.1:
        markets[0]["book_age_ms"] = rng.choice([1000, 1001])
    config = {"outcomes": rng.choice([0, count, count, count + 1])}
    if rng.random() < 0.5:
        config.update({"max_basket_usdc": rng.choice(["50", "500"]), "max_total_usdc": "1000", "margin": rng.choice([0.003, 0.01])})
    return config, {"time_ms": NOW_MS, "collateral": rng.choice(["1000", "1000", "20"]), "markets": markets}


def pair(rng):
    tick = rng.choice([D("0.01")] * 3 + [D("0.001")])
    market = {"slug": "m", "tick": text(tick), "min_size": rng.choice(["5", "1"])}
    fee(rng, market)
    if rng.random() < 0.97:
        market["book"] = book(rng, tick, wide=rng.choice([1, 4]))
        if rng.random() < 0.3:
            # The two tokens' offers come to less than a dollar.
            made = market["book"]
            ask = max((D(level[0]) for level in made["bids"]), default=D("0.5")) - rng.randint(0, 8) * tick
            made["asks"] = [[text(ask + n * tick), text(size(rng))] for n in range(4) if 0 < ask + n * tick < 1]
        if rng.random() < 0.2:
            market["book"] = mirrored(market["book"])
    if rng.random() < 0.5:
        yes, no = size(rng, 120), size(rng, 120)
        market["position"] = {"yes": text(yes), "no": text(no if rng.random() < 0.5 else yes), "cost": ["0", "0"]}
        market["position"]["cost"] = [text(floor_to(D(market["position"][t]) * D(rng.randint(20, 75)) / 100, D("0.01"))) for t in ("yes", "no")]
    if rng.random() < 0.4:
        market["end_s"] = NOW_MS // 1000 + rng.choice([119, 120, 5000])
    if rng.random() < 0.1:
        market["book_age_ms"] = rng.choice([2000, 2001])
    if rng.random() < 0.05:
        market["caution"] = True
    return {}, one(rng, market, rng.choice(["1000", "1000", "60"]))


def reference_maker(rng):
    tick = rng.choice([D("0.01"), D("0.01"), D("0.001")])
    market = {"slug": "m", "tick": text(tick), "min_size": "5"}
    if rng.random() < 0.97:
        market["book"] = book(rng, tick, wide=2)
    if rng.random() < 0.5:
        market["position"] = {"yes": text(size(rng, 300)), "no": text(size(rng, 300))}
    length = rng.choice([300, 900, 3600, 14400])
    left = rng.choice([rng.randint(61, length), rng.randint(61, length), length + 30, length + 90, 20, 45, 59, 60, 61, 89, 90, 299, 300])
    end = NOW_MS // 1000 + left
    spot = rng.randint(8_400_000, 8_500_000)
    gap = rng.randint(-15000, 15000) if rng.random() < 0.8 else 0
    average = rng.choice([0, 60, 60, 30])
    sigma = rng.choice([5e-5, 8e-5, 1.2e-4, 0.005 / 60])
    reference = {"price": text(D(spot) / 100), "sigma": sigma, "start_s": end - length, "end_s": end, "average_s": average}
    market["reference"] = reference
    if rng.random() < 0.9:
        reference["strike"] = text(D(spot - gap) / 100)
    if rng.random() < 0.9:
        reference["strike_mean"] = text(D(spot - gap) / 100)
    if rng.random() < 0.95:
        reference["final_mean"] = text(D(spot - gap + rng.randint(-3000, 3000)) / 100)
    if rng.random() < 0.1:
        reference["age_ms"] = rng.choice([500, 501])
    if rng.random() < 0.1:
        reference["shock"] = rng.choice([4.4, 4.5, 6.0])
    if rng.random() < 0.03:
        del market["reference"]
    if rng.random() < 0.05:
        market["caution"] = True
    config = {"stop_s": rng.choice([60, 60, 0]), "flatten_s": rng.choice([90, 90, 0]), "model_weight": rng.choice([0.7, 1.0])}
    if rng.random() < 0.3:
        config["basis_sd"] = 0.0003
    if rng.random() < 0.5:
        config["quoting"] = rng.choice(["simple", "glft", "log_odds", "indifference"])
    return config, one(rng, market)


DECIMALS = {"collateral", "tick", "min_size", "rate", "price", "size", "yes", "no", "cost", "strike", "strike_mean", "final_mean"}


def in_other_words(value, key=None):
    """The same situation as other people would write it: numbers for strings, named levels, small letters."""
    if isinstance(value, dict):
        return {k: in_other_words(v, k) for k, v in value.items()}
    if key in ("bids", "asks"):
        return [{"price": float(at), "size": float(amount)} for at, amount in value]
    if key == "cost":
        return {"yes": float(value[0]), "no": float(value[1])}
    if isinstance(value, list):
        return [in_other_words(v, key) for v in value]
    if key in ("outcome", "side"):
        return value.lower()
    return float(value) if key in DECIMALS else value


def make(name, rng):
    return globals()[name](rng)
