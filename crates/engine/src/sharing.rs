//! How instances share a wallet and its markets: settings, and what is wrong with them.

use oddsmith_risk::{CapitalPart, CapitalShare};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use crate::config::{ConfigError, InstanceConfig};

/// What an instance may do beside the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sharing {
    /// The part of the wallet's capital that it may have at work; without one, all that is free.
    pub capital: Option<CapitalPart>,
    /// The most markets in which it holds something or has an order open at once; without one, as many as `limits.max_markets`. 1 … 100000.
    pub max_markets: Option<u32>,
    /// Instances with a higher number come first; among equals the one that stands first in the configuration. -1000 … 1000.
    pub priority: i16,
    /// Whom it pauses in a market while it has a basket, a pair or a winner under way there.
    pub pauses: Pauses,
}

impl Sharing {
    /// Whether nothing is set: everything is as with one instance.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Sharing::default()
    }
}

/// Whom an instance pauses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pauses {
    /// Every instance that comes after it in priority.
    Others,
    /// The instances with these names.
    Named(Vec<String>),
}

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses::Named(Vec::new())
    }
}

/// The word for all that come after.
const OTHERS: &str = "others";

/// The forms that the setting has in a file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Word(String),
    Names(Vec<String>),
}

impl Serialize for Pauses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Pauses::Others => serializer.serialize_str(OTHERS),
            Pauses::Named(names) => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Pauses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pauses, D::Error> {
        match Form::deserialize(deserializer) {
            Ok(Form::Word(word)) if word == OTHERS => Ok(Pauses::Others),
            Ok(Form::Names(names)) => Ok(Pauses::Named(names)),
            Ok(Form::Word(_)) | Err(_) => Err(D::Error::custom("`pauses` is `others` or a list of instances' names")),
        }
    }
}

/// The instances by priority, the first one first, as their places in the configuration.
pub(crate) fn by_priority(instances: &[InstanceConfig]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..instances.len()).collect();
    order.sort_by_key(|&at| instances.get(at).map_or(0, |instance| -i32::from(instance.sharing.priority)));
    order
}

/// Whom each instance pauses, as places in the configuration. A name that is nobody's pauses nobody; [`validate`] refuses it.
pub(crate) fn paused_by(instances: &[InstanceConfig]) -> Vec<Vec<usize>> {
    let order = by_priority(instances);
    let place = |name: &String| instances.iter().position(|instance| instance.name == *name);
    let of = |at: usize, pauses: &Pauses| match pauses {
        Pauses::Others => order.iter().copied().skip_while(|other| *other != at).skip(1).collect(),
        Pauses::Named(names) => names.iter().filter_map(place).collect(),
    };
    instances.iter().enumerate().map(|(at, instance)| of(at, &instance.sharing.pauses)).collect()
}

/// Checks how the instances share.
///
/// # Errors
/// The first thing that is wrong, with the names of those that it concerns.
pub(crate) fn validate(instances: &[InstanceConfig]) -> Result<(), ConfigError> {
    let wrong = |instance: &InstanceConfig, name: &'static str, why: String| {
        Err(ConfigError::Sharing { instance: instance.name.clone(), name, why })
    };
    let mut shares = Vec::new();
    for instance in instances {
        let Sharing { capital, max_markets, priority, pauses } = &instance.sharing;
        match capital {
            Some(CapitalPart::Share(share)) if !share.is_part() => {
                return wrong(instance, "capital.share", "more than 0 and at most 1 is needed".to_owned());
            }
            Some(CapitalPart::Amount(amount)) if !amount.is_positive() => {
                return wrong(instance, "capital.amount", "more than 0 is needed".to_owned());
            }
            Some(CapitalPart::Share(share)) => shares.push((instance.name.as_str(), share.millionths())),
            Some(CapitalPart::Amount(_)) | None => {}
        }
        if max_markets.is_some_and(|most| !(1..=100_000).contains(&most)) {
            return wrong(instance, "max_markets", "1 … 100000 is needed".to_owned());
        }
        if !(-1_000..=1_000).contains(priority) {
            return wrong(instance, "priority", "-1000 … 1000 is needed".to_owned());
        }
        let Pauses::Named(names) = pauses else { continue };
        for name in names {
            if *name == instance.name {
                return wrong(instance, "pauses", "an instance cannot pause itself".to_owned());
            }
            if !instances.iter().any(|other| other.name == *name) {
                return wrong(instance, "pauses", format!("no instance is named `{name}`"));
            }
        }
    }
    let sum: i64 = shares.iter().map(|(_, share)| share).sum();
    if sum > CapitalShare::ALL.millionths() {
        let instances = shares.iter().map(|(name, _)| (*name).to_owned()).collect();
        let sum = oddsmith_domain::Usdc::from_micros(sum);
        return Err(ConfigError::Shares { instances, sum });
    }
    match circle(&paused_by(instances)).and_then(|at| instances.get(at)) {
        Some(instance) => {
            wrong(instance, "pauses", "whom it pauses would pause it in turn, and none of them could go on".to_owned())
        }
        None => Ok(()),
    }
}

/// An instance that pauses itself by way of others.
fn circle(pauses: &[Vec<usize>]) -> Option<usize> {
    (0..pauses.len()).find(|&from| {
        let mut reached = vec![false; pauses.len()];
        let mut ahead = vec![from];
        while let Some(at) = ahead.pop() {
            for &next in pauses.get(at).into_iter().flatten() {
                if let Some(seen) = reached.get_mut(next).filter(|seen| !**seen) {
                    *seen = true;
                    ahead.push(next);
                }
            }
        }
        reached.get(from).copied().unwrap_or(false)
    })
}

#[cfg(test)]
mod tests {
    use oddsmith_strategy::{StrategyConfig, skewed_maker::Parameters};

    use super::*;

    fn instance(name: &str, sharing: &str) -> InstanceConfig {
        InstanceConfig {
            name: name.to_owned(),
            markets: vec!["*".to_owned()],
            strategy: StrategyConfig::SkewedMaker(Parameters::default()),
            listener: Default::default(),
            sharing: serde_json::from_str(sharing).expect("a setting"),
        }
    }

    fn refused(sharing: &[&str]) -> String {
        let instances: Vec<_> = ["a", "b", "c"].iter().zip(sharing).map(|(name, s)| instance(name, s)).collect();
        validate(&instances).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(refused(&["{}", "{}", "{}"]), "");
        let share = |share: &str| format!(r#"{{"capital": {{"share": "{share}"}}}}"#);
        assert_eq!(refused(&[&share("0.5"), &share("0.25"), &share("0.25")]), "");
        let over = refused(&[&share("0.5"), "{}", &share("0.500001")]);
        assert!(over.contains("`a`, `c`") && over.contains("1.000001"), "{over}");
        for (wrong, what) in [
            (share("0").as_str(), "capital.share"),
            (&share("1.1"), "capital.share"),
            (&share("-0.1"), "capital.share"),
            (r#"{"capital": {"amount": "0"}}"#, "capital.amount"),
            (r#"{"max_markets": 0}"#, "max_markets"),
            (r#"{"priority": 1001}"#, "priority"),
            (r#"{"pauses": ["a"]}"#, "itself"),
            (r#"{"pauses": ["d"]}"#, "`d`"),
        ] {
            let error = refused(&[wrong, "{}"]);
            assert!(error.contains("`a`") && error.contains(what), "{wrong}: {error}");
        }
        for wrong in
            [r#"{"pauses": "all"}"#, r#"{"pauses": 3}"#, r#"{"capital": {"share": "1", "amount": "1"}}"#, r#"{"x": 1}"#]
        {
            assert!(serde_json::from_str::<Sharing>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nobody_pauses_whom_it_waits_for() {
        assert!(refused(&[r#"{"pauses": ["b"]}"#, r#"{"pauses": ["a"]}"#]).contains("in turn"));
        assert!(refused(&[r#"{"pauses": ["b"]}"#, r#"{"pauses": ["c"]}"#, r#"{"pauses": ["a"]}"#]).contains("in turn"));
        assert_eq!(refused(&[r#"{"pauses": "others"}"#, r#"{"pauses": "others"}"#, "{}"]), "");
        assert_eq!(refused(&[r#"{"pauses": ["b", "c"]}"#, r#"{"pauses": ["c"]}"#, "{}"]), "");
    }

    #[test]
    fn priority_is_the_files_order_unless_it_is_set() {
        let order = |sharing: [&str; 3]| {
            let instances: Vec<_> = ["a", "b", "c"].iter().zip(sharing).map(|(name, s)| instance(name, s)).collect();
            (by_priority(&instances), paused_by(&instances))
        };
        let none: Vec<usize> = Vec::new();
        assert_eq!(order(["{}", "{}", "{}"]), (vec![0, 1, 2], vec![none.clone(); 3]));
        let (by, paused) =
            order([r#"{"priority": -1}"#, r#"{"pauses": "others"}"#, r#"{"priority": 5, "pauses": ["b"]}"#]);
        assert_eq!(by, [2, 1, 0]);
        assert_eq!(paused, [none, vec![0], vec![1]]);
    }

    #[test]
    fn settings_survive_their_json() {
        for text in [r#"{"capital":{"share":"0.25"},"priority":3,"pauses":"others"}"#, r#"{"pauses":["b"]}"#, "{}"] {
            let sharing: Sharing = serde_json::from_str(text).expect("settings");
            let again = serde_json::to_string(&sharing).expect("json");
            assert_eq!(serde_json::from_str::<Sharing>(&again).expect("settings"), sharing);
        }
    }
}
