//! Which network addresses may be connected to, judged where the connection is made.
//!
//! A host name is looked up and judged in one step, and the connection goes to the very addresses that were judged: a name that
//! answers differently the second time gains nothing. Literal addresses in URLs never reach the resolver and are judged in `endpoints`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

pub use domain::reach::Reach;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A name whose every address is one that may not be connected to.
#[derive(Debug, thiserror::Error)]
#[error("the host leads to an address that is not allowed")]
pub struct Refused;

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
