//! Receivers of synced content for tests, each a real HTTP server on a port of its own: [`cognia`] behaves as Cognia's content API does,
//! surprises included, and [`receiver`] as one who checks signatures. [`trouble`] is what a test can have either of them do.

pub mod cognia;
pub mod receiver;
pub mod trouble;

pub use cognia::Cognia;
pub use receiver::Receiver;
pub use trouble::Trouble;

use std::net::SocketAddr;

use anyhow::Result;
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server that ends when it is dropped.
#[derive(Debug)]
struct Served {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Served {
    async fn start(routes: Router) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        // It only ends by being aborted.
        let task = tokio::spawn(async move { drop(axum::serve(listener, routes).await) });
        Ok(Self { address, task })
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}
