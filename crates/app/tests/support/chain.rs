//! Runs that go on after each other: where they are, what each ended with, and that all of them hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oddsmith_domain::{MarketId, Outcome, Restore, RunId, Shares, TokenId, Usdc};
use oddsmith_engine::Facts;
use oddsmith_journal::{Kind, Reader, decode_input, decode_output};

use super::oddsmith;

/// The runs in the order in which they began: each one's folder and manifest.
pub fn runs(data: &Path) -> Vec<(PathBuf, serde_json::Value)> {
    let entries = std::fs::read_dir(data.join("runs")).expect("runs");
    let mut runs: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|dir| {
            let text = std::fs::read_to_string(dir.join("manifest.json")).expect("a manifest");
            (dir, serde_json::from_str::<serde_json::Value>(&text).expect("JSON"))
        })
        .collect();
    runs.sort_by_key(|(_, manifest)| manifest["started_wall_ns"].as_u64());
    runs
}

/// What a run's journal says in the end.
pub fn facts(dir: &Path) -> Restore {
    let (mut reader, mut facts) = (Reader::open(dir).expect("a journal"), Facts::default());
    while let Some(record) = reader.next().expect("a record") {
        if record.head.kind == Kind::RESTORE {
            facts.input(&decode_input(record.payload).expect("an input"));
        } else if record.head.kind.is_output() {
            facts.apply(&decode_output(record.payload).expect("an output"), record.head.time);
        }
    }
    facts.into_restore()
}

/// Collateral and tokens by our books.
pub fn ours(restore: &Restore) -> (Usdc, BTreeMap<TokenId, Shares>) {
    let cash = restore.capital.expect("a capital") + restore.accounts.iter().map(|a| a.account.cash).sum();
    let mut tokens = BTreeMap::new();
    for line in restore.accounts.iter().filter(|line| line.market != MarketId::CLOSED) {
        let card = &restore.markets[line.market.index()].card;
        for outcome in Outcome::BOTH {
            *tokens.entry(card.token(outcome)).or_insert(Shares::ZERO) += line.account.shares[outcome.index()];
        }
    }
    tokens.retain(|_, size| !size.is_zero());
    (cash, tokens)
}

pub fn assert_every_run_replays(data: &Path) {
    for (dir, _) in runs(data) {
        let replay = oddsmith(data, &["replay", &dir.to_string_lossy()]);
        assert_eq!(replay.code, 0, "{}{}", replay.out, replay.err);
        assert!(replay.out.contains("identical"), "{}", replay.out);
        let audit = oddsmith(data, &["audit", &dir.to_string_lossy()]);
        assert_eq!(audit.code, 0, "{}{}", audit.out, audit.err);
    }
}

pub fn predecessor(manifest: &serde_json::Value) -> Option<RunId> {
    manifest["predecessor"].as_str().map(|text| text.parse().expect("a run id"))
}

/// The report of all runs together sums to the ledger that the last of them ended with.
pub fn assert_the_chain_is_one_report(data: &Path, runs: usize) {
    let report = |more: &[&str]| -> serde_json::Value {
        let said = oddsmith(data, &[&["report", "latest", "--json"], more].concat());
        assert_eq!(said.code, 0, "{said:?}");
        serde_json::from_str(&said.out).expect("an object")
    };
    let (chain, last) = (report(&["--chain"]), report(&[]));
    let amount = |value: &serde_json::Value| -> Usdc { value.as_str().expect("an amount").parse().expect("an amount") };
    let total = &chain["attribution"]["total"];
    assert_eq!(total["total"], last["attribution"]["total"]["total"]);
    let parts: Usdc =
        total.as_object().expect("parts").iter().filter(|(name, _)| *name != "total").map(|(_, v)| amount(v)).sum();
    assert_eq!(parts, amount(&total["total"]), "{total}");
    assert_eq!(chain["joined"][0], "chain");
    let own = chain["joined"][1].as_array().expect("runs");
    assert_eq!(own.len(), runs);
    let earned: Usdc = own.iter().map(|run| amount(&run["profit"])).sum();
    assert_eq!(earned + amount(&total["carried"]), amount(&total["total"]));
    let page = oddsmith(data, &["report", "latest", "--chain", "--out", "-"]);
    assert!(page.out.contains(&format!("{runs} runs")) && page.out.contains("they agree"), "{}", page.err);
}
