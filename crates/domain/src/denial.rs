//! Why an order was not built. The documentation's page is made from this list.

use serde::{Deserialize, Serialize};

/// What a denial speaks of, and so where to look for what must change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialScope {
    /// The order itself.
    Order,
    /// The market.
    Market,
    /// A group of markets.
    Group,
    /// The strategy instance.
    Instance,
    /// Everything under the key.
    Wallet,
}

impl DenialScope {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DenialScope::Order => "order",
            DenialScope::Market => "market",
            DenialScope::Group => "group",
            DenialScope::Instance => "instance",
            DenialScope::Wallet => "wallet",
        }
    }
}

/// One list for the enum, its codes, its scopes and its sentences, so that none can be without the others.
macro_rules! denials {
    ($($variant:ident = $code:literal, $scope:ident, $sentence:literal;)*) => {
        /// Why an order was not built. Every limit has its own code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Denial {
            $(#[doc = $sentence] #[serde(rename = $code)] $variant,)*
        }

        impl Denial {
            /// Every denial, in the order of the list.
            pub const ALL: &[Denial] = &[$(Denial::$variant,)*];

            /// Its code, as events, tables and the documentation write it.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Denial::$variant => $code,)* }
            }

            /// What it says, in one sentence.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Denial::$variant => $sentence,)* }
            }

            /// What it speaks of.
            #[must_use]
            pub const fn scope(self) -> DenialScope {
                match self { $(Denial::$variant => DenialScope::$scope,)* }
            }
        }
    };
}

denials! {
    Halted = "halted", Wallet, "The wallet is in doubt, or a person has stopped it.";
    MarketHalted = "market_halted", Market, "The market is in doubt, decided, or takes no orders.";
    OrderSize = "order_size", Order, "The order is larger than the limit of one order.";
    OrderNotional = "order_notional", Order, "The order's worst cost is above the limit of one order.";
    Position = "position", Market, "The position in the outcome would exceed its limit.";
    NetPosition = "net_position", Market, "The net position of the market would exceed its limit.";
    GrossPosition = "gross_position", Market, "Both outcomes together would exceed the gross limit, which shrinks near the end.";
    MarketExposure = "market_exposure", Market, "The worst loss of the market would exceed its limit.";
    TotalExposure = "total_exposure", Wallet, "The worst loss of all markets together would exceed its limit.";
    DailyLoss = "daily_loss", Wallet, "The day's loss reached its limit.";
    OpenOrders = "open_orders", Market, "More orders of the market would be open than allowed.";
    Collateral = "collateral", Wallet, "There is not enough free collateral.";
    Tokens = "tokens", Instance, "The instance has not enough settled, unpromised tokens.";
    OffGrid = "off_grid", Order, "The price is not on the market's grid.";
    MinSize = "min_size", Order, "The order is smaller than the market's minimum; one that takes is worth less than a dollar.";
    SelfTrade = "self_trade", Order, "The order would meet an order of another own instance.";
    CardIncomplete = "card_incomplete", Market, "The market's card lacks what an order needs.";
    Latched = "latched", Instance, "The operator halted the wallet, the market or the instance.";
    ReduceOnly = "reduce_only", Instance, "Only orders that reduce what the instance holds are allowed.";
    KillSwitch = "kill_switch", Wallet, "The kill switch is thrown, or cools down.";
    Breaker = "breaker", Market, "The market's breaker is open.";
    GroupExposure = "group_exposure", Group, "The worst loss of a group of markets would exceed its limit.";
    InstanceExposure = "instance_exposure", Instance, "The worst loss of the instance would exceed its limit.";
    TotalGross = "total_gross", Wallet, "The cost of everything held and bid for would exceed its limit.";
    WalletOrders = "wallet_orders", Wallet, "More orders of all markets would be open than allowed.";
    Markets = "markets", Wallet, "More markets would be held or quoted at once than allowed.";
    TooNearEnd = "too_near_end", Market, "The market ends too soon for any order.";
    NearEnd = "near_end", Market, "The market ends so soon that only orders that reduce are allowed.";
    ClosedHours = "closed_hours", Wallet, "The configured hours or days allow only orders that reduce.";
    NoBook = "no_book", Market, "A side of the book is empty.";
    StaleBook = "stale_book", Market, "The book was not proven current for too long.";
    WideBook = "wide_book", Market, "The book's spread is wider than allowed.";
    ThinBook = "thin_book", Market, "Other people's orders near the top of the book are worth too little.";
    Basket = "basket", Instance, "A basket of the instance is on its way, or its last one got nothing only a moment ago.";
    NoTaking = "no_taking", Market, "Only what rests is sent: the venue takes nothing else, the books are read by REST, or doubt is barely over.";
    State = "state", Instance, "The trading state of the market, or of the instance in it, does not allow such an order.";
    Drawdown = "drawdown", Wallet, "The loss from the highest point leaves no size.";
    StaleReference = "stale_reference", Instance, "The price outside of the venue that the instance follows is too old for an order.";
    Capital = "capital", Instance, "The instance would have more of the wallet's capital at work than its share.";
    InstanceMarkets = "instance_markets", Instance, "The instance would hold or quote more markets at once than it may.";
    Paused = "paused", Instance, "Another own instance has something under way in the market and pauses this one there.";
}

impl Denial {
    /// The documentation's page of all denials.
    #[must_use]
    pub fn reference_page() -> String {
        let mut page = String::from(
            "# Denials\n\nWhy an order was not built. An `event.denied` carries the code; it is told once for each intent, and again when the reason \
             changes.\nThis page is made from the list in [`denial.rs`](../../crates/domain/src/denial.rs).\n\n\
             | code | scope | what it says |\n|---|---|---|\n",
        );
        for denial in Denial::ALL {
            page.push_str(&format!("| `{}` | {} | {} |\n", denial.code(), denial.scope().as_str(), denial.sentence()));
        }
        page
    }
}
