//! Order rates per signer: two token buckets whose size is a matter of tier (protocol 11.2).

use oddsmith_polymarket::{Budget, Tier};

use super::account::{KeyId, UserId};
use super::{Core, Nanos, SECOND};

/// Which bucket a request draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateUse {
    /// Placements: one for each order.
    Orders,
    /// Cancels: one for each named order; for a scope, one and one more for each order cancelled.
    Cancels,
}

impl RateUse {
    /// What a tier has for it, per second and at once.
    fn budget(self, tier: Tier) -> (i64, i64) {
        let Budget { per_second, burst } = match self {
            RateUse::Orders => tier.orders(),
            RateUse::Cancels => tier.cancels(),
        };
        (i64::from(per_second), i64::from(burst))
    }
}

/// What the rate headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateReply {
    /// Whether the request may go on.
    pub allowed: bool,
    /// Whether it would not have been allowed if rates were enforced.
    pub warning: bool,
    /// Whole tokens that are left.
    pub remaining: i64,
    /// When the bucket is full again, in seconds since the Unix epoch.
    pub reset_s: u64,
    /// After how many seconds the request would be allowed; at least one.
    pub retry_after_s: u64,
    /// The signer's tier.
    pub tier: Tier,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Millionths of a token.
    level: i64,
    at_ns: Nanos,
}

/// Both buckets of a signer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    pub(crate) tier: Tier,
    buckets: [Option<Bucket>; 2],
}

const TOKEN: i64 = 1_000_000;

impl Rates {
    /// The bucket as filled up to now.
    fn filled(&self, usage: RateUse, now_ns: Nanos) -> Bucket {
        let (rate, burst) = usage.budget(self.tier);
        let full = burst * TOKEN;
        let Some(bucket) = self.buckets[usage as usize] else { return Bucket { level: full, at_ns: now_ns } };
        let passed = i64::try_from(now_ns.saturating_sub(bucket.at_ns)).unwrap_or(i64::MAX);
        // Tokens per second times nanoseconds, in millionths: divided by a thousand.
        let gained = (passed / 1_000).saturating_mul(rate);
        Bucket { level: bucket.level.saturating_add(gained).min(full), at_ns: now_ns }
    }

    fn take(&mut self, usage: RateUse, cost: u32, after_the_fact: bool, now_ns: Nanos) -> (bool, i64, u64, u64) {
        let (rate, burst) = usage.budget(self.tier);
        let mut bucket = self.filled(usage, now_ns);
        let cost = i64::from(cost) * TOKEN;
        let enough = bucket.level >= cost;
        let missing = (cost - bucket.level).max(0);
        if enough || after_the_fact {
            let floor = if self.tier.may_owe() { i64::MIN } else { 0 };
            bucket.level = bucket.level.saturating_sub(cost).max(floor);
        }
        self.buckets[usage as usize] = Some(bucket);
        let seconds = |tokens: i64| u64::try_from(tokens.max(0)).unwrap_or(0).div_ceil((rate * TOKEN).unsigned_abs());
        let reset_s = now_ns / SECOND + seconds(burst * TOKEN - bucket.level);
        (enough, bucket.level.div_euclid(TOKEN), reset_s, seconds(missing).max(1))
    }
}

impl Core {
    /// Draws the cost of a request from its signer's bucket, all of it or nothing.
    pub fn use_rate(&mut self, key: KeyId, usage: RateUse, cost: u32, now_ns: Nanos) -> RateReply {
        self.draw(key, usage, cost, false, now_ns)
    }

    /// Charges what a cancel of a scope turned out to cost.
    pub fn charge_rate(&mut self, key: KeyId, usage: RateUse, cost: u32, now_ns: Nanos) -> RateReply {
        self.draw(key, usage, cost, true, now_ns)
    }

    fn draw(&mut self, key: KeyId, usage: RateUse, cost: u32, after_the_fact: bool, now_ns: Nanos) -> RateReply {
        self.advance(now_ns);
        let now_ns = self.now_ns;
        let enforce = self.config.enforce_rates;
        let user = self.keys.get(key).map_or(UserId(u32::MAX), |record| record.user);
        let Some(user) = self.users.get_mut(user.0 as usize) else {
            return RateReply {
                allowed: false,
                warning: true,
                remaining: 0,
                reset_s: now_ns / SECOND,
                retry_after_s: 1,
                tier: Tier::Standard,
            };
        };
        let (enough, remaining, reset_s, retry_after_s) = user.rates.take(usage, cost, after_the_fact, now_ns);
        let allowed = enough || after_the_fact || !enforce;
        RateReply { allowed, warning: !enough, remaining, reset_s, retry_after_s, tier: user.rates.tier }
    }

    /// Puts the owner of a signing address into a tier.
    pub fn set_tier(&mut self, address: oddsmith_domain::Address, tier: Tier) {
        let user = self.user(address);
        if let Some(user) = self.users.get_mut(user.0 as usize) {
            user.rates.tier = tier;
        }
    }
}
