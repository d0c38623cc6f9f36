//! Which network addresses an outbound connection may go to. Pure: who connects asks, for every address that a name leads to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How much of the network may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The public internet only.
    Public,
    /// Also private and loopback addresses: for hosts that the operator named in the configuration.
    OperatorNamed,
}

impl Reach {
    /// Whether an address may be connected to. Link-local addresses never may: cloud metadata lives there, and nobody whom we have to call.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Public => is_public(address),
            Self::OperatorNamed => !is_link_local(address) && !address.is_multicast() && !address.is_unspecified(),
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        // Beside link-local: the metadata addresses that AWS serves over IPv6.
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.segments().starts_with(&[0xfd00, 0x0ec2]),
    }
}

/// Whether an address is on the public internet, after the special-purpose registries of IANA (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let reserved = a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !(reserved
        || v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_documentation()
        || v4.is_multicast()
        || v4.is_broadcast())
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [a, b, ..] = v6.segments();
    // Only 2000::/3 is global unicast. Inside it, ranges that wrap an IPv4 address (6to4, Teredo) or serve documents are refused.
    // NAT64 (64:ff9b::/96), mapped and compatible addresses, fc00::/7 and fe80::/10 lie outside it.
    (a & 0xe000) == 0x2000 && a != 0x2002 && !(a == 0x2001 && (b == 0 || b == 0x0db8)) && a != 0x3fff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, public: bool, operator_named: bool) {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(Reach::Public.allows(address), public, "{address}");
        assert_eq!(Reach::OperatorNamed.allows(address), operator_named, "{address} named by the operator");
    }

    #[test]
    fn guarantee_35_only_public_addresses_are_reached_unless_the_operator_says_so() {
        check("142.250.180.10", true, true);
        check("2a00:1450:4001:82a::200a", true, true);
        for private in [
            "127.0.0.1",
            "127.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "fd12::1",
            "198.18.0.1",
            "192.0.0.8",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
        ] {
            check(private, false, true);
        }
    }

    #[test]
    fn guarantee_35_metadata_addresses_are_never_reached() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "0.0.0.0",
            "::",
            "224.0.0.1",
        ] {
            check(address, false, false);
        }
    }
}
