//! From where the portal may be reached.

use std::net::IpAddr;
use std::str::FromStr;

use active_learning_aws::bucket::BucketError;
use chrono::{DateTime, Utc};
use ipnet::{IpNet, Ipv4Net};

use crate::HumanReview;
use crate::event::HttpRequest;

/// Most networks, as for a SageMaker workforce (`SourceIpConfig.Cidrs`).
const MAX_NETWORKS: usize = 10;

/// Bits of an IPv6 address before the IPv4 address that it maps.
const MAPPED_PREFIX: u8 = 96;

/// Networks whose addresses may reach the portal; none allows every address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedNetworks(Vec<IpNet>);

/// A list that holds something else than networks. Safe to show: it is the operator's own setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetworks {
    /// An entry is neither an address nor a network.
    #[error("`{0}` is not a network such as 203.0.113.0/24 or 2001:db8::/32, nor an address")]
    NotNetwork(String),
    /// There are too many.
    #[error("{0} networks: there may be {MAX_NETWORKS} at most")]
    TooMany(usize),
}

impl FromStr for AllowedNetworks {
    type Err = InvalidNetworks;

    /// Reads networks of IPv4 and IPv6 in CIDR notation, and single addresses, with commas between.
    fn from_str(text: &str) -> Result<Self, InvalidNetworks> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        Self::of(entries)
    }
}

/// Returns a network; one of IPv4 addresses that are written as IPv6 ones is that of these addresses, as which they come.
fn network(entry: &str) -> Result<IpNet, InvalidNetworks> {
    let address = || entry.parse::<IpAddr>().map(IpNet::from);
    let network = entry.parse::<IpNet>().or_else(|_| address());
    let network = network.map_err(|_| InvalidNetworks::NotNetwork(entry.to_owned()))?;
    let IpNet::V6(mapped) = network else {
        return Ok(network);
    };
    let length = mapped.prefix_len().checked_sub(MAPPED_PREFIX);
    let of_v4 = mapped.addr().to_ipv4_mapped().zip(length);
    let of_v4 = of_v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    Ok(of_v4.map_or(network, IpNet::V4))
}

impl AllowedNetworks {
    /// Reads entries of which each is a network or an address.
    ///
    /// # Errors
    ///
    /// [`InvalidNetworks`], also for an entry that is blank, which would else allow every address.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidNetworks> {
        let networks: Vec<IpNet> = entries.into_iter().map(network).collect::<Result<_, _>>()?;
        match networks.len() {
            0..=MAX_NETWORKS => Ok(Self(networks)),
            count => Err(InvalidNetworks::TooMany(count)),
        }
    }

    /// Returns whether a client may reach the portal.
    ///
    /// `source_ip` is the address that API Gateway saw (`requestContext.identity.sourceIp`), never what a header says. One
    /// that is missing or cannot be read is in no network. An IPv4 address that is written as an IPv6 one counts as what it
    /// is.
    pub fn allow(&self, source_ip: &str) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Ok(address) = source_ip.parse::<IpAddr>() else {
            return false;
        };
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl HumanReview {
    /// Returns whether a client may reach the portal: the parameter of the stack and the workforce must both allow it.
    pub(crate) async fn may_reach(
        &self,
        request: &HttpRequest,
        now: DateTime<Utc>,
    ) -> Result<bool, BucketError> {
        if !self.config.allowed_networks.allow(&request.source_ip) {
            return Ok(false);
        }
        let networks = self.flows.networks(now).await?;
        Ok(networks.allow(&request.source_ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(text: &str) -> AllowedNetworks {
        text.parse().expect("networks")
    }

    #[test]
    fn an_address_is_allowed_in_any_of_the_networks_of_either_family() {
        let allowed = networks("203.0.113.0/24, 198.51.100.7,2001:db8::/32");

        for address in [
            "203.0.113.200",
            "198.51.100.7",
            "2001:db8:1::5",
            "::ffff:203.0.113.1",
        ] {
            assert!(allowed.allow(address), "{address}");
        }
        for address in [
            "203.0.114.1",
            "198.51.100.8",
            "2001:db9::1",
            "127.0.0.1",
            "",
            "203.0.113.1, 1.2.3.4",
            "localhost",
        ] {
            assert!(!allowed.allow(address), "{address}");
        }
    }

    #[test]
    fn no_network_allows_every_address() {
        for text in ["", " , "] {
            assert!(networks(text).allow("203.0.113.1") && networks(text).allow(""));
        }
    }

    #[test]
    fn a_network_of_mapped_addresses_is_that_of_what_they_map() {
        let allowed = networks("::ffff:203.0.113.0/120,::ffff:198.51.100.7");

        for address in ["203.0.113.9", "::ffff:203.0.113.9", "198.51.100.7"] {
            assert!(allowed.allow(address), "{address}");
        }
        for address in ["203.0.114.9", "198.51.100.8", "::1"] {
            assert!(!allowed.allow(address), "{address}");
        }
    }

    #[test]
    fn a_blank_entry_of_a_list_is_no_network() {
        for blank in ["", " "] {
            let refused = AllowedNetworks::of(["10.0.0.0/8", blank]).expect_err("blank");
            assert_eq!(refused, InvalidNetworks::NotNetwork(blank.to_owned()));
        }
        assert!(
            AllowedNetworks::of(["10.0.0.0/8,203.0.113.0/24"]).is_err(),
            "one entry is one network"
        );
    }

    #[test]
    fn what_is_not_a_network_is_refused_by_name_and_so_are_more_than_ten() {
        let refused = |text: &str| text.parse::<AllowedNetworks>().expect_err(text).to_string();

        assert!(refused("203.0.113.0/24,office").contains("`office`"));
        assert!(refused("203.0.113.0/33").contains("`203.0.113.0/33`"));
        assert!(refused(&["10.0.0.0/8"; 11].join(",")).contains("11 networks"));
        assert_eq!(networks(&["10.0.0.0/8"; 10].join(",")).0.len(), 10);
    }
}
