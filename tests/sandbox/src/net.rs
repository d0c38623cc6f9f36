//! Listening, and the client for the requests that the sandbox makes itself.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context, Result};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::TcpListener;

/// Listens on the IPv4 loopback address and, where the machine has one, on the IPv6 loopback address too: `localhost`
/// may mean either. Port 0 takes a free one.
pub async fn listen(port: u16) -> Result<(u16, Vec<TcpListener>)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
    let port = first.local_addr().context("the listener has no address")?.port();
    let mut listeners = vec![first];
    listeners.extend(TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok());
    Ok((port, listeners))
}

/// The client for webhooks and for the host application's API. It follows no redirect: Google's push does not either.
pub fn client() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(LocalNames))
        .no_proxy()
        .build()
        .context("cannot build the HTTP client")
}

/// Names under `.localhost` mean this machine (RFC 6761), which not every system resolver knows.
struct LocalNames;

impl Resolve for LocalNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            if name.as_str() == "localhost" || name.as_str().ends_with(".localhost") {
                let local =
                    [SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0), SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0)];
                let addresses: Addrs = Box::new(local.into_iter());
                return Ok(addresses);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}
