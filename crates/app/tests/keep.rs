//! What becomes of runs that are over: packed journals answer every question as plain ones do, and what a later run needs stays.

mod support;

use oddsmith_exchange::server::{Server, ServerConfig};
use support::live::venue_flags;
use support::{Ran, data, oddsmith};

fn runs(data: &std::path::Path) -> Vec<String> {
    let listed = oddsmith(data, &["journal", "ls"]);
    listed.out.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Answers to everything that is asked of a journal.
fn answers(data: &std::path::Path, run: &str) -> Vec<(i32, String)> {
    let asked: [&[&str]; 4] = [&["journal", "verify"], &["journal", "cat"], &["replay"], &["audit"]];
    let told = |Ran { code, out, .. }: Ran| (code, out);
    asked.iter().map(|words| told(oddsmith(data, &[words, &[run][..]].concat()))).collect()
}

#[test]
fn a_packed_run_is_verified_printed_replayed_audited_and_gone_on_after() {
    let data = data();
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let flags = venue_flags(&exchange);
    let run = || {
        let mut words = vec!["run", "--for", "3s", "--status", "0"];
        words.extend(flags.iter().map(String::as_str));
        let ran = oddsmith(data.path(), &words);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    };
    run();
    let first = runs(data.path()).remove(0);
    let plain = answers(data.path(), &first);
    assert!(plain.iter().all(|(code, _)| *code == 0), "{plain:?}");
    let packed = oddsmith(data.path(), &["journal", "pack", &first]);
    assert!(packed.code == 0 && packed.out.contains("1 segments packed"), "{}{}", packed.out, packed.err);
    assert!(data.path().join("runs").join(&first).join("00000000.segment.zst").exists());
    assert_eq!(answers(data.path(), &first), plain);

    // The next run goes on after the packed one, and then nobody needs that one any more.
    run();
    let second = runs(data.path()).remove(1);
    let manifest =
        std::fs::read_to_string(data.path().join("runs").join(&second).join("manifest.json")).expect("a manifest");
    assert!(manifest.contains(&first), "{manifest}");
    let look = oddsmith(data.path(), &["journal", "prune", "--keep-mib", "0", "--dry-run"]);
    assert!(look.out.contains("would go") && runs(data.path()).len() == 2, "{}", look.out);
    let pruned = oddsmith(data.path(), &["journal", "prune", "--keep-mib", "0"]);
    assert_eq!(pruned.code, 0, "{}{}", pruned.out, pruned.err);
    assert!(pruned.out.contains("is gone") && pruned.out.contains("goes on after it"), "{}", pruned.out);
    assert_eq!(runs(data.path()), [second.as_str()]);
    run();
    let nothing = oddsmith(data.path(), &["journal", "prune"]);
    assert!(nothing.code == 2 && nothing.err.contains("--older-than"), "{}", nothing.err);
    let young = oddsmith(data.path(), &["journal", "prune", "--older-than", "1h"]);
    assert!(young.code == 0 && young.out.is_empty() && runs(data.path()).len() == 2, "{}", young.out);
}
