//! The front page.

use axum::{extract::State, response::Html};

use super::html::{escape, page as frame};
use crate::{emulated, state::Shared};

/// `GET /`.
pub async fn page(State(sandbox): State<Shared>) -> Html<String> {
    let providers: String = emulated::ALL
        .iter()
        .map(|emulated| format!("<h2>{}</h2>{}", escape(emulated.title), (emulated.front)(&sandbox)))
        .collect();
    let app = match sandbox.app {
        Some(_) => "<h2>The product</h2><p><a href=\"/app\">Connect an account and watch it sync</a></p>",
        None => "",
    };
    let endpoints = serde_json::to_string_pretty(&emulated::endpoints(&sandbox.public_url)).unwrap_or_default();
    Html(frame(
        "Sandbox",
        &format!(
            "<h1>Sandbox</h1><p>This program plays the services that the product connects to. Accounts, content and tokens \
             here are made up and stay on this machine.</p>{app}{providers}<h2>For programs</h2><p>Client <code>sandbox-client</code> with secret <code>sandbox-secret</code>, reached \
             through these endpoints:</p><pre>{}</pre>\
             <p><a href=\"/control/requests\">Requests</a> · <a href=\"/control/counters\">Counters</a> · \
             <a href=\"/control/webhooks\">Webhooks sent</a></p>",
            escape(&endpoints)
        ),
    ))
}
