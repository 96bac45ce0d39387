//! The Data API: what an account holds (protocol section 10.2).

use oddsmith_domain::{AssetId, ConditionId, DecimalError, Shares, Usdc};

use super::rest::markets::condition;
use super::rest::{RestFault, decode};
use crate::AssetTable;
use crate::wire::{DataEnvelope, DataValue, DataValueV2, Position, PositionV2};

const POSITION: &str = "a position of the Data API";
const VALUE: &str = "a value of the Data API";

/// Shares of one token that an account holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The token, in the venue's text.
    pub token: String,
    /// The token, when it is one of ours.
    pub asset: Option<AssetId>,
    /// Its market.
    pub condition: ConditionId,
    /// How much of it, rounded down to millionths.
    pub size: Shares,
    /// Whether its market is decided and it can be redeemed.
    pub redeemable: bool,
    /// Whether the complement is held too, so that pairs can be merged.
    pub mergeable: bool,
}

/// `GET /positions`. All or nothing: a position that is not understood would be money that is not seen.
///
/// # Errors
/// [`RestFault`].
pub fn positions(body: &[u8], assets: &AssetTable) -> Result<Vec<Holding>, RestFault> {
    let positions = decode::<Vec<Position>>(POSITION, body)?.value;
    positions
        .into_iter()
        .map(|position| {
            Ok(Holding {
                asset: assets.lookup(position.asset.as_str().as_bytes()),
                token: position.asset.as_str().to_owned(),
                condition: condition(POSITION, &position.condition_id)?,
                size: amount(POSITION, "size", position.size.as_str()).map(Shares::from_micros)?,
                redeemable: position.redeemable,
                mergeable: position.mergeable,
            })
        })
        .collect()
}

/// `GET /v2/positions`: the positions of the page and where the next one begins.
///
/// # Errors
/// [`RestFault`].
pub fn positions_v2(body: &[u8], assets: &AssetTable) -> Result<(Vec<Holding>, Option<String>), RestFault> {
    let page = decode::<DataEnvelope<Vec<PositionV2>>>(POSITION, body)?.value;
    let next = match page.pagination {
        Some(pagination) if pagination.has_more => {
            let missing = || RestFault { what: POSITION, why: String::from("more pages, but no cursor") };
            Some(pagination.next_cursor.ok_or_else(missing)?)
        }
        _ => None,
    };
    let holdings = page.data.into_iter().map(|position| {
        Ok(Holding {
            asset: assets.lookup(position.token_id.as_str().as_bytes()),
            token: position.token_id.as_str().to_owned(),
            condition: condition(POSITION, &position.condition_id)?,
            size: amount(POSITION, "current_size", position.current_size.as_str()).map(Shares::from_micros)?,
            redeemable: position.redeemable,
            mergeable: position.mergeable,
        })
    });
    Ok((holdings.collect::<Result<_, _>>()?, next))
}

/// `GET /value` or `GET /v2/value`: what the positions of an account are worth, rounded down to millionths.
///
/// # Errors
/// [`RestFault`].
pub fn value(body: &[u8]) -> Result<Usdc, RestFault> {
    if let Ok(v2) = decode::<DataEnvelope<DataValueV2>>(VALUE, body) {
        return amount(VALUE, "value", v2.value.data.value.as_str()).map(Usdc::from_micros);
    }
    let values = decode::<Vec<DataValue>>(VALUE, body)?.value;
    match values.as_slice() {
        // an account without positions
        [] => Ok(Usdc::ZERO),
        [one] => amount(VALUE, "value", one.value.as_str()).map(Usdc::from_micros),
        _ => Err(RestFault { what: VALUE, why: format!("{} values for one account", values.len()) }),
    }
}

/// A number that was a float on its way: digits beyond the sixth decimal are cut off.
fn amount(what: &'static str, name: &str, text: &str) -> Result<i64, RestFault> {
    let end = text.find('.').map_or(text.len(), |point| text.len().min(point.saturating_add(7)));
    let refuse = |why: DecimalError| RestFault::field(what, name, why, text);
    let beyond = text.get(end..).unwrap_or_default();
    if !beyond.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse(DecimalError::Syntax));
    }
    let parsed = Shares::parse(text.get(..end).unwrap_or_default().as_bytes()).map_err(refuse)?;
    Ok(parsed.micros())
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{MarketId, Outcome};
    use proptest::prelude::*;

    use super::*;
    use crate::assets::tests::card;

    fn assets() -> AssetTable {
        let mut assets = AssetTable::new();
        assets.insert(MarketId(0), &card("0xab", ["111", "222"]));
        assets
    }

    #[test]
    fn positions_of_both_versions() {
        let v1 = "[{\"proxyWallet\":\"0x1\",\"asset\":\"222\",\"conditionId\":\"0xab\",\"size\":262.9812349,\
                   \"avgPrice\":0.6,\"redeemable\":true,\"new\":1}]";
        let held = positions(v1.as_bytes(), &assets()).expect("positions");
        assert_eq!(held.len(), 1);
        assert_eq!(
            (held[0].asset, held[0].size.to_string()),
            (Some(MarketId(0).asset(Outcome::No)), "262.981234".into())
        );
        let v2 = "{\"data\":[{\"proxy_wallet\":\"0x1\",\"token_id\":\"333\",\"condition_id\":\"0xab\",\
                   \"current_size\":\"5\",\"avg_price\":\"0.5\",\"status\":\"OPEN\"}],\
                   \"pagination\":{\"has_more\":true,\"next_cursor\":\"c\"}}";
        let (held, next) = positions_v2(v2.as_bytes(), &assets()).expect("positions");
        assert_eq!((held[0].asset, held[0].size, next.as_deref()), (None, Shares::from_whole(5), Some("c")));
        assert!(positions_v2(v2.replace("\"c\"", "null").as_bytes(), &assets()).is_err());
        for bad in [v1.replace("262.9812349", "\"many\""), v1.replace("0xab", "ab"), v1.replace("262.9812349", "1e300")]
        {
            assert!(positions(bad.as_bytes(), &assets()).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_of_both_versions() {
        for (body, micros) in [
            ("[{\"user\":\"0x1\",\"value\":0}]", 0),
            ("[{\"user\":\"0x1\",\"value\":159.3387}]", 159_338_700),
            ("[]", 0),
            ("{\"data\":{\"proxy_wallet\":\"0x1\",\"value\":\"12.5\"}}", 12_500_000),
        ] {
            assert_eq!(value(body.as_bytes()), Ok(Usdc::from_micros(micros)), "{body}");
        }
        for bad in
            ["", "{}", "[1]", "[{\"user\":\"a\",\"value\":1},{\"user\":\"b\",\"value\":1}]", "[{\"user\":\"a\"}]"]
        {
            assert!(value(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in ".{0,30}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = amount("x", "y", &text);
            let _ = (positions(&body, &assets()), positions_v2(&body, &assets()), value(&body));
        }
    }
}
