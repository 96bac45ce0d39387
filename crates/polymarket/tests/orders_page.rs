//! The page `docs/reference/orders.md` names every refusal code.

use std::fs;
use std::path::Path;

use oddsmith_domain::RefusalCode;

/// The code after this one; a new code does not compile until it is placed here.
const fn next(code: RefusalCode) -> Option<RefusalCode> {
    use RefusalCode::*;
    Some(match code {
        InsufficientBalance => InvalidPrice,
        InvalidPrice => MinSize,
        MinSize => PostOnlyWouldCross,
        PostOnlyWouldCross => PostOnlyMode,
        PostOnlyMode => CancelOnlyMode,
        CancelOnlyMode => TradingDisabled,
        TradingDisabled => EngineRestarting,
        EngineRestarting => RateLimited,
        RateLimited => Duplicate,
        Duplicate => VersionMismatch,
        VersionMismatch => FokNotFilled,
        FokNotFilled => FakNotFilled,
        FakNotFilled => MarketNotReady,
        MarketNotReady => InvalidExpiration,
        InvalidExpiration => Unauthorized,
        Unauthorized => AccountRestricted,
        AccountRestricted => InvalidPayload,
        InvalidPayload => Other,
        Other => return None,
    })
}

#[test]
fn every_refusal_code_is_explained() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/orders.md");
    let page = fs::read_to_string(page).expect("the page");
    let mut code = Some(RefusalCode::InsufficientBalance);
    let mut rows = 0;
    while let Some(known) = code {
        let word = serde_json::to_string(&known).expect("a word");
        let row = format!("| `{}` |", word.trim_matches('"'));
        assert!(page.contains(&row), "{row} is missing");
        rows += 1;
        code = next(known);
    }
    assert_eq!(rows, 19);
}
