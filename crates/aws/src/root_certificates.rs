//! Which root certificates the SDK clients of a function trust.
//!
//! All AWS services show certificates of Amazon Trust Services. To read all roots of the system in place of these five was
//! half of a function's start: see the guide's page `what-a-call-costs`.

use aws_smithy_http_client::tls::TrustStore;

/// Roots 1 to 4 of Amazon Trust Services, and Starfield's, which signs them for older clients.
///
/// Source: <https://www.amazontrust.com/repository/>.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// First parts of the names of regions in the partitions `aws` and `aws-us-gov`.
const AREAS: [&str; 9] = ["af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us"];

/// Returns the roots of Amazon, or those of the system where something else than a public endpoint of AWS may answer.
///
/// That is so in other partitions (China, the European sovereign cloud, isolated regions), with an endpoint of one's own
/// by HTTPS, with a proxy, and where `SSL_CERT_FILE` or `SSL_CERT_DIR` name roots of one's own.
pub(crate) fn of_environment() -> TrustStore {
    if system_is_asked(
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    ) {
        return TrustStore::default();
    }
    TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)
}

fn system_is_asked(variables: impl Iterator<Item = (String, String)>) -> bool {
    let mut is_public_region = false;
    for (name, value) in variables.filter(|(_, value)| !value.is_empty()) {
        let name = name.to_ascii_uppercase();
        match name.as_str() {
            "AWS_REGION" => is_public_region = is_public(&value),
            "SSL_CERT_FILE" | "SSL_CERT_DIR" | "HTTPS_PROXY" | "ALL_PROXY" => return true,
            "FUNCTION_URL_BASE" if !value.starts_with("http://") => return true,
            _ if name.starts_with("AWS_ENDPOINT_URL") && !value.starts_with("http://") => return true,
            _ => {}
        }
    }
    !is_public_region
}

/// Says whether a region is one of the partitions `aws` and `aws-us-gov`. `us-iso-east-1` and `eu-isoe-west-1` are not.
fn is_public(region: &str) -> bool {
    let mut parts = region.split('-');
    let area = parts.next().unwrap_or_default();
    let is_isolated = parts.next().is_none_or(|part| part.starts_with("iso"));
    AREAS.contains(&area) && !is_isolated
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use sha2::{Digest, Sha256};

    use super::*;

    fn asks_system(variables: &[(&str, &str)]) -> bool {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        system_is_asked(owned)
    }

    #[test]
    fn the_roots_are_those_that_amazon_publishes() {
        let text = std::str::from_utf8(AMAZON_ROOTS).expect("it is text");
        let fingerprints: Vec<String> = text
            .split("-----BEGIN CERTIFICATE-----")
            .skip(1)
            .map(|rest| {
                let body: String = rest
                    .split("-----END")
                    .next()
                    .expect("it ends")
                    .split_whitespace()
                    .collect();
                hex::encode(Sha256::digest(
                    BASE64_STANDARD.decode(body).expect("it is base64"),
                ))
            })
            .collect();

        // https://www.amazontrust.com/repository/
        assert_eq!(
            fingerprints,
            [
                "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
                "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
                "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
                "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
                "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
            ]
        );
    }

    #[test]
    fn public_regions_of_aws_need_no_roots_of_the_system() {
        for region in [
            "us-east-1",
            "eu-central-2",
            "us-gov-west-1",
            "mx-central-1",
            "ap-southeast-7",
            "il-central-1",
        ] {
            assert!(!asks_system(&[("AWS_REGION", region)]), "{region}");
        }
        let local = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
        ];
        assert!(!asks_system(&local));
    }

    #[test]
    fn other_partitions_own_endpoints_proxies_and_own_roots_take_those_of_the_system() {
        for region in [
            "cn-north-1",
            "us-iso-east-1",
            "us-isob-east-1",
            "eu-isoe-west-1",
            "eusc-de-east-1",
            "moon-1",
            "",
        ] {
            assert!(asks_system(&[("AWS_REGION", region)]), "{region}");
        }
        assert!(asks_system(&[]), "no region");
        for variable in [
            ("AWS_ENDPOINT_URL", "https://localhost.example:4566"),
            ("AWS_ENDPOINT_URL_S3", "https://s3.example"),
            ("SSL_CERT_FILE", "/opt/own.pem"),
            ("SSL_CERT_DIR", "/opt/own"),
            ("https_proxy", "http://10.0.0.1:3128"),
            ("ALL_PROXY", "http://10.0.0.1:3128"),
        ] {
            assert!(
                asks_system(&[("AWS_REGION", "us-east-1"), variable]),
                "{variable:?}"
            );
        }
    }
}
