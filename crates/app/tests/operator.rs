//! The operator's commands against a running engine, as processes over a real socket.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use oddsmith_exchange::scenario::Channel;
use oddsmith_exchange::server::{Server, ServerConfig};
use oddsmith_polymarket::AssetTable;
use support::live::{Live, account, assert_replays, figure, venue_flags};
use support::oddsmith;

#[test]
fn stop_cancels_everything_and_resume_quotes_again() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let live = Live::start(data.path(), &venue_flags(&exchange).each_ref().map(String::as_str));
    live.wait_for("order", |said| figure(said, " open ") > 0);
    let at_the_venue = || account(&exchange).account(&AssetTable::new(), &[], 0).expect("the account").orders.len();

    // Nothing of the market channel arrives any more; a stop must not wait for it.
    exchange.faults().freeze_channel(Channel::Market, true);
    let stop = oddsmith(data.path(), &["stop"]);
    assert_eq!(stop.code, 0, "{stop:?}");
    assert!(stop.out.contains("handled, record ") && stop.out.contains("does not quote: [Operator]"), "{stop:?}");
    assert!(stop.out.contains("the venue shows that nothing is left"), "{stop:?}");
    assert_eq!(at_the_venue(), 0, "{stop:?}");
    exchange.faults().end();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(at_the_venue(), 0, "stopped is stopped");
    let status = oddsmith(data.path(), &["status", "--json"]);
    assert!(status.out.contains("\"quoting\":false") && status.out.contains("\"operator\""), "{status:?}");

    let sent = figure(&live.said(), " sent,");
    let resume = oddsmith(data.path(), &["resume", "latest"]);
    assert_eq!(resume.code, 0, "{resume:?}");
    live.wait_for("order after the stop", |said| figure(said, " sent,") > sent && figure(said, " open ") > 0);

    let shutdown = oddsmith(data.path(), &["shutdown"]);
    assert_eq!(shutdown.code, 0, "{shutdown:?}");
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert_eq!(at_the_venue(), 0);
    assert_replays(data.path());
    let commands = oddsmith(data.path(), &["journal", "cat", "latest", "--kind", "input.command"]);
    assert_eq!(commands.out.lines().count(), 3, "{commands:?}");
    let gone = oddsmith(data.path(), &["stop"]);
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.err.contains("does not run"), "{gone:?}");
}

#[test]
fn a_stop_that_the_venue_does_not_confirm_says_so() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let live = Live::start(data.path(), &venue_flags(&exchange).each_ref().map(String::as_str));
    live.wait_for("order", |said| figure(said, " open ") > 0);
    exchange.faults().freeze_http(true);
    let stop = oddsmith(data.path(), &["stop", "--wait", "1s"]);
    assert_eq!(stop.code, 1, "{stop:?}");
    assert!(stop.out.contains("NOT yet shown"), "{stop:?}");
    exchange.faults().end();
    let again = oddsmith(data.path(), &["stop", "--json"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("\"shown\":true"), "{again:?}");
    live.interrupt();
    assert_eq!(live.end().0, 0);
    assert_replays(data.path());
}

#[test]
fn the_socket_is_private_and_a_wrong_request_is_refused_in_words() {
    use std::io::{BufRead, BufReader, Write};
    let data = support::data();
    let live = Live::start(data.path(), &[]);
    live.wait_for("table", |said| said.contains("UTC"));
    let runs = data.path().join("runs");
    let run = std::fs::read_dir(&runs).expect("runs").next().expect("a run").expect("an entry").path();
    let socket = run.join("control.sock");
    assert_eq!(std::fs::metadata(&socket).expect("a socket").permissions().mode() & 0o777, 0o600);
    for wrong in ["", "nonsense\n", "{}\n", "{\"command\":\"sell_everything\"}\n", "{\"command\":\"stop\",\"x\":1}\n"] {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).expect("connects");
        stream.write_all(wrong.as_bytes()).expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("ended");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("an answer");
        assert!(line.contains("\"refused\""), "{wrong}: {line}");
    }
    let unknown = oddsmith(data.path(), &["status", "--market", "no-such-market"]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.err.contains("does not trade `no-such-market`"), "{unknown:?}");
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert!(!socket.exists(), "an ended run is not to be called");
}

#[test]
fn a_halt_is_for_its_market_and_a_kill_is_not_undone_by_resume() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let live = Live::start(data.path(), &venue_flags(&exchange).each_ref().map(String::as_str));
    live.wait_for("order", |said| figure(said, " open ") > 0);
    let status = || serde_json::from_str::<serde_json::Value>(&oddsmith(data.path(), &["status", "--json"]).out);
    let view = || status().expect("JSON")["view"].clone();
    let quotes = |slug: &str| {
        let view = view();
        let lines = view["markets"].as_array().expect("markets").clone();
        let line = lines.iter().find(|line| line["slug"] == slug).expect("the market");
        line["quotes"].as_array().expect("quotes").len()
    };
    let markets = view()["markets"].as_array().expect("markets").clone();
    let slugs: Vec<&str> = markets.iter().filter_map(|line| line["slug"].as_str()).collect();
    let one = *slugs.iter().find(|slug| quotes(slug) > 0).expect("a market with quotes");
    let halt = oddsmith(data.path(), &["halt", "--market", one]);
    assert_eq!(halt.code, 0, "{halt:?}");
    assert!(halt.out.contains("the venue shows that nothing is left"), "{halt:?}");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(quotes(one), 0, "halted is halted");
    assert_eq!(view()["quoting"], true, "the others go on");
    assert_eq!(oddsmith(data.path(), &["activate", "--market", one]).code, 0);

    let kill = oddsmith(data.path(), &["kill"]);
    assert_eq!(kill.code, 0, "{kill:?}");
    assert!(kill.out.contains("KillSwitch") && kill.out.contains("nothing is left"), "{kill:?}");
    assert_eq!(oddsmith(data.path(), &["resume"]).code, 0);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(view()["quoting"], false, "only a reset undoes a kill");
    let reset = oddsmith(data.path(), &["reset"]);
    assert_eq!(reset.code, 0, "{reset:?}");
    for (wrong, told) in
        [(&["halt", "--instance", "nobody"][..], "`nobody`"), (&["halt", "--market", "nowhere"], "`nowhere`")]
    {
        let refused = oddsmith(data.path(), wrong);
        assert!(refused.code == 1 && refused.err.contains(told), "{refused:?}");
    }
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert_replays(data.path());
}
