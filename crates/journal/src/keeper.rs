//! The thread that does what may block: preparing the next segment, flushing, retiring full segments.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::segment::{Progress, Segment, Spare};

enum Job {
    /// This is the segment that is written now.
    Watch(Arc<Progress>),
    /// Prepare the next one.
    Prepare,
    /// This one is full and sealed; it has this number.
    Retire(Segment, u32),
}

/// The writer's end of the keeper.
#[derive(Debug)]
pub(crate) struct Keeper {
    jobs: Option<Sender<Job>>,
    spares: Receiver<io::Result<Spare>>,
    fault: Arc<Mutex<Option<io::Error>>>,
    flushed_at: Arc<Mutex<Instant>>,
    thread: Option<JoinHandle<()>>,
}

/// How often the disk is asked, and how much slower than it is it shall be.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub flush_every: Duration,
    pub slow_disk: Duration,
}

impl Keeper {
    /// Starts the thread. Segments that are retired are told to `finished`.
    pub fn start(dir: PathBuf, capacity: usize, pace: Pace, finished: Option<Sender<u32>>) -> io::Result<Keeper> {
        let (jobs, job_queue) = channel();
        let (spare_queue, spares) = channel();
        let (fault, flushed_at) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(Instant::now())));
        let (told, flushed) = (Arc::clone(&fault), Arc::clone(&flushed_at));
        let worker = Worker { dir, capacity, pace, spares: spare_queue, fault: told, flushed_at: flushed, finished };
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || worker.run(&job_queue))?;
        Ok(Keeper { jobs: Some(jobs), spares, fault, flushed_at, thread: Some(thread) })
    }

    pub fn watch(&self, progress: Arc<Progress>) {
        self.send(Job::Watch(progress));
    }

    pub fn prepare(&self) {
        self.send(Job::Prepare);
    }

    pub fn retire(&self, segment: Segment, index: u32) {
        self.send(Job::Retire(segment, index));
    }

    /// The prepared segment; waits for it if it is not ready.
    pub fn wait_for_spare(&self) -> io::Result<Spare> {
        self.spares.recv().unwrap_or_else(|_| Err(stopped()))
    }

    /// The prepared segment if it is ready.
    pub fn try_spare(&self) -> Option<io::Result<Spare>> {
        match self.spares.try_recv() {
            Ok(spare) => Some(spare),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(stopped())),
        }
    }

    /// What went wrong in the background since the last question.
    pub fn take_fault(&self) -> Option<io::Error> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// How long ago everything that had been written was on the disk.
    pub fn behind(&self) -> Duration {
        self.flushed_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Finishes all jobs and ends the thread.
    pub fn stop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by the runtime; what it left undone is found by the reader.
            let _ = thread.join();
        }
    }

    fn send(&self, job: Job) {
        // If the thread is gone, the next wait for a spare segment says so.
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("the journal's thread has stopped")
}

struct Worker {
    dir: PathBuf,
    capacity: usize,
    pace: Pace,
    spares: Sender<io::Result<Spare>>,
    fault: Arc<Mutex<Option<io::Error>>>,
    flushed_at: Arc<Mutex<Instant>>,
    finished: Option<Sender<u32>>,
}

impl Worker {
    fn run(self, jobs: &Receiver<Job>) {
        let mut watched: Option<(Arc<Progress>, usize)> = None;
        loop {
            match jobs.recv_timeout(self.pace.flush_every) {
                Ok(Job::Watch(progress)) => watched = Some((progress, 0)),
                Ok(Job::Prepare) => {
                    std::thread::sleep(self.pace.slow_disk);
                    // The writer may have gone meanwhile; then nobody needs it.
                    let _ = self.spares.send(Spare::prepare(&self.dir, self.capacity));
                }
                Ok(Job::Retire(segment, index)) => {
                    let retired = segment.retire();
                    if let (Ok(()), Some(finished)) = (&retired, &self.finished) {
                        // Whoever packs may have stopped already: then it stays plain.
                        let _ = finished.send(index);
                    }
                    self.note(retired);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let begun = Instant::now();
                    if let Some((progress, flushed)) = &mut watched
                        && progress.used() > *flushed
                    {
                        std::thread::sleep(self.pace.slow_disk);
                        match progress.flush(*flushed) {
                            Ok(to) => *flushed = to,
                            Err(error) => self.note(Err(error)),
                        }
                    }
                    *self.flushed_at.lock().unwrap_or_else(PoisonError::into_inner) = begun;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn note(&self, result: io::Result<()>) {
        if let Err(error) = result {
            *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }
}
