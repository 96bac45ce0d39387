//! The other process of the loopback bench: a venue that writes frames and takes the time until the order has been read.

use std::collections::HashMap;
use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oddsmith_domain::{ExchangeKind, OrderId};
use oddsmith_polymarket::order::{OrderHasher, POLYGON};
use oddsmith_polymarket::wire::PostOrder;
use sha1::{Digest, Sha1};

use crate::desk::{books, move_frame};

/// The sockets to which frames are written, by their path.
type Sockets = Arc<Mutex<HashMap<String, TcpStream>>>;

/// Serves until the other process closes our input. Prints the port first; then answers each line `PATH COUNT` with a line of
/// nanoseconds, one for each frame that was answered by an order.
pub fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    let sockets = Sockets::default();
    let (sender, orders) = channel();
    let shared = Arc::clone(&sockets);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (sockets, sender) = (Arc::clone(&shared), sender.clone());
            // A connection that breaks ends its thread, no more.
            std::thread::spawn(move || serve(stream, &sockets, &sender));
        }
    });
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (path, count) = line.split_once(' ').unwrap_or((&line, "0"));
        let socket = sockets.lock().unwrap_or_else(PoisonError::into_inner).get(path).map(TcpStream::try_clone);
        let times = match socket {
            Some(socket) => ticks(&mut socket?, count.parse().unwrap_or(0), path == "/ws/market", &orders)?,
            None => Vec::new(),
        };
        println!("{}", times.iter().map(u128::to_string).collect::<Vec<_>>().join(" "));
        io::stdout().flush()?;
    }
    Ok(())
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Writes frames one by one, each after half a millisecond of silence, and takes the time until its order has been read.
fn ticks(socket: &mut TcpStream, count: usize, engine: bool, orders: &Receiver<Instant>) -> io::Result<Vec<u128>> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        sleep(Duration::from_micros(500));
        while orders.try_recv().is_ok() {}
        let bytes = text_frame(&move_frame(true, wall_ms()));
        let start = Instant::now();
        socket.write_all(&bytes)?;
        // On a busy machine a frame can go unanswered, when the market was tight again before the engine had looked.
        if let Ok(read) = orders.recv_timeout(Duration::from_millis(200)) {
            times.push(read.duration_since(start).as_nanos());
        }
        if engine {
            // The answer arrives, then the market becomes wide again and the order is withdrawn.
            sleep(Duration::from_micros(500));
            socket.write_all(&text_frame(&move_frame(false, wall_ms())))?;
            sleep(Duration::from_millis(1));
        }
    }
    Ok(times)
}

fn text_frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81, 126];
    bytes.extend_from_slice(&(text.len() as u16).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn short_frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81, text.len() as u8];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// Reads until a request's head is complete; where it ends.
fn head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(at + 4);
        }
        more(stream, buffer)?;
    }
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = [0u8; 8_192];
    let count = stream.read(&mut chunk)?;
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    buffer.extend_from_slice(&chunk[..count]);
    Ok(())
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn serve(mut stream: TcpStream, sockets: &Sockets, orders: &Sender<Instant>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let end = head(&mut stream, &mut buffer)?;
        let text = String::from_utf8_lossy(&buffer[..end]).into_owned();
        if let Some(key) = header(&text, "Sec-WebSocket-Key") {
            buffer.drain(..end);
            let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
            let accept = STANDARD.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
            let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
            stream.write_all(format!("{switch}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes())?;
            return channel_of(stream, buffer, path, sockets);
        }
        let body = header(&text, "Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while buffer.len() < end + body {
            more(&mut stream, &mut buffer)?;
        }
        let read = Instant::now();
        let id = order_id(&buffer[end..end + body]);
        buffer.drain(..end + body);
        if text.starts_with("POST /order ") && orders.send(read).is_err() {
            return Ok(());
        }
        let json = format!(r#"{{"success":true,"errorMsg":"","orderID":"{id}","status":"live"}}"#);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}", json.len());
        stream.write_all(format!("{head}\r\n\r\n{json}").as_bytes())?;
    }
}

/// The venue's id of a posted order, which the answer must name.
fn order_id(body: &[u8]) -> OrderId {
    let hasher = OrderHasher::new(POLYGON).expect("a known chain");
    match serde_json::from_slice::<PostOrder>(body) {
        Ok(post) => hasher.digest(ExchangeKind::Ctf, &post.order.fields()),
        Err(_) => OrderId::default(),
    }
}

/// A WebSocket: answers pings, sends both books to whoever subscribes, and lends itself to [`ticks`].
fn channel_of(mut stream: TcpStream, mut buffer: Vec<u8>, path: String, sockets: &Sockets) -> io::Result<()> {
    if path == "/echo" {
        sockets.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), stream.try_clone()?);
    }
    loop {
        while buffer.len() < 2 {
            more(&mut stream, &mut buffer)?;
        }
        let (mut at, mut len) = (2, usize::from(buffer[1] & 127));
        if len == 126 {
            while buffer.len() < 4 {
                more(&mut stream, &mut buffer)?;
            }
            (at, len) = (4, usize::from(u16::from_be_bytes([buffer[2], buffer[3]])));
        }
        while buffer.len() < at + 4 + len {
            more(&mut stream, &mut buffer)?;
        }
        let mask: Vec<u8> = buffer[at..at + 4].to_vec();
        let payload: Vec<u8> =
            buffer[at + 4..at + 4 + len].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        buffer.drain(..at + 4 + len);
        if payload == b"PING" {
            stream.write_all(&short_frame("PONG"))?;
        } else if path == "/ws/market" {
            stream.write_all(&text_frame(&books(wall_ms())))?;
            sockets.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), stream.try_clone()?);
        }
    }
}
