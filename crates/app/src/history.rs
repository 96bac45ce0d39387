//! What a run goes on after: the last run of the same account at the same venue, folded from its journal.
//!
//! An account on paper is an account of its own: its runs go on after each other, and never after a run that sent real orders.

use std::path::PathBuf;

use oddsmith_domain::{Address, Latch, Restore, RunId};
use oddsmith_engine::Facts;
use oddsmith_journal::{Ending, Kind, Reader, decode_input, decode_output, is_journal};

use crate::data::{DataDir, Manifest, Run};
use crate::failure::Failure;

/// What the manifest of a live run says it was asked to do.
pub const LIVE: &str = "run";
/// The same of a run on paper.
pub const ON_PAPER: &str = "run on paper";

/// Whose runs count as the past of a run.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    /// The account that trades.
    pub account: Address,
    /// The venue as manifests name it, see [`venue_name`].
    pub venue: &'a str,
}

/// The name of a venue that outlives its runs: its REST address, and a word if orders go to a venue on paper beside it.
pub fn venue_name(rest_url: &str, on_paper: bool) -> String {
    if on_paper { format!("on paper: {rest_url}") } else { rest_url.to_owned() }
}

/// The run before, and what it left behind.
#[derive(Debug)]
pub struct History {
    /// The run before.
    pub run: RunId,
    /// Where it is.
    pub dir: PathBuf,
    /// Its facts.
    pub restore: Restore,
    /// What of its journal's end is lost, if so.
    pub torn: Option<String>,
}

/// Finds the run to go on after and folds its journal; `None` when there is none. A run that was killed before it took over the facts of
/// the one before it did nothing, and is passed over.
///
/// # Errors
/// [`Failure::Running`] that says what to do, when a journal is damaged or it cannot be told whose a run was. The past is never passed
/// over silently.
pub fn find(data: &DataDir, whose: Whose<'_>) -> Result<Option<History>, Failure> {
    let runs = data.runs()?;
    if let Some(unknown) = runs.iter().find(|run| run.manifest.is_none() && is_journal(&run.dir)) {
        let why = Manifest::read(&unknown.dir).err().map_or_else(String::new, |error| format!(" ({error})"));
        return Err(Failure::Running(format!(
            "the manifest of {} cannot be read{why}, so nobody can tell whether that run is this account's past: move it away if it is \
             not, mend it if it is, or give the past up with --fresh",
            unknown.dir.display()
        )));
    }
    let mine = |run: &&Run| run.manifest.as_ref().is_some_and(|manifest| is_whose(manifest, whose));
    let mut next = runs.iter().rev().find(mine);
    while let Some(run) = next {
        let Some(manifest) = &run.manifest else { break };
        if let Some(history) = read(run, manifest)? {
            return Ok(Some(history));
        }
        next = manifest.predecessor.and_then(|before| runs.iter().find(|run| is_run(run, before)));
        if let (None, Some(before)) = (next, manifest.predecessor) {
            return Err(Failure::Running(format!(
                "run {} goes on after run {before}, which is not in {}: bring it back, or give the past up with --fresh",
                run.name(),
                data.runs_dir().display()
            )));
        }
    }
    Ok(None)
}

fn is_whose(manifest: &Manifest, whose: Whose<'_>) -> bool {
    matches!(manifest.command.as_str(), LIVE | ON_PAPER)
        && manifest.account == Some(whose.account)
        && manifest.venue.as_deref() == Some(whose.venue)
}

fn is_run(run: &Run, id: RunId) -> bool {
    run.manifest.as_ref().is_some_and(|manifest| manifest.run_id == id)
}

/// Folds a run's journal; `None` if the run never came so far as to have facts.
fn read(run: &Run, manifest: &Manifest) -> Result<Option<History>, Failure> {
    let dir = run.dir.display();
    let damaged = |what: &dyn std::fmt::Display| {
        Failure::Running(format!(
            "the journal in {dir} is this account's past and cannot be read: {what}; bring it back from a copy, or give the past up \
             with --fresh"
        ))
    };
    if !is_journal(&run.dir) {
        return Ok(None);
    }
    let mut reader = Reader::open(&run.dir).map_err(|error| damaged(&error))?;
    let (mut facts, mut restored) = (Facts::default(), false);
    while let Some(record) = reader.next().map_err(|error| damaged(&error))? {
        let undecodable = |error| damaged(&format!("record {}: {error}", record.sequence));
        if record.head.kind == Kind::RESTORE {
            restored = true;
            facts.input(&decode_input(record.payload).map_err(undecodable)?);
        } else if record.head.kind.is_output() {
            facts.apply(&decode_output(record.payload).map_err(undecodable)?, record.head.time);
        }
    }
    let torn = match reader.ending().map_err(|error| damaged(&error))? {
        Ending::Torn(damage) => Some(format!("{damage}, {} bytes are lost", damage.lost_bytes)),
        Ending::Sealed | Ending::Open => None,
    };
    if facts.run() != manifest.run_id || (manifest.predecessor.is_some() && !restored) {
        return Ok(None);
    }
    Ok(Some(History { run: manifest.run_id, dir: run.dir.clone(), restore: facts.into_restore(), torn }))
}

/// What is given up with a run's past, in words; `None` if that is nothing. A venue on paper goes with it.
///
/// # Errors
/// [`Failure::Usage`] when the kill switch is thrown: only a reset undoes it, and not a start without memory.
pub fn given_up(history: &History, on_paper: bool) -> Result<Option<String>, Failure> {
    let restore = &history.restore;
    if restore.latches.iter().any(|latched| matches!(latched.latch, Latch::Kill(_))) {
        return Err(Failure::Usage(format!(
            "the kill switch is thrown since run {}: start without --fresh, look, and undo it with `oddsmith reset`",
            history.run
        )));
    }
    let held = restore.accounts.iter().filter(|a| !a.account.is_flat()).count();
    let open = restore.orders.iter().filter(|order| !order.state.is_final()).count();
    let unsettled = restore.fills.iter().filter(|fill| fill.booked.is_some_and(|b| !b.is_final())).count();
    let realized: oddsmith_domain::Usdc = restore.accounts.iter().map(|a| a.account.realized).sum();
    let latches = restore.latches.len();
    if held + open + unsettled + latches == 0 {
        return Ok(None);
    }
    let (alive, left) = match on_paper {
        true => ("died with their venue", "the account on paper begins anew"),
        false => ("may be alive", "what the wallet holds belongs to no instance"),
    };
    Ok(Some(format!(
        "the past of run {} is given up: {held} positions with their cost, {open} orders that {alive}, {unsettled} fills that are \
         not settled, {latches} latches, {realized} pUSD realised; {left}",
        history.run
    )))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use oddsmith_domain::{Event, Output, OutputBody, Time};
    use oddsmith_journal::{Encoder, Options, RecordHead, Writer};

    use super::*;
    use crate::pages::NewRun;

    const ACCOUNT: Address = Address([1; 20]);
    const WHOSE: Whose<'_> = Whose { account: ACCOUNT, venue: "http://there" };

    fn manifest(n: u8, predecessor: Option<u8>) -> Manifest {
        let config = serde_json::Value::Null;
        let new = NewRun {
            id: RunId([n; 16]),
            command: "run",
            config,
            seed: [n; 32],
            journal: Options::default(),
            account: Some(ACCOUNT),
            venue: Some("http://there".to_owned()),
            predecessor: predecessor.map(|n| RunId([n; 16])),
        };
        Manifest { started_wall_ns: u64::from(n), ..Manifest::of(&new) }
    }

    fn run(data: &DataDir, manifest: &Manifest, events: &[Event]) -> PathBuf {
        let dir = data.runs_dir().join(manifest.run_id.to_string().trim_start_matches("0x"));
        fs::create_dir_all(&dir).expect("a folder");
        fs::write(dir.join("manifest.json"), serde_json::to_string(manifest).expect("JSON")).expect("written");
        let options = Options { segment_bytes: 1 << 16, ..Options::default() };
        let mut writer = Writer::create(&dir, manifest.run_id, &options).expect("a journal");
        let mut encoder = Encoder::default();
        for (seq, event) in (1u64..).zip(events) {
            let output = Output { seq, body: OutputBody::Event(event.clone()) };
            let record = encoder.output(&output).expect("encodes");
            let head = RecordHead { time: Time { mono_ns: 1, wall_ns: 5 }, kind: record.kind, ids: record.ids };
            writer.append(&head, record.payload).expect("written");
        }
        writer.close().expect("closed");
        dir
    }

    fn began(n: u8) -> Event {
        Event::Began { run: RunId([n; 16]), account: ACCOUNT, instances: vec!["maker".to_owned()] }
    }

    #[test]
    fn the_last_run_of_the_same_account_and_venue_is_the_past() {
        let temp = tempfile::tempdir().expect("a folder");
        let data = DataDir::find(Some(temp.path()));
        assert!(find(&data, WHOSE).expect("readable").is_none());
        run(&data, &manifest(1, None), &[began(1)]);
        run(&data, &Manifest { account: Some(Address([2; 20])), ..manifest(2, None) }, &[began(2)]);
        run(&data, &Manifest { venue: None, ..manifest(3, None) }, &[began(3)]);
        run(&data, &Manifest { command: "run --input".to_owned(), ..manifest(4, None) }, &[began(4)]);
        assert_eq!(find(&data, WHOSE).expect("readable").map(|h| h.run), Some(RunId([1; 16])));
    }

    #[test]
    fn runs_on_paper_have_a_past_of_their_own() {
        let temp = tempfile::tempdir().expect("a folder");
        let data = DataDir::find(Some(temp.path()));
        let venue = venue_name(WHOSE.venue, true);
        let on_paper = Whose { venue: &venue, ..WHOSE };
        run(&data, &manifest(1, None), &[began(1)]);
        assert!(find(&data, on_paper).expect("readable").is_none());
        let paper = Manifest { command: ON_PAPER.to_owned(), venue: Some(venue.clone()), ..manifest(2, None) };
        run(&data, &paper, &[began(2)]);
        assert_eq!(find(&data, on_paper).expect("readable").map(|h| h.run), Some(RunId([2; 16])));
        assert_eq!(find(&data, WHOSE).expect("readable").map(|h| h.run), Some(RunId([1; 16])));
    }

    #[test]
    fn a_run_that_did_not_come_to_its_past_is_passed_over() {
        let temp = tempfile::tempdir().expect("a folder");
        let data = DataDir::find(Some(temp.path()));
        run(&data, &manifest(1, None), &[began(1)]);
        run(&data, &manifest(2, Some(1)), &[began(2)]);
        assert_eq!(find(&data, WHOSE).expect("readable").map(|h| h.run), Some(RunId([1; 16])));
        fs::remove_dir_all(data.runs_dir().join("01".repeat(16))).expect("removed");
        let error = find(&data, WHOSE).expect_err("a link is missing").to_string();
        assert!(error.contains("--fresh") && error.contains("bring it back"), "{error}");
    }

    #[test]
    fn a_damaged_past_is_named_and_never_passed_over() {
        let temp = tempfile::tempdir().expect("a folder");
        let data = DataDir::find(Some(temp.path()));
        run(&data, &manifest(1, None), &[began(1)]);
        let dir = run(&data, &manifest(2, None), &[began(2), began(2), began(2)]);
        let segment = dir.join("00000000.segment");
        let mut bytes = fs::read(&segment).expect("a segment");
        bytes[64 + 90] ^= 1;
        fs::write(&segment, bytes).expect("written");
        let error = find(&data, WHOSE).expect_err("damaged").to_string();
        assert!(error.contains("cannot be read") && error.contains("--fresh"), "{error}");
        fs::write(dir.join("manifest.json"), "{").expect("written");
        let error = find(&data, WHOSE).expect_err("nobody's").to_string();
        assert!(error.contains("manifest") && error.contains("--fresh"), "{error}");
    }
}
