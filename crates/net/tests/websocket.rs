//! Our WebSocket against an independent server, and against servers that misbehave.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use oddsmith_net::ws::{Incoming, WsFault, WsSocket};
use oddsmith_net::{NetError, Target, dial_websocket};
use tokio_tungstenite::tungstenite::Message;

const WAIT: Duration = Duration::from_secs(5);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Serves one connection on a thread of its own, and says where.
fn serve(serving: impl FnOnce(TcpStream) + Send + 'static) -> (Target, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = Target::parse(&format!("ws://{}/ws/market", listener.local_addr().expect("bound"))).expect("a target");
    let thread = std::thread::spawn(move || serving(listener.accept().expect("a client").0));
    (target, thread)
}

/// Accepts the handshake by hand, to be free afterwards.
fn shake_hands(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a request");
        request.push(byte[0]);
    }
    let text = String::from_utf8(request).expect("text");
    let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let reply = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(reply.as_bytes()).expect("written");
}

/// What the client makes of a connection until it ends or fails: texts, and the fault.
fn collect(target: &Target) -> (Vec<Vec<u8>>, Option<WsFault>) {
    let connected = dial_websocket(target, 7, WAIT).expect("a handshake");
    runtime().block_on(async {
        let mut socket = WsSocket::new(connected.stream, &connected.leftover, 7).expect("a socket");
        let mut texts = Vec::new();
        loop {
            while let Some(message) = socket.next_message() {
                match message {
                    Ok(Incoming::Text(text) | Incoming::Binary(text)) => texts.push(text.to_vec()),
                    Ok(Incoming::Close) => return (texts, None),
                    Err(fault) => return (texts, Some(fault)),
                }
            }
            if socket.is_ended() {
                return (texts, None);
            }
            let filled = std::future::poll_fn(|cx| socket.poll_fill(cx));
            tokio::time::timeout(WAIT, filled).await.expect("in time").expect("read");
        }
    })
}

#[test]
fn speaks_with_an_independent_server() {
    let (target, server) = serve(|stream| {
        runtime().block_on(async {
            stream.set_nonblocking(true).expect("set");
            let stream = tokio::net::TcpStream::from_std(stream).expect("taken");
            let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a handshake");
            let large = "x".repeat(200_000);
            assert_eq!(socket.next().await.expect("one").expect("good"), Message::text(large));
            assert_eq!(socket.next().await.expect("one").expect("good"), Message::text("PING"));
            socket.send(Message::Ping(vec![1, 2, 3].into())).await.expect("sent");
            socket.send(Message::text("y".repeat(70_000))).await.expect("sent");
            assert_eq!(socket.next().await.expect("one").expect("good"), Message::Pong(vec![1, 2, 3].into()));
            socket.send(Message::text("PONG")).await.expect("sent");
            socket.close(None).await.expect("closed");
        });
    });
    let connected = dial_websocket(&target, 1, WAIT).expect("a handshake");
    runtime().block_on(async {
        let mut socket = WsSocket::new(connected.stream, &connected.leftover, 1).expect("a socket");
        socket.send_text(&"x".repeat(200_000)).expect("queued");
        socket.send_text("PING").expect("queued");
        let mut texts = Vec::new();
        loop {
            while let Some(message) = socket.next_message() {
                match message.expect("no fault") {
                    Incoming::Close => {
                        assert_eq!(texts, [b"y".repeat(70_000), b"PONG".to_vec()]);
                        return;
                    }
                    Incoming::Text(text) => texts.push(text.to_vec()),
                    Incoming::Binary(_) => panic!("a text was sent"),
                }
            }
            let step = std::future::poll_fn(|cx| {
                let _ = socket.poll_flush(cx).map(|done| done.expect("written"));
                socket.poll_fill(cx)
            });
            tokio::time::timeout(WAIT, step).await.expect("in time").expect("read");
        }
    });
    server.join().expect("the server is content");
}

#[test]
fn one_byte_at_a_time_with_fragments_and_control_frames_between() {
    let (target, server) = serve(|mut stream| {
        shake_hands(&mut stream);
        stream.set_nodelay(true).expect("set");
        let mut bytes = vec![0x81, 3, b'o', b'n', b'e'];
        bytes.extend([0x01, 2, b't', b'w']); // begins
        bytes.extend([0x89, 1, b'?']); // a ping in between
        bytes.extend([0x00, 0]); // an empty part
        bytes.extend([0x80, 1, b'o']); // ends
        bytes.extend([0x82, 126, 0, 130]);
        bytes.extend([b'b'; 130]);
        bytes.extend([0x88, 0]);
        for byte in bytes {
            stream.write_all(&[byte]).expect("written");
            std::thread::sleep(Duration::from_micros(50));
        }
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let (texts, fault) = collect(&target);
    assert_eq!(texts, [b"one".to_vec(), b"two".to_vec(), b"b".repeat(130)]);
    assert_eq!(fault, None);
    server.join().expect("the server is content");
}

#[test]
fn every_fault_is_typed_and_what_came_before_it_is_kept() {
    let broken: [(&[u8], Option<WsFault>); 7] = [
        (&[0x81, 5, b'h', b'e'], Some(WsFault::Truncated)),
        (&[0x81, 0x85, 0, 0, 0, 0], Some(WsFault::Masked)),
        (&[0xff, 0xff, 0xff], Some(WsFault::ReservedBits)),
        (&[0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0], Some(WsFault::TooLarge)),
        (&[0x80, 1, b'x'], Some(WsFault::Fragments)),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Some(WsFault::ReservedBits)),
        (&[], None),
    ];
    for (bytes, expected) in broken {
        let (target, server) = serve(move |mut stream| {
            shake_hands(&mut stream);
            stream.write_all(&[0x81, 2, b'o', b'k']).expect("written");
            stream.write_all(bytes).expect("written");
        });
        let (texts, fault) = collect(&target);
        assert_eq!(texts, [b"ok"], "{bytes:?}");
        assert_eq!(fault, expected, "{bytes:?}");
        server.join().expect("the server is content");
    }
}

#[test]
fn bytes_that_are_not_utf8_go_on_to_the_codec() {
    let (target, server) = serve(|mut stream| {
        shake_hands(&mut stream);
        stream.write_all(&[0x81, 2, 0xff, 0xfe, 0x88, 0]).expect("written");
    });
    assert_eq!(collect(&target), (vec![vec![0xff, 0xfe]], None));
    server.join().expect("the server is content");
}

#[test]
fn servers_that_are_no_websocket() {
    let refusals: [(&[u8], &str); 4] = [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "answered 403"),
        (b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: c3B5\r\n\r\n", "another key"),
        (b"garbage", "within the response"),
        (b"", "within the response"),
    ];
    for (reply, expected) in refusals {
        let (target, server) = serve(move |mut stream| {
            let mut head = [0; 512];
            let _ = stream.read(&mut head).expect("a request");
            stream.write_all(reply).expect("written");
        });
        let error = dial_websocket(&target, 1, WAIT).expect_err("no WebSocket").to_string();
        assert!(error.contains(expected) || error.contains("not an HTTP response"), "{error}");
        server.join().expect("the server is content");
    }
    let (target, server) = serve(|stream| {
        std::thread::sleep(Duration::from_millis(300));
        drop(stream);
    });
    let error = dial_websocket(&target, 1, Duration::from_millis(100)).expect_err("a silent server");
    assert!(matches!(error, NetError::Timeout), "{error}");
    server.join().expect("the server is content");
}
