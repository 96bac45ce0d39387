//! The exchange behind sockets: the venue's REST and WebSocket protocol around [`crate::core`] and [`crate::world`].
//!
//! [`Server::start`] binds, starts one thread with a runtime of its own, and returns a [`Running`] that says where
//! everything is. All requests of all connections take turns at one desk (the core has one writer); the simulated traders act
//! on the same thread, as time passes. Nothing here decides what trading means: handlers check who asks, decode, ask the core
//! and encode.
//!
//! ```no_run
//! # use oddsmith_exchange::server::{Server, ServerConfig};
//! let config = ServerConfig { seed: Some(7), ..ServerConfig::default() };
//! let running = Server::start(config)?;
//! println!("{}", running.info());
//! running.stop();
//! # Ok::<(), oddsmith_exchange::server::StartError>(())
//! ```

mod app;
mod auth;
mod cursor;
mod dead_letter;
mod extract;
mod faults;
mod history;
mod info;
mod listener;
mod local;
mod notices;
mod reply;
mod routes;
mod settings;
mod signature;
mod socket;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use thiserror::Error;
use tokio::sync::watch;

pub use faults::{Faults, FrameFaults};
pub use local::{Local, Said, SocketId, Ticket};
pub use settings::Settings;

use crate::scenario::Scenario;
use app::{App, Clock, Desk};

/// What a server is started with. [`ServerConfig::default`] is a free loopback port and the standard markets.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Markets, traders, settings of the exchange, and what goes wrong.
    pub scenario: Scenario,
    /// Fixes all ids, keys and the doings of the simulated traders; `None` takes the scenario's own, or 1.
    pub seed: Option<u64>,
    /// Settings of the server.
    pub settings: Settings,
    /// Whether an address that others can reach is accepted. The exchange has no secrets, but faults can be switched on by
    /// anybody who can reach it.
    pub allow_remote: bool,
    /// Where bodies and frames that cannot be understood are appended, one JSON object a line. They are counted in any case.
    pub dead_letter: Option<PathBuf>,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            scenario: Scenario::default(),
            seed: None,
            settings: Settings::default(),
            allow_remote: false,
            dead_letter: None,
        }
    }
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system gives no thread or no runtime.
    #[error("the exchange's thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The file for what is not understood cannot be opened.
    #[error("cannot open the dead-letter file: {0}")]
    DeadLetter(std::io::Error),
    /// The thread ended before it was ready.
    #[error("the exchange's thread ended before it was ready")]
    Died,
}

/// Starts exchanges.
#[derive(Debug)]
pub struct Server;

/// An exchange that runs. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    info: String,
    faults: Arc<Faults>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts an exchange on a thread of its own and returns when it can be reached.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(config: ServerConfig) -> Result<Running, StartError> {
        let (stop, stopping) = watch::channel(false);
        let (ready, readiness) = mpsc::sync_channel(1);
        let faults = Arc::new(Faults::default());
        let shared = Arc::clone(&faults);
        let thread = std::thread::Builder::new()
            .name("exchange".to_owned())
            .spawn(move || run(config, shared, &ready, stopping))?;
        let (addr, info) = readiness.recv().map_err(|_| StartError::Died)??;
        Ok(Running { addr, info, faults, stop, thread: Some(thread) })
    }
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// One line of JSON: URLs, markets, chain and accounts.
    #[must_use]
    pub fn info(&self) -> &str {
        &self.info
    }

    /// The transport faults, for tests in the same process.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Stops serving, closes every connection and waits for the thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Nobody listens any more if the thread has ended by itself.
        let _ended = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

type Ready = Result<(SocketAddr, String), StartError>;

/// The exchange's thread.
fn run(config: ServerConfig, faults: Arc<Faults>, ready: &mpsc::SyncSender<Ready>, stop: watch::Receiver<bool>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _gone = ready.send(Err(StartError::Thread(error)));
            return;
        }
    };
    if let Err(error) = dead_letter::open(config.dead_letter.as_deref()) {
        let _gone = ready.send(Err(StartError::DeadLetter(error)));
        return;
    }
    runtime.block_on(async move {
        let listen = config.listen;
        let bound = listener::bind(listen, config.allow_remote).await;
        let bound = bound.and_then(|listener| listener.local_addr().map(|addr| (listener, addr)));
        let (listener, addr) = match bound {
            Ok(bound) => bound,
            Err(source) => {
                let _gone = ready.send(Err(StartError::Listen { listen, source }));
                return;
            }
        };
        let clock = Clock::start();
        let now = clock.now_ns();
        let session = config.scenario.open(config.seed, now);
        let info = info::line(addr, &session.core);
        let app = Arc::new(App::new(Desk::new(session, config.settings), Arc::clone(&faults), clock));
        if ready.send(Ok((addr, info))).is_err() {
            return;
        }
        let time = tokio::spawn(Arc::clone(&app).keep_time());
        listener::serve(listener, routes::router(app), faults, stop).await;
        time.abort();
    });
}
