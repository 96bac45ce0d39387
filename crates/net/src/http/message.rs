//! HTTP/1.1 messages: requests as bytes, responses from bytes.

use std::ops::Range;

use thiserror::Error;

/// Why an answer is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Error)]
pub enum HttpFault {
    /// Not HTTP.
    #[error("not an HTTP response")]
    Syntax,
    /// Head or body beyond the limit.
    #[error("a response larger than the limit")]
    TooLarge,
    /// The stream ended within the answer.
    #[error("the stream ends within the response")]
    Truncated,
    /// A chunk that is not one.
    #[error("a malformed chunk")]
    Chunk,
}

/// Heads longer than this are not the venue's.
const HEAD_LIMIT: usize = 64 * 1024;

/// The body of a response, where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// In one piece in the buffer.
    Plain(Range<usize>),
    /// In pieces in the buffer.
    Chunked(Vec<Range<usize>>),
}

/// A complete response at the start of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// How long the venue asks to wait, in its words.
    pub retry_after: Option<String>,
    /// Whether the connection can carry another request.
    pub keep_alive: bool,
    /// The key that a WebSocket handshake is accepted with.
    pub websocket_accept: Option<String>,
    /// The body.
    pub body: Body,
    /// Bytes of the whole response.
    pub len: usize,
}

impl Response {
    /// The body's bytes out of the buffer that was parsed; pieces are gathered in `gathered`.
    pub fn body<'a>(&self, buffer: &'a [u8], gathered: &'a mut Vec<u8>) -> &'a [u8] {
        match &self.body {
            Body::Plain(range) => buffer.get(range.clone()).unwrap_or_default(),
            Body::Chunked(pieces) => {
                gathered.clear();
                for piece in pieces {
                    gathered.extend_from_slice(buffer.get(piece.clone()).unwrap_or_default());
                }
                gathered
            }
        }
    }
}

/// Reads the response at the start of `bytes`; `None` when more bytes are needed. `ended` says that no more will come.
///
/// # Errors
/// [`HttpFault`]; the connection cannot be used any more.
pub fn read_response(bytes: &[u8], ended: bool, body_limit: usize) -> Result<Option<Response>, HttpFault> {
    let incomplete = || if ended { Err(HttpFault::Truncated) } else { Ok(None) };
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let head_len = match head.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if bytes.len() > HEAD_LIMIT => return Err(HttpFault::TooLarge),
        Ok(httparse::Status::Partial) => return incomplete(),
        Err(_) => return Err(HttpFault::Syntax),
    };
    let status = head.code.ok_or(HttpFault::Syntax)?;
    let mut response = Response {
        status,
        retry_after: None,
        keep_alive: head.version == Some(1),
        websocket_accept: None,
        body: Body::Plain(head_len..head_len),
        len: head_len,
    };
    let (mut length, mut chunked) = (None, false);
    for header in head.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse::<usize>().map_err(|_| HttpFault::Syntax)?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.to_ascii_lowercase().ends_with("chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            response.keep_alive &= !value.eq_ignore_ascii_case("close");
        } else if header.name.eq_ignore_ascii_case("retry-after") {
            response.retry_after = Some(value.to_owned());
        } else if header.name.eq_ignore_ascii_case("sec-websocket-accept") {
            response.websocket_accept = Some(value.to_owned());
        }
    }
    if status < 200 || status == 204 || status == 304 {
        return Ok(Some(response));
    }
    let body_end = if chunked {
        match chunks(bytes, head_len, body_limit)? {
            Some((pieces, end)) => {
                response.body = Body::Chunked(pieces);
                end
            }
            None => return incomplete(),
        }
    } else if let Some(length) = length {
        if length > body_limit {
            return Err(HttpFault::TooLarge);
        }
        if bytes.len() - head_len < length {
            return incomplete();
        }
        response.body = Body::Plain(head_len..head_len + length);
        head_len + length
    } else {
        // Without a length the body ends with the connection.
        if bytes.len() - head_len > body_limit {
            return Err(HttpFault::TooLarge);
        }
        if !ended {
            return Ok(None);
        }
        response.keep_alive = false;
        response.body = Body::Plain(head_len..bytes.len());
        bytes.len()
    };
    response.len = body_end;
    Ok(Some(response))
}

/// The pieces of a chunked body that begins at `at`, and where it ends.
#[allow(clippy::type_complexity, reason = "the pieces and the end, for one caller")]
fn chunks(bytes: &[u8], mut at: usize, limit: usize) -> Result<Option<(Vec<Range<usize>>, usize)>, HttpFault> {
    let mut pieces = Vec::new();
    let mut total = 0usize;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (head_len, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) if rest.len() > 1_024 => return Err(HttpFault::Chunk),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(HttpFault::Chunk),
        };
        let size = usize::try_from(size).ok().filter(|size| *size <= limit).ok_or(HttpFault::TooLarge)?;
        total += size;
        if total > limit {
            return Err(HttpFault::TooLarge);
        }
        let start = at + head_len;
        if size == 0 {
            // Trailers end with an empty line, as a head does.
            let mut trailers = [httparse::EMPTY_HEADER; 16];
            return match httparse::parse_headers(bytes.get(start..).unwrap_or_default(), &mut trailers) {
                Ok(httparse::Status::Complete((len, _))) => Ok(Some((pieces, start + len))),
                Ok(httparse::Status::Partial) => Ok(None),
                Err(_) => Err(HttpFault::Chunk),
            };
        }
        let Some(end) = bytes.get(start + size..start + size + 2) else { return Ok(None) };
        if end != b"\r\n" {
            return Err(HttpFault::Chunk);
        }
        pieces.push(start..start + size);
        at = start + size + 2;
    }
}

/// Appends a request: the template of everything that leaves. `headers` are complete lines, each ended with CR and LF.
pub fn write_request(out: &mut Vec<u8>, method: &str, path: &str, host: &str, headers: &[u8], body: &[u8]) {
    out.reserve(method.len() + path.len() + host.len() + headers.len() + body.len() + 160);
    for part in [method.as_bytes(), b" ", path.as_bytes(), b" HTTP/1.1\r\nHost: ", host.as_bytes(), b"\r\n"] {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"Accept: */*\r\nUser-Agent: oddsmith\r\n");
    if !body.is_empty() || method != "GET" {
        out.extend_from_slice(b"Content-Type: application/json\r\nContent-Length: ");
        push_number(out, body.len());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(headers);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

fn push_number(out: &mut Vec<u8>, mut value: usize) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (value % 10) as u8;
        at -= 1;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1_000;

    fn body_of(bytes: &[u8], ended: bool) -> (u16, Vec<u8>) {
        let response = read_response(bytes, ended, LIMIT).expect("no fault").expect("complete");
        let mut gathered = Vec::new();
        (response.status, response.body(bytes, &mut gathered).to_vec())
    }

    #[test]
    fn bodies_by_length_by_chunks_and_by_the_end() {
        assert_eq!(body_of(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP", false), (200, b"ok".to_vec()));
        let chunked = b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(body_of(chunked, false), (400, b"abcde".to_vec()));
        assert_eq!(body_of(b"HTTP/1.0 200 OK\r\n\r\nrest", true), (200, b"rest".to_vec()));
        assert_eq!(read_response(b"HTTP/1.0 200 OK\r\n\r\nrest", false, LIMIT), Ok(None));
        assert_eq!(body_of(b"HTTP/1.1 204 No Content\r\n\r\n", false), (204, vec![]));
    }

    #[test]
    fn headers_that_matter() {
        let bytes = b"HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let response = read_response(bytes, false, LIMIT).expect("no fault").expect("complete");
        assert_eq!((response.status, response.retry_after.as_deref(), response.keep_alive), (429, Some("3"), false));
        assert_eq!(response.len, bytes.len());
    }

    #[test]
    fn every_prefix_is_incomplete_and_a_fault_once_the_stream_ended() {
        for whole in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ] {
            for cut in 0..whole.len() {
                assert_eq!(read_response(&whole[..cut], false, LIMIT), Ok(None), "{cut}");
                assert_eq!(read_response(&whole[..cut], true, LIMIT), Err(HttpFault::Truncated), "{cut}");
            }
            assert_eq!(body_of(whole, false).1, b"hello");
        }
    }

    #[test]
    fn garbage_and_size_are_refused() {
        assert_eq!(read_response(b"\x16\x03\x01 hello", false, LIMIT), Err(HttpFault::Syntax));
        let long = b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n";
        assert_eq!(read_response(long, false, LIMIT), Err(HttpFault::TooLarge));
        let negative = b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n";
        assert_eq!(read_response(negative, false, LIMIT), Err(HttpFault::Syntax));
        let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n";
        assert_eq!(read_response(chunk, false, LIMIT), Err(HttpFault::TooLarge));
        let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n";
        assert_eq!(read_response(chunk, false, LIMIT), Err(HttpFault::Chunk));
        let endless = [&b"HTTP/1.1 200 OK\r\nX: "[..], &[b'x'; 70_000]].concat();
        assert_eq!(read_response(&endless, false, LIMIT), Err(HttpFault::TooLarge));
    }

    #[test]
    fn a_request_is_what_a_server_expects() {
        let mut out = Vec::new();
        write_request(&mut out, "POST", "/order", "127.0.0.1:80", b"POLY_ADDRESS: 0x\r\n", b"{}");
        let text = String::from_utf8(out).expect("text");
        assert!(text.starts_with("POST /order HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"));
        assert!(text.ends_with("Content-Length: 2\r\nPOLY_ADDRESS: 0x\r\n\r\n{}"));
        let mut out = Vec::new();
        write_request(&mut out, "DELETE", "/cancel-all", "h", b"", b"");
        assert!(String::from_utf8(out).expect("text").contains("Content-Length: 0\r\n"));
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), ended: bool) {
            let _ = read_response(&bytes, ended, LIMIT);
            let behind = [&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..], &bytes].concat();
            if let Ok(Some(response)) = read_response(&behind, ended, LIMIT) {
                prop_assert!(response.len <= behind.len());
            }
        }
    }
}
