//! The local exchange on a loopback port, for the targets that must not make it fail.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oddsmith_exchange::scenario::Scenario;
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_polymarket::auth::{Credentials, L1Headers};
use oddsmith_polymarket::order::{POLYGON, Signer};
use oddsmith_polymarket::wire::ErrorBody;

use crate::seeds::KEY;

const PATIENCE: Duration = Duration::from_secs(5);

/// The exchange and a client that it knows. One for the whole process: starting it for each input would leave no time to fuzz.
struct Venue {
    _running: Running,
    addr: SocketAddr,
    credentials: Credentials,
    connection: Option<BufReader<TcpStream>>,
}

fn venue() -> std::sync::MutexGuard<'static, Venue> {
    static VENUE: OnceLock<Mutex<Venue>> = OnceLock::new();
    VENUE.get_or_init(|| Mutex::new(Venue::start())).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends a signed request and says how it was answered.
///
/// # Panics
/// When the exchange does not answer, or not as it must: never a 500, and every refusal is JSON with an error.
pub(crate) fn request(method: &str, path: &str, body: &[u8]) -> u16 {
    let mut venue = venue();
    let mut head = Vec::new();
    venue.credentials.write_headers(now_s(), method, path, body, &mut head);
    let (status, answer) = venue.exchange(method, path, &head, body).expect("an answer");
    assert!(status < 500 || status == 503, "{status} {}", String::from_utf8_lossy(&answer));
    if status >= 400 {
        let error: ErrorBody = serde_json::from_slice(&answer).expect("a refusal in JSON");
        assert!(!error.error.is_empty(), "a refusal says why");
    }
    status
}

/// Sends texts on a socket of the exchange, which must still serve afterwards.
///
/// # Panics
/// When it does not.
pub(crate) fn frames(path: &str, texts: &[&[u8]]) {
    let addr = venue().addr;
    // a connection that the exchange closes on the way is its right
    let _closed = send_frames(addr, path, texts);
    assert_eq!(request("GET", "/ok", b""), 200, "the exchange serves");
}

fn send_frames(addr: SocketAddr, path: &str, texts: &[&[u8]]) -> io::Result<()> {
    let mut stream = connect(addr)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    for text in texts {
        stream.write_all(&text_frame(text))?;
    }
    stream.write_all(&text_frame(b"PING"))
}

/// A masked text frame; the mask is zero, which is allowed.
fn text_frame(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        middle @ 126..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text);
    frame
}

fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Venue {
    fn start() -> Venue {
        let scenario = Scenario::parse("activity: 0.0").expect("a scenario without traders");
        let running = Server::start(ServerConfig { scenario, ..ServerConfig::default() }).expect("a loopback port");
        let signer = Signer::from_hex(KEY).expect("a key");
        let headers = L1Headers::sign(&signer, POLYGON, now_s(), 0);
        let mut head = Vec::new();
        for (name, value) in headers.pairs {
            head.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        let addr = running.addr();
        let (_, answer) = exchange_on(&mut None, addr, ("POST", "/auth/api-key"), &head, b"").expect("an answer");
        let creds = serde_json::from_slice(&answer).expect("an API key");
        let credentials = Credentials::new(signer.address(), creds).expect("an API key that can be used");
        Venue { _running: running, addr, credentials, connection: None }
    }

    fn exchange(&mut self, method: &str, path: &str, head: &[u8], body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let addr = self.addr;
        match exchange_on(&mut self.connection, addr, (method, path), head, body) {
            // a connection that was kept may have been closed in the meantime; a fresh one must do
            Err(_) => exchange_on(&mut None, addr, (method, path), head, body),
            answered => answered,
        }
    }
}

fn exchange_on(
    connection: &mut Option<BufReader<TcpStream>>,
    addr: SocketAddr,
    (method, path): (&str, &str),
    head: &[u8],
    body: &[u8],
) -> io::Result<(u16, Vec<u8>)> {
    let mut reader = match connection.take() {
        Some(reader) => reader,
        None => BufReader::new(connect(addr)?),
    };
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nhost: {addr}\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    request.extend_from_slice(head);
    request.extend_from_slice(b"content-type: application/json\r\n\r\n");
    request.extend_from_slice(body);
    reader.get_mut().write_all(&request)?;
    let (mut status, mut length, mut line) = (0, 0, String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        } else if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    if status == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer)?;
    *connection = Some(reader);
    Ok((status, answer))
}
