//! `oddsmith run` while the exchange refuses the market socket: books come by REST until it is let in again.

mod support;

use std::time::Duration;

use oddsmith_exchange::scenario::Channel;
use oddsmith_exchange::server::{Server, ServerConfig};
use support::live::{Live, assert_replays, figure, venue_flags};
use support::oddsmith;

#[test]
fn quotes_by_rest_when_the_market_socket_is_refused_and_by_the_socket_afterwards() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    exchange.faults().refuse_channel(Channel::Market, true);
    let data = support::data();
    let flags = venue_flags(&exchange);
    let mut arguments: Vec<&str> = flags.iter().map(String::as_str).collect();
    let soon = ["engine.doubt.degraded_after_ms=1000", "engine.doubt.degraded_tolerance_ticks=5"];
    for setting in soon {
        arguments.extend(["--set", setting]);
    }
    let live = Live::start(data.path(), &arguments);
    live.wait_for("order without a market socket", |said| figure(said, " open ") > 0);
    exchange.faults().end();
    // The socket is tried again after a pause, and its books are all there a little later.
    std::thread::sleep(Duration::from_secs(8));
    let sent = figure(&live.said(), " sent,");
    live.wait_for("order with it", |said| figure(said, " sent,") > sent && figure(said, " open ") > 0);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    let export = oddsmith(data.path(), &["journal", "cat", "latest"]);
    let lines: Vec<&str> = export.out.lines().collect();
    let at = |what: &str| lines.iter().position(|line| line.contains(what));
    let (on, off) = (at("\"on\":true"), at("\"on\":false"));
    let (on, off) = (on.expect("degraded"), off.expect("and no more"));
    let first_order = at("\"kind\":\"action.place\"").expect("an order");
    assert!(on < first_order && first_order < off, "{on} {first_order} {off}");
    assert_replays(data.path());
}
