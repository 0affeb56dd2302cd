//! To whom a JWT may be addressed.
//!
//! In: the addresses of this server and the operator's list. Out: the texts that are accepted as `aud`. Called at start.

use std::collections::HashSet;
use std::net::SocketAddr;

/// What the SDKs of Yandex Cloud for Go, Python and Node.js always put there, and the one for Java unless it is told
/// otherwise, wherever they send the JWT (docs/adr/0014). To accept it is safe, because a JWT is bound to us by its key: `kid` and `iss` are
/// random ids that we handed out, and a JWT for the cloud, or for another installation, has others. What is lost is only
/// that a copy of our own database, restored elsewhere, would accept the same JWTs.
const CLOUD: &str = "https://iam.api.cloud.yandex.net/iam/v1/tokens";
const PATH: &str = "/iam/v1/tokens";
const DEFAULT_PORT: &str = ":443";

/// Where this server is reached.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// What discovery says: `host` or `host:port`.
    pub advertised: &'a str,
    /// Where plaintext is served.
    pub plain: Option<SocketAddr>,
    /// Where TLS is served.
    pub tls: Option<SocketAddr>,
}

/// The accepted audiences: those of the server's addresses, the cloud's, and `further` ones.
#[must_use]
pub fn audiences(addresses: Addresses<'_>, further: &[String]) -> HashSet<String> {
    let mut accepted: HashSet<String> = further.iter().cloned().collect();
    accepted.insert(CLOUD.to_owned());
    for address in with_and_without_port(addresses.advertised) {
        accepted.insert(format!("https://{address}{PATH}"));
        accepted.insert(format!("https://iam.{address}{PATH}"));
    }
    for (scheme, listener) in [("http", addresses.plain), ("https", addresses.tls)] {
        // Only those who are on this machine can name us like this.
        let Some(listener) = listener.filter(|address| address.ip().to_canonical().is_loopback()) else { continue };
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            accepted.insert(format!("{scheme}://{host}:{}{PATH}", listener.port()));
        }
    }
    accepted
}

/// An address with the default port, in both spellings; any other in its own.
fn with_and_without_port(address: &str) -> Vec<String> {
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    match address.strip_suffix(DEFAULT_PORT) {
        _ if address.is_empty() => Vec::new(),
        Some(host) => vec![host.to_owned(), address.to_owned()],
        None if has_port => vec![address.to_owned()],
        None => vec![address.to_owned(), format!("{address}{DEFAULT_PORT}")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(advertised: &str, plain: Option<&str>, tls: Option<&str>, further: &[&str]) -> Vec<String> {
        let parse = |address: Option<&str>| address.map(|address| address.parse().unwrap());
        let addresses = Addresses { advertised, plain: parse(plain), tls: parse(tls) };
        let further: Vec<String> = further.iter().map(|text| (*text).to_owned()).collect();
        let mut list: Vec<_> = audiences(addresses, &further).into_iter().filter(|text| text != CLOUD).collect();
        list.sort();
        list
    }

    #[test]
    fn the_advertised_address_is_an_audience_with_and_without_the_service_name() {
        let expected = ["https://iam.kms.example.com:8201/iam/v1/tokens", "https://kms.example.com:8201/iam/v1/tokens"];
        assert_eq!(sorted("kms.example.com:8201", None, Some("192.0.2.1:8201"), &[]), expected);
    }

    #[test]
    fn the_default_port_may_be_named_or_not() {
        let expected = [
            "https://iam.kms.example.com/iam/v1/tokens",
            "https://iam.kms.example.com:443/iam/v1/tokens",
            "https://kms.example.com/iam/v1/tokens",
            "https://kms.example.com:443/iam/v1/tokens",
        ];
        assert_eq!(sorted("kms.example.com:443", None, None, &[]), expected);
        assert_eq!(sorted("kms.example.com", None, None, &[]), expected);
    }

    #[test]
    fn a_listener_on_loopback_is_an_audience_by_its_three_names() {
        let list = sorted("", Some("127.0.0.1:8200"), Some("[::1]:8201"), &[]);
        let expected = [
            "http://127.0.0.1:8200/iam/v1/tokens",
            "http://[::1]:8200/iam/v1/tokens",
            "http://localhost:8200/iam/v1/tokens",
            "https://127.0.0.1:8201/iam/v1/tokens",
            "https://[::1]:8201/iam/v1/tokens",
            "https://localhost:8201/iam/v1/tokens",
        ];
        assert_eq!(list, expected);
        assert_eq!(sorted("", Some("0.0.0.0:8200"), Some("192.0.2.1:8201"), &[]), Vec::<String>::new());
    }

    #[test]
    fn the_operators_list_and_the_clouds_audience_are_accepted_too() {
        assert_eq!(sorted("", None, None, &["urn:kms"]), ["urn:kms"]);
        let none = Addresses { advertised: "", plain: None, tls: None };
        assert_eq!(audiences(none, &[]), HashSet::from([CLOUD.to_owned()]));
    }
}
