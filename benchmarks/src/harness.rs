//! Interleaved measurement: every round runs every contender, so that the machine's moods hit all of them alike.

use std::time::{Duration, Instant};

/// Something that is measured: runs its work so many times.
pub type Work<'a> = Box<dyn FnMut(u64) + 'a>;

/// One contender's figures.
#[derive(Clone, Debug)]
pub struct Figures {
    pub name: String,
    /// Median over the rounds, in nanoseconds for one operation.
    pub median_ns: f64,
    /// Median over the rounds of this contender's time over the first one's.
    pub over_first: f64,
}

/// How long to measure. Slices are shorter than a scheduler's, so that on a busy machine most of them run undisturbed and the
/// median is one of those.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub rounds: usize,
    pub slice: Duration,
    /// Shorter and coarser.
    pub quick: bool,
}

impl Effort {
    pub const FULL: Effort = Effort { rounds: 301, slice: Duration::from_millis(2), quick: false };
    pub const QUICK: Effort = Effort { rounds: 61, slice: Duration::from_millis(1), quick: true };
}

/// Measures the contenders against the first of them.
pub fn race(effort: Effort, contenders: Vec<(&str, Work<'_>)>) -> Vec<Figures> {
    let begin = Instant::now();
    race_by(&|| begin.elapsed(), effort, contenders)
}

/// The same by this thread's time on the processor: for work so long that it is interrupted on a busy machine.
pub fn race_on_processor(effort: Effort, contenders: Vec<(&str, Work<'_>)>) -> Vec<Figures> {
    race_by(&processor_time, effort, contenders)
}

fn race_by(clock: &dyn Fn() -> Duration, effort: Effort, contenders: Vec<(&str, Work<'_>)>) -> Vec<Figures> {
    let mut runners: Vec<_> = contenders
        .into_iter()
        .map(|(name, mut work)| {
            let batch = batch_for(clock, &mut work, effort.slice);
            (name, work, batch, Vec::with_capacity(effort.rounds))
        })
        .collect();
    for _ in 0..effort.rounds {
        for (_, work, batch, times) in &mut runners {
            let start = clock();
            work(*batch);
            times.push((clock() - start).as_nanos() as f64 / *batch as f64);
        }
    }
    let first = runners.first().map(|(_, _, _, times)| times.clone()).unwrap_or_default();
    runners
        .into_iter()
        .map(|(name, _, _, times)| {
            let ratios: Vec<f64> = times.iter().zip(&first).map(|(time, first)| time / first).collect();
            Figures { name: name.to_owned(), median_ns: median(times), over_first: median(ratios) }
        })
        .collect()
}

/// How many operations fill a slice of time, found by doubling (which also warms up).
fn batch_for(clock: &dyn Fn() -> Duration, work: &mut Work<'_>, slice: Duration) -> u64 {
    let mut batch = 1;
    loop {
        let start = clock();
        work(batch);
        let took = clock() - start;
        if took >= slice / 4 {
            return (batch as f64 * slice.as_secs_f64() / took.as_secs_f64()).ceil().max(1.0) as u64;
        }
        batch *= 2;
    }
}

/// How long this thread has been on a processor.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a place of the right type that lives through the call.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "this system does not count a thread's time");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
