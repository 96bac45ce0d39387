//! Whom we talk to: addresses, and the refusal of everything that is not on this machine.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::NetError;

/// A server: scheme, host, port, and what every path begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    authority: String,
    host: String,
    port: u16,
    base: String,
}

impl Target {
    /// Reads `http://host:port/base` or `ws://…`.
    ///
    /// # Errors
    /// [`NetError::Address`] for anything else; [`NetError::Encrypted`] for `https` and `wss`, which only remote venues
    /// need; [`NetError::NotLoopback`] for a numeric host that is not this machine. A name is checked when it is resolved.
    pub fn parse(url: &str) -> Result<Target, NetError> {
        let bad = || NetError::Address(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
        let default_port = match scheme {
            "http" | "ws" => 80,
            "https" | "wss" => return Err(NetError::Encrypted(url.to_owned())),
            _ => return Err(bad()),
        };
        let (authority, base) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| bad())?),
            _ => (authority, default_port),
        };
        let printable = authority.bytes().chain(base.bytes()).all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || !printable || authority.contains('@') || base.contains(['?', '#']) {
            return Err(bad());
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if let Ok(address) = host.parse::<std::net::IpAddr>()
            && !address.is_loopback()
        {
            return Err(NetError::NotLoopback(url.to_owned()));
        }
        Ok(Target { authority: authority.to_owned(), host, port, base: base.trim_end_matches('/').to_owned() })
    }

    /// Host and port, as a request names them.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path of a request: the base, and `path` behind it.
    #[must_use]
    pub fn path_of(&self, path: &str) -> String {
        if self.base.is_empty() && path.is_empty() { "/".to_owned() } else { format!("{}{path}", self.base) }
    }

    /// The addresses of the host, all of them on this machine.
    ///
    /// # Errors
    /// [`NetError::NotLoopback`] if one is not; the resolver's error otherwise.
    pub fn resolve(&self) -> Result<Vec<SocketAddr>, NetError> {
        let addresses: Vec<SocketAddr> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        match addresses.iter().find(|address| !address.ip().is_loopback()) {
            Some(_) => Err(NetError::NotLoopback(self.authority.clone())),
            None => Ok(addresses),
        }
    }
}

/// Resolves and connects, with delays off.
///
/// # Errors
/// [`NetError`] of the last address tried.
pub fn connect(target: &Target, timeout: Duration) -> Result<TcpStream, NetError> {
    let mut last = NetError::Address(target.authority.clone());
    for address in target.resolve()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_this_machine() {
        let target = Target::parse("http://127.0.0.1:8080").expect("a target");
        assert_eq!((target.authority(), target.path_of("/order").as_str()), ("127.0.0.1:8080", "/order"));
        let target = Target::parse("ws://localhost:9/ws/market").expect("a target");
        assert_eq!(target.path_of(""), "/ws/market");
        assert!(target.resolve().expect("addresses").iter().all(|address| address.port() == 9));
        assert_eq!(Target::parse("http://[::1]/x/").expect("a target").path_of("/y"), "/x/y");
        assert_eq!(Target::parse("http://[::1]").expect("a target").path_of(""), "/");
    }

    #[test]
    fn everything_else_is_refused() {
        for url in ["http://10.0.0.1/", "http://0.0.0.0:1", "ws://8.8.8.8:80/ws", "http://[2001:db8::1]:80"] {
            assert!(matches!(Target::parse(url), Err(NetError::NotLoopback(_))), "{url}");
        }
        for url in ["https://127.0.0.1", "wss://localhost/ws"] {
            assert!(matches!(Target::parse(url), Err(NetError::Encrypted(_))), "{url}");
        }
        for url in ["", "127.0.0.1", "ftp://127.0.0.1", "http://", "http://h:99999", "http://u@h/", "http://h/a b"] {
            assert!(matches!(Target::parse(url), Err(NetError::Address(_))), "{url}");
        }
    }
}
