//! Which network addresses may be connected to, judged where the connection is made.
//!
//! A host name is looked up and judged in one step, and the connection goes to the very addresses that were judged: a name that
//! answers differently the second time gains nothing. Literal addresses in URLs never reach the resolver and are judged in `endpoints`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A name whose every address is one that may not be connected to.
#[derive(Debug, thiserror::Error)]
#[error("the host leads to an address that is not allowed")]
pub struct Refused;

/// How much of the network may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The public internet only.
    Public,
    /// Also private and loopback addresses: for hosts that the operator named in `endpoints`.
    OperatorNamed,
}

impl Reach {
    /// Whether an address may be connected to. Link-local addresses never may: cloud metadata lives there and no provider does.
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

/// What is asked for a name's addresses: the system, or what a test puts in its place.
pub type Names = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The system's own look-up.
#[must_use]
pub fn system_names() -> Names {
    Arc::new(|name| Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) }))
}

/// Looks names up and keeps the addresses that may be connected to.
#[derive(Clone)]
pub struct Resolver {
    reach: Reach,
    names: Names,
}

impl Resolver {
    /// A resolver that hands out what `reach` allows of what `names` says.
    #[must_use]
    pub fn new(reach: Reach, names: Names) -> Self {
        Self { reach, names }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, found) = (self.reach, (self.names)(name.as_str().to_owned()));
        Box::pin(async move {
            let found = found.await?;
            let allowed: Vec<SocketAddr> = found.iter().copied().filter(|to| reach.allows(to.ip())).collect();
            if allowed.is_empty() && !found.is_empty() {
                return Err(Refused.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
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

    #[tokio::test]
    async fn guarantee_35_a_name_that_leads_home_is_refused_at_the_look_up() {
        let resolver = |reach| Resolver::new(reach, system_names());
        let error = resolver(Reach::Public).resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(error.is::<Refused>());
        assert!(resolver(Reach::OperatorNamed).resolve("localhost".parse().unwrap()).await.is_ok());
    }

    #[tokio::test]
    async fn guarantee_35_every_look_up_is_judged_and_only_judged_addresses_are_handed_out() {
        // A name that is public when it is asked for first, half private then, and wholly private at last.
        let answers =
            [&["142.250.180.10"][..], &["169.254.169.254", "142.250.180.10", "10.0.0.1"], &["127.0.0.1", "::1"]];
        let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let names: Names = Arc::new(move |_| {
            let at = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let found = answers[at].iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect();
            Box::pin(async move { Ok(found) })
        });
        let resolver = Resolver::new(Reach::Public, names);
        let public: Vec<SocketAddr> = vec!["142.250.180.10:0".parse().unwrap()];
        for _ in 0..2 {
            let found = resolver.resolve("evil.example".parse().unwrap()).await.unwrap();
            assert_eq!(found.collect::<Vec<_>>(), public);
        }
        assert!(resolver.resolve("evil.example".parse().unwrap()).await.err().unwrap().is::<Refused>());
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 3, "each connection looks up once");
    }
}
