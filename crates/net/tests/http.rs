//! The HTTP clients against servers that are slow, terse, or wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use oddsmith_net::http::{HttpClient, HttpConnection, HttpFault, write_request};
use oddsmith_net::{NetError, Target, dial};

const WAIT: Duration = Duration::from_secs(5);

fn serve(clients: usize, mut serving: impl FnMut(usize, TcpStream) + Send + 'static) -> (Target, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = Target::parse(&format!("http://{}", listener.local_addr().expect("bound"))).expect("a target");
    let thread = std::thread::spawn(move || {
        for n in 0..clients {
            serving(n, listener.accept().expect("a client").0);
        }
    });
    (target, thread)
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("read") == 1 {
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

/// One request on a connection of the hot side, and the answers that come for it.
fn exchange(target: &Target) -> Result<Vec<(u16, Vec<u8>)>, HttpFault> {
    let connected = dial(target, WAIT).expect("connected");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = HttpConnection::new(connected.stream).expect("taken");
        write_request(connection.request(), "POST", "/order", target.authority(), b"X: y\r\n", b"{}");
        connection.write_now().expect("written");
        let mut answers = Vec::new();
        loop {
            while let Some(answer) = connection.next_response() {
                let (response, body) = answer?;
                answers.push((response.status, body.to_vec()));
            }
            if connection.is_ended() {
                return Ok(answers);
            }
            let step = std::future::poll_fn(|cx| {
                let _ = connection.poll_flush(cx);
                connection.poll_fill(cx)
            });
            tokio::time::timeout(WAIT, step).await.expect("in time").expect("read");
        }
    })
}

#[test]
fn an_answer_in_single_bytes_and_a_chunked_one_behind_it() {
    let (target, server) = serve(1, |_, mut stream| {
        assert!(read_head(&mut stream).starts_with("POST /order HTTP/1.1\r\n"));
        stream.read_exact(&mut [0; 2]).expect("a body");
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndoneHTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n";
        for byte in bytes {
            stream.write_all(&[*byte]).expect("written");
            std::thread::sleep(Duration::from_micros(50));
        }
    });
    assert_eq!(exchange(&target), Ok(vec![(200, b"done".to_vec()), (400, b"no".to_vec())]));
    server.join().expect("the server is content");
}

#[test]
fn a_server_that_closes_in_the_middle_or_talks_nonsense() {
    let replies: [(&[u8], HttpFault); 3] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\npart", HttpFault::Truncated),
        (b"HTTP/1.1 2", HttpFault::Truncated),
        (b"\x00\x01\x02\x03 what", HttpFault::Syntax),
    ];
    for (reply, fault) in replies {
        let (target, server) = serve(1, move |_, mut stream| {
            read_head(&mut stream);
            stream.read_exact(&mut [0; 2]).expect("a body");
            stream.write_all(reply).expect("written");
        });
        assert_eq!(exchange(&target), Err(fault));
        server.join().expect("the server is content");
    }
}

#[test]
fn the_side_client_keeps_its_connection_and_comes_back_for_reads() {
    let (target, server) = serve(2, |n, mut stream| {
        for _ in 0..2 {
            let head = read_head(&mut stream);
            assert!(head.starts_with("GET /page HTTP/1.1\r\n"), "{head}");
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{n}").as_bytes()).expect("written");
        }
        // and closes without a word, as servers do with connections that were idle
    });
    let mut client = HttpClient::new(target, WAIT);
    let mut bodies = Vec::new();
    for _ in 0..4 {
        let answer = client.request("GET", "/page", b"", b"").expect("an answer");
        bodies.push((answer.status, answer.body));
    }
    let expected = ["0", "0", "1", "1"].map(|body| (200, body.as_bytes().to_vec()));
    assert_eq!(bodies, expected);
    server.join().expect("the server is content");
}

#[test]
fn a_request_that_changes_something_is_not_repeated() {
    let (target, server) = serve(1, |_, mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("written");
        read_head(&mut stream);
    });
    let mut client = HttpClient::new(target, WAIT);
    client.request("POST", "/a", b"", b"{}").expect("an answer");
    assert!(client.request("POST", "/a", b"", b"{}").is_err());
    server.join().expect("one client only");
}

#[test]
fn a_slow_server_is_a_timeout() {
    let (target, server) = serve(1, |_, mut stream| {
        read_head(&mut stream);
        for byte in b"HTTP/1.1 200 OK\r\nContent-Len" {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let mut client = HttpClient::new(target, Duration::from_millis(150));
    let before = std::time::Instant::now();
    let error = client.request("GET", "/", b"", b"").expect_err("too slow");
    assert!(matches!(error, NetError::Timeout), "{error}");
    assert!(before.elapsed() < Duration::from_secs(1));
    server.join().expect("the server is content");
}
