//! The HTTP client of a function: one for all its SDK clients.
//!
//! It is what the SDK makes by default, proxies of the environment included. Left to themselves, SDK clients make one each,
//! and each parses its root certificates twice: when it is made, and at its first request.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{self, TlsContext},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnectorSettings, SharedHttpConnector},
    runtime_components::RuntimeComponents,
};

use crate::root_certificates;

/// What connectors differ by: time to connect, and time to read.
type Timeouts = (Option<Duration>, Option<Duration>);

/// Connectors, each with the connections that it keeps open.
#[derive(Debug, Default)]
pub(crate) struct OneHttpClient {
    connectors: Mutex<Vec<(Timeouts, SharedHttpConnector)>>,
}

impl OneHttpClient {
    /// Makes the client with the connector of these settings, so that no request waits for root certificates.
    pub(crate) fn ready_for(settings: &HttpConnectorSettings) -> Self {
        let client = Self::default();
        client.connector(settings);
        client
    }

    fn connector(&self, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        // What panicked has left no half connector behind.
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let known = connectors.iter().find(|(known, _)| *known == timeouts);
        if let Some((_, connector)) = known {
            return connector.clone();
        }
        let connector = SharedHttpConnector::new(new_connector(settings));
        connectors.push((timeouts, connector.clone()));
        connector
    }
}

impl HttpClient for OneHttpClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        self.connector(settings)
    }
}

/// # Panics
///
/// If the root certificates of this crate cannot be read; a test reads them.
fn new_connector(settings: &HttpConnectorSettings) -> Connector {
    let roots = TlsContext::builder()
        .with_trust_store(root_certificates::of_environment())
        .build();
    Connector::builder()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
        .tls_context(roots.expect("its certificates can be read"))
        .connector_settings(settings.clone())
        .proxy_config(ProxyConfig::from_env())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(connect_seconds: u64) -> HttpConnectorSettings {
        HttpConnectorSettings::builder()
            .connect_timeout(Duration::from_secs(connect_seconds))
            .build()
    }

    #[test]
    fn sdk_clients_with_the_same_timeouts_share_a_connector() {
        let client = OneHttpClient::ready_for(&settings(3));

        for seconds in [3, 3, 1, 3, 1] {
            client.connector(&settings(seconds));
        }

        let connectors = client.connectors.lock().expect("nothing panicked");
        let timeouts: Vec<Timeouts> = connectors.iter().map(|(timeouts, _)| *timeouts).collect();
        assert_eq!(
            timeouts,
            [3, 1].map(|seconds| (Some(Duration::from_secs(seconds)), None))
        );
    }
}
