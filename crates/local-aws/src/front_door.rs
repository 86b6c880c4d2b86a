//! Whose requests are looked at: those that name this machine, and that no foreign page has sent.
//!
//! A page of the web cannot open a connection to this machine under a name of its own but by DNS rebinding; then
//! `Host` holds that name. It can send requests to `localhost`; then the browser says so in `Origin` and
//! `Sec-Fetch-Site`, which no script can change. Programs send neither of these two.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, uri::Authority};
use serde_json::json;
use url::Host;

use crate::aws_error::json_response;

/// The names of this machine beside those of its loopback interface.
#[derive(Debug, Clone, Default)]
pub(crate) struct FrontDoor(Arc<RwLock<BTreeSet<String>>>);

/// Why a request is not looked at.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Intruder {
    /// It is for another machine.
    #[error(
        "the Host {0} is none of this service's; its names are those of the loopback interface and those allowed at its start"
    )]
    Host(String),
    /// A page of somewhere else has sent it.
    #[error("the request comes from a page of another origin")]
    Page,
}

impl Intruder {
    pub(crate) fn into_response(self) -> Response<Body> {
        tracing::warn!(problem = %self, "a request was turned away");
        let (status, code) = match self {
            Self::Host(_) => (StatusCode::MISDIRECTED_REQUEST, "UnknownHost"),
            Self::Page => (StatusCode::FORBIDDEN, "ForeignOrigin"),
        };
        let body = json!({ "code": code, "message": self.to_string() });
        let mut response = json_response(status, "application/json", &body);
        let code = HeaderValue::from_static(code);
        response.headers_mut().insert("x-amzn-errortype", code);
        response
    }
}

impl FrontDoor {
    /// Takes requests for another name too, and for pages of it.
    pub(crate) fn allow(&self, name: &str) {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.trim_end_matches('.').to_ascii_lowercase());
    }

    /// Turns a request away that is for another machine or sent by a foreign page.
    ///
    /// The APIs behind `/_aws/execute-api/` decide themselves which pages may call them, as behind API Gateway.
    pub(crate) fn admit<B>(&self, request: &Request<B>) -> Result<(), Intruder> {
        self.check_hosts(request)?;
        let path = request.uri().path();
        if path.starts_with("/_aws/execute-api/") {
            return Ok(());
        }
        // A link in a mail or a wiki: the browser leaves the foreign page, which sees nothing of the answer.
        let follows_link = path.starts_with("/_aws/lambda-url/")
            && request.method() == Method::GET
            && has(request.headers(), "sec-fetch-mode", "navigate");
        match follows_link || self.is_from_here(request.headers()) {
            true => Ok(()),
            false => Err(Intruder::Page),
        }
    }

    fn check_hosts<B>(&self, request: &Request<B>) -> Result<(), Intruder> {
        let headers = request.headers().get_all(header::HOST).iter();
        let hosts = headers.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
        // A browser always says for whom a request is; a program that says nothing was not tricked.
        let target = request.uri().authority().map(Authority::to_string);
        for host in hosts.chain(target) {
            if !self.is_own(&host) {
                return Err(Intruder::Host(host));
            }
        }
        Ok(())
    }

    fn is_own(&self, authority: &str) -> bool {
        is_loopback(authority) || self.is_allowed(authority)
    }

    fn is_allowed(&self, authority: &str) -> bool {
        let Some(Host::Domain(name)) = host(authority) else {
            let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
            return host(authority).is_some_and(|address| names.contains(&address.to_string()));
        };
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.contains(name.trim_end_matches('.'))
    }

    fn is_from_here(&self, headers: &HeaderMap) -> bool {
        let same_origin = has(headers, "sec-fetch-site", "same-origin");
        let foreign_site =
            headers.contains_key("sec-fetch-site") && !same_origin && !has(headers, "sec-fetch-site", "none");
        !foreign_site
            && headers.get_all(header::ORIGIN).iter().all(|origin| {
                let origin = String::from_utf8_lossy(origin.as_bytes());
                // A form of a page without referrers has no origin to show.
                match origin.split_once("://") {
                    None => origin == "null" && same_origin,
                    Some((_, authority)) => self.is_allowed(authority) || is_host_of(headers, authority),
                }
            })
    }
}

/// Returns whether the value of a `Host` header is a name of the loopback interface, in any spelling.
pub(crate) fn is_loopback(authority: &str) -> bool {
    match host(authority) {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            let mapped = address.to_ipv4_mapped();
            mapped.map_or(address.is_loopback(), |address| address.is_loopback())
        }
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

/// Returns the host of `host[:port]`, read as a browser does.
fn host(authority: &str) -> Option<Host> {
    let authority: Authority = authority.parse().ok()?;
    // Without a user in front, nor a port that is no number.
    let port = authority.as_str().strip_prefix(authority.host())?;
    let port = port.strip_prefix(':').unwrap_or(port);
    let is_plain = port.is_empty() || port.parse::<u16>().is_ok();
    is_plain.then(|| Host::parse(authority.host()).ok()).flatten()
}

fn is_host_of(headers: &HeaderMap, authority: &str) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

fn has(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|found| found == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let request = Request::post(path);
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(()).expect("a request")
    }

    #[test]
    fn every_spelling_of_the_loopback_interface_is_this_machine_and_nothing_else_is() {
        let own = [
            "127.0.0.1:4566",
            "127.8.9.10",
            "127.1:4566",
            "0x7f000001",
            "2130706433:80",
            "[::1]:4566",
            "[::ffff:127.0.0.1]",
            "localhost",
            "LOCALHOST:4566",
            "localhost.:4566",
            "localhost:",
            "bucket.localhost:4566",
        ];
        let foreign = [
            "evil.example:4566",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "notlocalhost",
            "0.0.0.0:4566",
            "192.168.0.7",
            "[::2]",
            "localhost:x",
            "localhost@evil.example",
            "evil.example@localhost",
            "127.0.0.1:4566.evil.example",
            "localhost:evil.example",
            "localhost:99999",
            "",
            "a b",
        ];

        let door = FrontDoor::default();

        for host in own {
            assert_eq!(door.admit(&request("/", &[("host", host)])), Ok(()), "{host}");
        }
        for host in foreign {
            let refused = door.admit(&request("/", &[("host", host)]));
            assert_eq!(refused, Err(Intruder::Host(host.to_owned())), "{host}");
        }
    }

    #[test]
    fn every_host_of_a_request_counts_and_other_names_may_be_allowed() {
        let door = FrontDoor::default();
        let two = request("/", &[("host", "localhost"), ("host", "evil.example")]);
        let absolute = request("http://evil.example/", &[("host", "localhost")]);
        let named = request("/", &[("host", "Review.Example.:8080")]);
        let address = request("/", &[("host", "192.168.0.7")]);

        let before = [&two, &absolute, &named, &address].map(|request| door.admit(request).is_ok());
        door.allow("review.example");
        door.allow("192.168.0.7");
        let after = [&two, &absolute, &named, &address].map(|request| door.admit(request).is_ok());

        assert_eq!(before, [false; 4]);
        assert_eq!(after, [false, false, true, true]);
    }

    #[test]
    fn foreign_pages_are_turned_away_and_pages_of_this_service_are_not() {
        let host = ("host", "localhost:4566");
        let foreign: [&[(&str, &str)]; 5] = [
            &[host, ("origin", "http://evil.example")],
            &[host, ("origin", "http://localhost:3000")],
            &[host, ("origin", "null")],
            &[
                host,
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
            ],
            &[
                host,
                ("sec-fetch-site", "same-site"),
                ("origin", "http://localhost:4566"),
            ],
        ];
        let own: [&[(&str, &str)]; 5] = [
            &[host],
            &[host, ("origin", "http://localhost:4566")],
            &[host, ("origin", "null"), ("sec-fetch-site", "same-origin")],
            &[host, ("sec-fetch-site", "none")],
            &[host, ("origin", "https://review.example")],
        ];
        let door = FrontDoor::default();
        door.allow("review.example");

        for headers in foreign {
            assert_eq!(
                door.admit(&request("/bucket/key", headers)),
                Err(Intruder::Page),
                "{headers:?}"
            );
            assert_eq!(
                door.admit(&request("/_aws/execute-api/api/dev/", headers)),
                Ok(()),
                "{headers:?}"
            );
        }
        for headers in own {
            assert_eq!(
                door.admit(&request("/bucket/key", headers)),
                Ok(()),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn a_link_to_a_function_url_may_be_followed_from_anywhere() {
        let headers = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        let mut link = request("/_aws/lambda-url/id/page", &headers);
        let posted = FrontDoor::default().admit(&link);

        *link.method_mut() = Method::GET;

        assert_eq!(FrontDoor::default().admit(&link), Ok(()));
        assert_eq!(posted, Err(Intruder::Page));
    }
}
