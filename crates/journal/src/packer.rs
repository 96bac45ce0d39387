//! The thread that packs finished segments while their run goes on.
//!
//! It works on segments that the keeper has flushed and nobody writes any more, at the lowest priority that the system has, and never
//! makes the writer wait: a packing that is under way when the journal is closed is given up, and the segment stays plain.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::pack::{Packed, pack_one};

/// How the packing of a journal under way stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packing {
    /// What was packed so far.
    pub packed: Packed,
    /// Why the last attempt failed, if it did. The segment stays plain and is tried again with the next one.
    pub fault: Option<String>,
}

/// The journal's end of the packing thread.
#[derive(Debug)]
pub(crate) struct Packer {
    jobs: Option<Sender<u32>>,
    state: Arc<Mutex<Packing>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Packer {
    pub fn start(dir: PathBuf) -> io::Result<Packer> {
        let (jobs, queue) = channel();
        let (state, stop) = (Arc::new(Mutex::new(Packing::default())), Arc::new(AtomicBool::new(false)));
        let worker = Worker { dir, state: Arc::clone(&state), stop: Arc::clone(&stop), left: BTreeSet::new() };
        let thread = std::thread::Builder::new().name("packer".to_owned()).spawn(move || worker.run(&queue))?;
        Ok(Packer { jobs: Some(jobs), state, stop, thread: Some(thread) })
    }

    /// Where to say that a segment is finished.
    pub fn queue(&self) -> Option<Sender<u32>> {
        self.jobs.clone()
    }

    pub fn state(&self) -> Packing {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives up what is under way and ends the thread.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by the runtime; its segment is plain or packed, and both are read.
            let _ = thread.join();
        }
    }
}

struct Worker {
    dir: PathBuf,
    state: Arc<Mutex<Packing>>,
    stop: Arc<AtomicBool>,
    /// Finished segments that are not packed.
    left: BTreeSet<u32>,
}

impl Worker {
    fn run(mut self, queue: &Receiver<u32>) {
        // Where the system does not allow it, it is done at the usual priority.
        let _ = rustix::process::nice(19);
        while let Ok(index) = queue.recv() {
            self.left.insert(index);
            while let Some(index) = self.left.first().copied() {
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                let packed = pack_one(&self.dir, index, &|| self.stop.load(Ordering::Relaxed));
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                match packed {
                    Ok(bytes) => {
                        state.packed.add(bytes);
                        state.fault = None;
                        self.left.pop_first();
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
                    Err(error) => {
                        state.fault = Some(format!("segment {index} cannot be packed: {error}"));
                        break;
                    }
                }
            }
        }
    }
}
