//! The sandbox: emulated providers, for newcomers to try the product with and for its tests.
//!
//! It shares no code with the product, so that both cannot misread an API in the same way. Each provider has a folder;
//! what they share (gate, faults, limits, logs, state) lies beside them.

// Answers with sixty fields are written as one `json!`.
#![recursion_limit = "256"]

mod clock;
mod config;
mod control;
mod deliveries;
mod emulated;
mod faults;
mod fields;
mod gate;
mod github;
mod google;
mod limits;
mod listings;
mod net;
mod notion;
mod pages;
mod random;
mod requests;
mod sending;
mod slack;
mod state;

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::{Json, Router, routing};
use serde_json::json;

use crate::{
    config::Config,
    state::{Sandbox, Shared},
};

/// Control requests may carry a large file.
const MAX_BODY: usize = 1 << 30;

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    let config = Config::from_env()?;
    let (port, listeners) = net::listen(config.port).await?;
    let sandbox = Arc::new(Sandbox::open(&config, port, net::client()?)?);
    for emulated in emulated::ALL {
        (emulated.start)(&sandbox);
    }
    if let Some(file) = config.state_file.clone() {
        sandbox.save(&file)?;
        tokio::spawn(sandbox.clone().keep_saved(file));
    }
    println!("sandbox ready on {} (port {port})", sandbox.public_url);
    let app = router(&sandbox);
    let servers = listeners.into_iter().map(|listener| {
        let app = app.clone();
        tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped()).await })
    });
    for server in servers.collect::<Vec<_>>() {
        tokio::select! {
            ended = server => ended.context("a server died")??,
            () = stopped() => break,
        }
    }
    match &config.state_file {
        Some(file) => sandbox.save(file),
        None => Ok(()),
    }
}

fn router(sandbox: &Shared) -> Router {
    Router::new()
        .route("/health", routing::get(|| async { Json(json!({ "ok": true })) }))
        .merge(emulated::routes(sandbox))
        .nest("/control", control::routes())
        .merge(pages::routes(sandbox))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .with_state(sandbox.clone())
}

/// Resolves when the process is asked to stop.
async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupted.await;
        }
    }
}
