//! The accept loop: HTTP/1.1 connections with bounds on everything that a stranger can make grow, and the transport faults
//! that only the connection's owner can commit (closing without an answer).

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use oddsmith_polymarket::Tier;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::faults::Faults;
use super::reply::{Fault, set_header};
use crate::scenario::Errors;

/// Connections at a time; a further one is closed at once.
const MOST_CONNECTIONS: usize = 4_096;
/// Bytes of a request's head; more is a 431.
const MOST_HEAD_BYTES: usize = 64 * 1024;
/// How long a connection may stay silent between requests, or dribble a head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Serves until `stop` says so, then lets go of every connection.
pub(super) async fn serve(listener: TcpListener, router: Router, faults: Arc<Faults>, stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut stopping = stop.clone();
    loop {
        let accepted = tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, or the peer is gone already: neither is helped by spinning.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        if faults.refuses_connections() {
            continue;
        }
        let connection = connection(stream, router.clone(), Arc::clone(&faults), stop.clone());
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, router: Router, faults: Arc<Faults>, mut stop: watch::Receiver<bool>) {
    // Without this, small answers and frames wait for the peer's delayed acknowledgement.
    let _best_effort = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        answer(router.clone(), Arc::clone(&faults), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MOST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        // What ends a connection (a broken pipe, bytes that are not HTTP) concerns nobody but the peer.
        _ended = connection => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// The answer is thrown away although the request was acted upon: the connection closes without it.
#[derive(Debug)]
struct AnswerLost;

impl fmt::Display for AnswerLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer was lost on purpose")
    }
}

impl std::error::Error for AnswerLost {}

impl From<Infallible> for AnswerLost {
    fn from(never: Infallible) -> AnswerLost {
        match never {}
    }
}

async fn answer(
    router: TowerToHyperService<Router>,
    faults: Arc<Faults>,
    request: Request<Incoming>,
) -> Result<Response<Body>, AnswerLost> {
    let path = request.uri().path();
    let is_control = path == "/control" || path.starts_with("/control/");
    let changes_orders = is_order_path(request.method(), path);
    if !is_control {
        faults.hold_request().await;
    }
    let error = faults.error_for(changes_orders).filter(|_| !is_control);
    if let Some(error) = error.filter(|error| !error.acted) {
        return Ok(refused(error));
    }
    let response = router.call(request).await?;
    if changes_orders && faults.takes_answer() {
        return Err(AnswerLost);
    }
    Ok(error.map_or(response, refused))
}

/// An answer that says nothing about what was asked. 429 has the venue's headers.
pub(super) fn refused(error: Errors) -> Response<Body> {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status != StatusCode::TOO_MANY_REQUESTS {
        return Fault::new(status, status.canonical_reason().unwrap_or("Internal server error")).into_response();
    }
    let mut response = Fault::new(status, "Too Many Requests").retry_after(1).into_response();
    for (name, value) in [
        ("poly-ratelimit-remaining", "0"),
        ("poly-ratelimit-reset", "1"),
        ("poly-ratelimit-tier", Tier::Standard.as_str()),
    ] {
        set_header(&mut response, name, value);
    }
    response
}

pub(super) fn is_order_path(method: &Method, path: &str) -> bool {
    let mass_cancel = matches!(path, "/cancel-all" | "/cancel-market-orders");
    (matches!(path, "/order" | "/orders") && matches!(*method, Method::POST | Method::DELETE))
        || (mass_cancel && *method == Method::DELETE)
}

/// Binds, refusing addresses that others could reach.
pub(super) async fn bind(listen: SocketAddr, allow_remote: bool) -> std::io::Result<TcpListener> {
    if !allow_remote && !listen.ip().is_loopback() {
        let text =
            format!("{listen} can be reached from outside: the local exchange listens on loopback addresses only");
        return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, text));
    }
    TcpListener::bind(listen).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_orders_and_cancels_can_lose_their_answers() {
        assert!(is_order_path(&Method::POST, "/order") && is_order_path(&Method::DELETE, "/orders"));
        assert!(is_order_path(&Method::DELETE, "/cancel-all"));
        assert!(!is_order_path(&Method::GET, "/data/orders") && !is_order_path(&Method::GET, "/order"));
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let refused = runtime.block_on(bind("0.0.0.0:0".parse().expect("an address"), false));
        assert_eq!(refused.expect_err("not loopback").kind(), std::io::ErrorKind::PermissionDenied);
        runtime.block_on(bind("127.0.0.1:0".parse().expect("an address"), false)).expect("loopback");
    }
}
