//! Tick to order over loopback sockets: from the write of a frame in another process to its read of the order's last byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use oddsmith_domain::{
    Action, ActionSeq, GatewayInput, Input, MarketId, MarketSource, Output, OutputBody, Shares, Tick, Time,
};
use oddsmith_engine::{Engine, Lanes, OwnedInput, Sink};
use oddsmith_net::{Clock, Edge, EdgeSettings, Intake};
use oddsmith_polymarket::session::OutboxSettings;

use crate::desk::{honest, setup};
use crate::frames;
use crate::harness::{Effort, Figures, median};
use crate::orders::{request, wallet};
use crate::report::{Bar, Row};

/// The venue's process, and how it is asked for ticks.
struct Venue {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Venue {
    fn start() -> anyhow::Result<Venue> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--venue-process")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("a pipe")?;
        let mut output = BufReader::new(child.stdout.take().context("a pipe")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        Ok(Venue { child, input, output, port: line.trim().parse()? })
    }

    /// The times of so many ticks on the socket of this path.
    fn ticks(&mut self, path: &str, count: usize) -> anyhow::Result<Vec<f64>> {
        writeln!(self.input, "{path} {count}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.split_whitespace().filter_map(|text| text.parse().ok()).collect())
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        // It ends by itself when its input closes; this is for the case that it does not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The floor: a thread that answers each frame with the same prebuilt bytes, computing nothing.
fn echo(port: u16) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_nodelay(true)?;
    let head = "GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade";
    write!(socket, "{head}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")?;
    let mut orders = TcpStream::connect(("127.0.0.1", port))?;
    orders.set_nodelay(true)?;
    let bytes = request();
    let mut buffer = [0u8; 8_192];
    let mut handshake = Vec::new();
    while !handshake.ends_with(b"\r\n\r\n") {
        let count = socket.read(&mut buffer[..1])?;
        ensure!(count > 0, "the venue closed");
        handshake.extend_from_slice(&buffer[..count]);
    }
    std::thread::spawn(move || -> std::io::Result<()> {
        // Every frame is written at once and read at once; the next comes only after its order.
        while socket.read(&mut buffer)? > 0 {
            orders.write_all(&bytes)?;
            let mut answer = [0u8; 1_024];
            if orders.read(&mut answer)? == 0 {
                break;
            }
        }
        Ok(())
    });
    Ok(())
}

struct Waiting<'l>(&'l mut Lanes);

impl Intake for Waiting<'_> {
    fn frame(&mut self, source: MarketSource, bytes: &[u8]) {
        self.0.push_frame(source, bytes);
    }

    fn user(&mut self, bytes: &[u8]) {
        self.0.push(OwnedInput::User(bytes.to_vec()));
    }

    fn input(&mut self, input: Input<'static>) {
        self.0.push(OwnedInput::Other(input));
    }
}

struct Actions {
    clock: Clock,
    actions: Vec<(ActionSeq, Action)>,
}

impl Sink for Actions {
    fn record(&mut self, _: &Input<'_>, _: Time, outputs: &[Output]) {
        for output in outputs {
            if let OutputBody::Action(action) = &output.body {
                self.actions.push((ActionSeq(output.seq), action.clone()));
            }
        }
    }

    fn now(&mut self) -> Time {
        self.clock.now()
    }
}

/// The engine and its edge as a driver runs them, until `done`. Placements and subscriptions go over the wire; whatever else the
/// engine asks is answered here.
async fn drive(port: u16, done: &AtomicBool) -> anyhow::Result<()> {
    let at = |scheme: &str, path: &str| format!("{scheme}://127.0.0.1:{port}{path}");
    let mut settings = EdgeSettings::at(&at("http", ""), &at("ws", "/ws/market"), &at("ws", "/ws/user"), 7);
    settings.outbox = OutboxSettings { orders: (1_000_000, 1_000_000), ..OutboxSettings::default() };
    let clock = Clock::start();
    let mut edge = Edge::new(settings, wallet(), clock)?;
    let (mut engine, mut lanes) = (Engine::new(), Lanes::new());
    let mut sink = Actions { clock, actions: Vec::with_capacity(64) };
    let mut card = frames::card();
    (card.min_size, card.tick) = (Some(Shares::from_whole(5)), Some(Tick::Cent));
    card.fee = Some(oddsmith_domain::FeeSchedule::FREE);
    edge.learn(MarketId(0), &card);
    lanes.push(OwnedInput::Other(Input::Setup(Box::new(setup()))));
    lanes.push(OwnedInput::Other(Input::Card(Box::new(card))));
    while !done.load(Ordering::Relaxed) {
        loop {
            let more = lanes.slice(&mut engine, &mut sink);
            let now = clock.now();
            for (seq, action) in sink.actions.drain(..) {
                match honest(&action).filter(|_| !matches!(action, Action::Subscribe { .. })) {
                    Some(outcome) => {
                        let result = GatewayInput { action: seq, outcome };
                        lanes.push(OwnedInput::Other(Input::Gateway(Box::new(result))));
                    }
                    None => edge.submit(seq, action, now),
                }
            }
            edge.flush(now);
            if !more && lanes.waiting() == (0, 0) {
                break;
            }
            edge.glance().await;
            edge.drain_lossless(&mut Waiting(&mut lanes), clock.now());
        }
        // Wakes up at whole tenths of a second at the latest, to see whether it is done.
        let tenth = (clock.now().mono_ns / (Time::SECOND / 10) + 1) * (Time::SECOND / 10);
        let until = engine.next_deadline().map_or(tenth, |deadline| deadline.min(tenth));
        edge.wait(Some(until)).await;
        let now = clock.now();
        edge.drain_lossless(&mut Waiting(&mut lanes), now);
        edge.drain_market(64, &mut Waiting(&mut lanes), now);
    }
    Ok(())
}

fn quantile(times: &mut [f64], q: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(((times.len() as f64 - 1.0) * q).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The bench of the whole way.
pub fn run(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let (rounds, count) = if effort.quick { (3, 150) } else { (7, 400) };
    let mut venue = Venue::start()?;
    let port = venue.port;
    echo(port)?;
    let done = AtomicBool::new(false);
    // For each round: p50 and p99 of ours and of the echo's.
    let measured = std::thread::scope(|scope| -> anyhow::Result<Vec<[f64; 4]>> {
        let engine = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(drive(port, &done))
        });
        std::thread::sleep(Duration::from_millis(1_500));
        let measure = |venue: &mut Venue| -> anyhow::Result<Vec<[f64; 4]>> {
            let warm = venue.ticks("/ws/market", 50)?;
            venue.ticks("/echo", 50)?;
            ensure!(warm.len() > 40, "the engine answered {} of 50 frames", warm.len());
            (0..rounds)
                .map(|_| {
                    let mut echo = venue.ticks("/echo", count)?;
                    let mut ours = venue.ticks("/ws/market", count)?;
                    ensure!(ours.len() * 10 >= count * 9, "{} of {count} frames led to an order", ours.len());
                    let [e50, e99] = [0.5, 0.99].map(|q| quantile(&mut echo, q));
                    let [o50, o99] = [0.5, 0.99].map(|q| quantile(&mut ours, q));
                    Ok([o50, o99, e50, e99])
                })
                .collect()
        };
        let measured = measure(&mut venue);
        done.store(true, Ordering::Relaxed);
        engine.join().map_err(|_| anyhow::anyhow!("the engine's thread panicked"))??;
        measured
    })?;
    let row = |name: &str, ours: usize, bar: Bar| {
        let column = |place: usize| median(measured.iter().map(|round| round[place]).collect());
        let ratio = median(measured.iter().map(|round| round[ours + 2] / round[ours]).collect());
        let figures = vec![
            Figures { name: "oddsmith".into(), median_ns: column(ours), over_first: 1.0 },
            Figures { name: "echo of prebuilt bytes".into(), median_ns: column(ours + 2), over_first: ratio },
        ];
        let note = "frame written by another process to the signed POST's last byte read by it; no journal";
        Row::new(name, note, figures, &[bar])
    };
    Ok(vec![
        row("tick to order over loopback, p50", 0, Bar::at_most(1, 4.0, 3.0)),
        row("tick to order over loopback, p99", 1, Bar::at_most(1, 3.0, 2.0)),
    ])
}
