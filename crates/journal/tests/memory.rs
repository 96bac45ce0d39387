//! Writing down takes no memory once the encoder has seen the longest payload.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use oddsmith_domain::{Action, Input, MarketId, MarketSource, OrderId, Outcome, Output, OutputBody, RunId, Time};
use oddsmith_journal::{Encoder, Options, RecordHead, Writer};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's memory, counted by thread.
struct Counting;

#[allow(unsafe_code, reason = "an allocator cannot be written otherwise; it only passes on to the system's")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on unchanged.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static MEMORY: Counting = Counting;

fn write(writer: &mut Writer, encoder: &mut Encoder, frame: &[u8], output: &Output, mono_ns: u64) {
    let time = Time { mono_ns, wall_ns: mono_ns };
    let record = encoder.input(&Input::Market { source: MarketSource::Shard(0), bytes: frame }).expect("encodes");
    writer.append(&RecordHead { time, kind: record.kind, ids: record.ids }, record.payload).expect("room");
    let record = encoder.output(output).expect("encodes");
    writer.append(&RecordHead { time, kind: record.kind, ids: record.ids }, record.payload).expect("room");
}

#[test]
fn encoding_and_appending_allocate_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { segment_bytes: 16 << 20, ..Options::default() };
    let mut writer = Writer::create(dir.path(), RunId([1; 16]), &options).expect("a journal");
    let mut encoder = Encoder::default();
    let frame = [b'x'; 700];
    let cancel = Action::Cancel { order: OrderId([2; 32]), asset: MarketId(3).asset(Outcome::Yes) };
    let output = Output { seq: 1, body: OutputBody::Action(cancel) };
    write(&mut writer, &mut encoder, &frame, &output, 0);

    let before = ALLOCATIONS.with(Cell::get);
    for mono_ns in 1..=10_000 {
        write(&mut writer, &mut encoder, &frame, &output, mono_ns);
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    assert_eq!(writer.next_sequence(), 20_003);
    assert!(writer.bytes_used() < options.segment_bytes as u64, "one segment, so that none was taken meanwhile");

    // The counter counts: the same bytes into a list of their own are seen.
    let before = ALLOCATIONS.with(Cell::get);
    assert_eq!(frame.to_vec().len(), 700);
    assert!(ALLOCATIONS.with(Cell::get) > before);
}
