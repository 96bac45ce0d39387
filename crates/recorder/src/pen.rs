//! The thread that packs and writes.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;

use crate::certificate::Certificate;
use crate::checkpoint::Checkpoint;
use crate::files::{Files, Layout, Position, State, state_path};

/// How hard it packs.
pub(crate) const LEVEL: i32 = 3;
/// Blocks of lines that may wait to be written; then whoever reads the sockets waits too, and the memory stays what it is.
const QUEUE: usize = 32;
/// Lines are packed in pieces of this size, before packing: what a mending has to hold in memory.
const FRAME_BYTES: u64 = 8 << 20;

/// How the writing stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PenState {
    /// Why nothing is written any more.
    pub fault: Option<String>,
    /// Lines written.
    pub lines: u64,
    /// Bytes before packing, and after.
    pub bytes: (u64, u64),
    /// How often whoever hands lines over had to wait.
    pub waits: u64,
    /// Blocks that wait now.
    pub queued: usize,
}

/// What it may take of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A file of frames is ended at this size, packed.
    pub part_bytes: u64,
    /// So much may be written in all; 0 for no limit.
    pub total_bytes: u64,
    /// So much must stay free on the disk.
    pub keep_free_bytes: u64,
}

enum Job {
    Lines { bytes: Vec<u8>, count: u64 },
    Certificates(Vec<Certificate>),
    Cards(Vec<Vec<u8>>),
    Rotate { period_ns: u64, cards: Vec<Vec<u8>> },
    Checkpoint { checkpoint: Box<Checkpoint>, under_way: Vec<Certificate> },
}

/// Hands everything that is to be written to the thread, in order.
#[derive(Debug)]
pub struct Pen {
    jobs: Option<SyncSender<Job>>,
    state: Arc<Mutex<PenState>>,
    thread: Option<JoinHandle<()>>,
}

impl Pen {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(files: Files, limits: Limits) -> io::Result<Pen> {
        let (jobs, queue) = sync_channel(QUEUE);
        let state = Arc::new(Mutex::new(PenState::default()));
        let desk = Desk {
            layout: files.layout.clone(),
            at: files.next,
            _files: files,
            limits,
            part: None,
            cards: BTreeSet::new(),
            remembered: false,
            state: Arc::clone(&state),
        };
        let thread = std::thread::Builder::new().name("pen".to_owned()).spawn(move || desk.work(&queue))?;
        Ok(Pen { jobs: Some(jobs), state, thread: Some(thread) })
    }

    /// Lines, `count` of them. Waits while too many wait before them.
    pub fn lines(&self, bytes: Vec<u8>, count: u64) {
        self.send(Job::Lines { bytes, count });
    }

    /// Certificates of hours that are over.
    pub fn certificates(&self, over: Vec<Certificate>) {
        if !over.is_empty() {
            self.send(Job::Certificates(over));
        }
    }

    /// Cards as lines of JSON; one that is there already is not written again.
    pub fn cards(&self, cards: Vec<Vec<u8>>) {
        self.send(Job::Cards(cards));
    }

    /// A new period begins: what follows goes into its own folder, with these cards.
    pub fn rotate(&self, period_ns: u64, cards: Vec<Vec<u8>>) {
        self.send(Job::Rotate { period_ns, cards });
    }

    /// Everything that was handed over before goes to the disk, and with it what is known now.
    pub fn checkpoint(&self, checkpoint: Checkpoint, under_way: Vec<Certificate>) {
        self.send(Job::Checkpoint { checkpoint: Box::new(checkpoint), under_way });
    }

    /// How the writing stands.
    #[must_use]
    pub fn state(&self) -> PenState {
        lock(&self.state).clone()
    }

    /// Finishes the files and ends the thread.
    #[must_use]
    pub fn close(mut self) -> PenState {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            lock(&self.state).fault.get_or_insert_with(|| "the writing thread failed".to_owned());
        }
        self.state()
    }

    fn send(&self, job: Job) {
        let Some(jobs) = &self.jobs else { return };
        lock(&self.state).queued += 1;
        let left = match jobs.try_send(job) {
            Ok(()) => return,
            Err(TrySendError::Full(job)) => {
                lock(&self.state).waits += 1;
                jobs.send(job).is_err()
            }
            Err(TrySendError::Disconnected(_)) => true,
        };
        if left {
            lock(&self.state).fault.get_or_insert_with(|| "the writing thread has stopped".to_owned());
        }
    }
}

fn lock(state: &Mutex<PenState>) -> std::sync::MutexGuard<'_, PenState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file of frames that is being written.
struct Part {
    encoder: zstd::Encoder<'static, Counted>,
    /// Bytes before packing in the frame under way.
    in_frame: u64,
}

struct Counted {
    file: File,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

struct Desk {
    layout: Layout,
    at: Position,
    _files: Files,
    limits: Limits,
    part: Option<Part>,
    cards: BTreeSet<Vec<u8>>,
    /// Whether a checkpoint of this recorder's own is on the disk.
    remembered: bool,
    state: Arc<Mutex<PenState>>,
}

impl Desk {
    fn work(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let whole = lock(&self.state).fault.is_none();
            if whole && let Err(error) = self.carry_out(job) {
                self.fail(format!("cannot write into {}: {error}", self.layout.folder(self.at.period_ns).display()));
            }
            lock(&self.state).queued -= 1;
        }
        if lock(&self.state).fault.is_none()
            && let Err(error) = self.end_part()
        {
            self.fail(format!(
                "cannot finish {}: {error}",
                self.layout.part(self.at.period_ns, self.at.part).display()
            ));
        }
    }

    fn fail(&mut self, why: String) {
        self.part = None;
        lock(&self.state).fault = Some(why);
    }

    fn carry_out(&mut self, job: Job) -> io::Result<()> {
        match job {
            Job::Lines { bytes, count } => self.write(&bytes, count),
            Job::Cards(cards) => self.write_cards(&cards),
            Job::Certificates(over) => self.append_certificates(&over),
            Job::Rotate { period_ns, cards } => {
                self.end_part()?;
                let over = self.layout.folder(self.at.period_ns).join("coverage.open.jsonl");
                match fs::remove_file(&over) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                self.at = Position { period_ns, part: 0, lines: 0 };
                self.cards.clear();
                self.write_cards(&cards)
            }
            Job::Checkpoint { checkpoint, under_way } => self.remember(*checkpoint, &under_way),
        }
    }

    fn write(&mut self, bytes: &[u8], count: u64) -> io::Result<()> {
        if let Some(why) = self.no_room()? {
            // What is there is finished properly: the disk still has room for that.
            self.end_part()?;
            self.fail(why);
            return Ok(());
        }
        if self.part.is_none() {
            fs::create_dir_all(self.layout.folder(self.at.period_ns))?;
            let path = self.layout.part(self.at.period_ns, self.at.part);
            let file = OpenOptions::new().write(true).create_new(true).open(path)?;
            self.part = Some(Part { encoder: zstd::Encoder::new(Counted { file, bytes: 0 }, LEVEL)?, in_frame: 0 });
            self.at.lines = 0;
        }
        let Some(part) = &mut self.part else { return Ok(()) };
        let before = part.encoder.get_ref().bytes;
        part.encoder.write_all(bytes)?;
        part.encoder.flush()?;
        part.in_frame += bytes.len() as u64;
        self.at.lines += count;
        let packed = part.encoder.get_ref().bytes;
        {
            let mut state = lock(&self.state);
            state.lines += count;
            state.bytes.0 += bytes.len() as u64;
            state.bytes.1 += packed - before;
        }
        if packed >= self.limits.part_bytes {
            self.end_part()?;
            self.at = Position { part: self.at.part + 1, lines: 0, ..self.at };
        } else if part.in_frame >= FRAME_BYTES
            && let Some(part) = self.part.take()
        {
            let counted = part.encoder.finish()?;
            self.part = Some(Part { encoder: zstd::Encoder::new(counted, LEVEL)?, in_frame: 0 });
        }
        Ok(())
    }

    /// Why nothing more may be written, if so.
    fn no_room(&self) -> io::Result<Option<String>> {
        let written = lock(&self.state).bytes.1;
        if self.limits.total_bytes > 0 && written >= self.limits.total_bytes {
            return Ok(Some(format!("the recording has reached its limit of {} bytes", self.limits.total_bytes)));
        }
        let disk = rustix::fs::statvfs(&self.layout.root)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        Ok((free < self.limits.keep_free_bytes).then(|| {
            format!(
                "the disk of {} has {} MiB left, and {} MiB are to stay free",
                self.layout.root.display(),
                free >> 20,
                self.limits.keep_free_bytes >> 20
            )
        }))
    }

    fn end_part(&mut self) -> io::Result<()> {
        let Some(part) = self.part.take() else { return Ok(()) };
        let before = part.encoder.get_ref().bytes;
        let counted = part.encoder.finish()?;
        lock(&self.state).bytes.1 += counted.bytes - before;
        counted.file.sync_all()
    }

    fn write_cards(&mut self, cards: &[Vec<u8>]) -> io::Result<()> {
        let folder = self.layout.folder(self.at.period_ns);
        fs::create_dir_all(&folder)?;
        let path = folder.join("markets.jsonl");
        if self.cards.is_empty() && path.exists() {
            self.cards = fs::read(&path)?.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        }
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        for card in cards.iter().filter(|card| !card.is_empty()) {
            if self.cards.insert(card.clone()) {
                file.write_all(&[card.as_slice(), b"\n"].concat())?;
            }
        }
        Ok(())
    }

    /// Certificates stand in the period in which their hour began, each once.
    fn append_certificates(&self, over: &[Certificate]) -> io::Result<()> {
        for certificate in over {
            let folder = self.layout.folder(self.layout.period(certificate.hour_ns));
            fs::create_dir_all(&folder)?;
            let path = folder.join("coverage.jsonl");
            if !self.remembered && has_certificate(&path, certificate) {
                continue;
            }
            let mut file = OpenOptions::new().append(true).create(true).open(path)?;
            file.write_all(&json_line(certificate)?)?;
        }
        Ok(())
    }

    fn remember(&mut self, checkpoint: Checkpoint, under_way: &[Certificate]) -> io::Result<()> {
        if let Some(part) = &self.part {
            part.encoder.get_ref().file.sync_data()?;
        }
        let folder = self.layout.folder(self.at.period_ns);
        fs::create_dir_all(&folder)?;
        let mut lines = Vec::new();
        for certificate in under_way {
            lines.extend(json_line(certificate)?);
        }
        replace(&folder.join("coverage.open.jsonl"), &lines)?;
        let state = State { position: self.at, checkpoint };
        replace(&state_path(&self.layout.root), &json_line(&state)?)?;
        self.remembered = true;
        Ok(())
    }
}

/// Whether an hour was certified before: a recorder that was killed between a certificate and its checkpoint would certify it twice.
fn has_certificate(path: &Path, wanted: &Certificate) -> bool {
    let Ok(text) = fs::read_to_string(path) else { return false };
    let (condition, hour) =
        (format!("\"condition\":\"{}\"", wanted.condition), format!("\"hour_ns\":{},", wanted.hour_ns));
    text.lines().any(|line| line.contains(&condition) && line.contains(&hour))
}

/// Replaces a file at once.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&beside, path)
}

fn json_line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}
