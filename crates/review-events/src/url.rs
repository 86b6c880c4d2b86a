//! Where webhooks may go.

use std::str::FromStr;

use url::{Host, Url};

/// The URL of a receiver: `https`, or `http` to this very machine. It may hold a secret, and is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

impl std::fmt::Debug for WebhookUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WebhookUrl")
    }
}

impl WebhookUrl {
    /// Returns the URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for WebhookUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| "expected a URL")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("expected a URL without a user name");
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_loopback(&url) => Ok(Self(url)),
            _ => Err("expected https, or http to localhost"),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_goes_by_https_or_to_this_machine() {
        for right in [
            "https://example.com/hook?token=1",
            "http://localhost:8080/hook",
            "http://127.0.0.1:1/",
            "http://[::1]/",
        ] {
            assert!(right.parse::<WebhookUrl>().is_ok(), "{right}");
        }
        for wrong in [
            "http://example.com/hook",
            "http://localhost.example.com/",
            "http://10.0.0.1/",
            "ftp://localhost/",
            "https://ann:secret@example.com/",
            "hook",
        ] {
            assert!(wrong.parse::<WebhookUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_url_of_a_webhook_is_not_shown() {
        let url: WebhookUrl = "https://example.com/hook?token=1".parse().expect("a URL");

        assert_eq!(format!("{url:?}"), "WebhookUrl");
    }
}
