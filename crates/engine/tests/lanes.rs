//! Lossless inputs never wait for more than one slice of market frames.

mod common;

use common::{Desk, card, trade_frame};
use oddsmith_domain::{Action, Command, Input, MarketSource, Output, OutputBody, Time};
use oddsmith_engine::{Lanes, OwnedInput, SLICE_FRAMES, Sink};

struct Tape {
    now: Time,
    step_ns: u64,
    frames: usize,
    frames_before_user: Option<usize>,
    frames_before_cancel: Option<usize>,
    ticks: usize,
}

impl Sink for Tape {
    fn record(&mut self, input: &Input<'_>, _now: Time, outputs: &[Output]) {
        match input {
            Input::Market { .. } => self.frames += 1,
            Input::User { .. } => self.frames_before_user = Some(self.frames),
            Input::Tick => self.ticks += 1,
            _ => {}
        }
        if outputs.iter().any(|o| matches!(o.body, OutputBody::Action(Action::CancelAll))) {
            self.frames_before_cancel.get_or_insert(self.frames);
        }
    }

    fn now(&mut self) -> Time {
        self.now = self.now.plus_ns(self.step_ns);
        self.now
    }
}

fn change(n: u64) -> String {
    let c = card(0);
    format!(
        r#"{{"event_type":"price_change","market":"{}","timestamp":"{}","price_changes":[{{"asset_id":"{}","price":"0.30","size":"{}","side":"BUY"}}]}}"#,
        c.condition,
        1_790_000_100_000 + n,
        c.tokens[0],
        n + 1,
    )
}

fn loaded(step_ns: u64) -> (Desk, Lanes, Tape) {
    let desk = Desk::quoting();
    let mut lanes = Lanes::new();
    for n in 0..10_000 {
        lanes.push_frame(MarketSource::Shard(0), change(n).as_bytes());
    }
    let tape =
        Tape { now: desk.now, step_ns, frames: 0, frames_before_user: None, frames_before_cancel: None, ticks: 0 };
    (desk, lanes, tape)
}

#[test]
fn a_fill_behind_ten_thousand_frames_waits_at_most_one_slice() {
    let (mut desk, mut lanes, mut tape) = loaded(100);
    assert!(lanes.slice(&mut desk.engine, &mut tape));
    let bid = desk.resting_buy();
    let frame = trade_frame("late", &bid, bid.size, "MATCHED", desk.now);
    lanes.push(OwnedInput::User(frame.into_bytes()));
    let arrived_after = tape.frames;
    assert!(lanes.slice(&mut desk.engine, &mut tape));
    let waited = tape.frames_before_user.expect("it was served") - arrived_after;
    assert!(waited <= SLICE_FRAMES, "{waited} frames went before it");
    while lanes.slice(&mut desk.engine, &mut tape) {}
    assert_eq!(tape.frames, 10_000, "and no frame was lost");
    assert_eq!(lanes.waiting(), (0, 0));
}

#[test]
fn a_stop_behind_ten_thousand_frames_cancels_within_one_slice() {
    let (mut desk, mut lanes, mut tape) = loaded(100);
    lanes.slice(&mut desk.engine, &mut tape);
    lanes.push(OwnedInput::Other(Input::Command(Command::Stop)));
    let arrived_after = tape.frames;
    lanes.slice(&mut desk.engine, &mut tape);
    let waited = tape.frames_before_cancel.expect("it was cancelled") - arrived_after;
    assert!(waited <= SLICE_FRAMES, "{waited} frames went before the cancel");
}

#[test]
fn a_slow_frame_ends_its_slice() {
    let (mut desk, mut lanes, mut tape) = loaded(30_000);
    lanes.slice(&mut desk.engine, &mut tape);
    assert!(tape.frames <= 3, "{} frames in a slice that should last 50 µs", tape.frames);
}

#[test]
fn ticks_never_pile_up() {
    let (mut desk, mut lanes, mut tape) = loaded(100);
    let mut slices = 0;
    while lanes.slice(&mut desk.engine, &mut tape) {
        slices += 1;
    }
    assert!(tape.ticks <= slices + 1, "{} ticks in {slices} slices", tape.ticks);
}
