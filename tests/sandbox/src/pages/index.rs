//! The front page.

use axum::{extract::State, response::Html};

use super::html::{escape, in_query, page as frame};
use crate::{google, state::Shared};

/// `GET /`.
pub async fn page(State(sandbox): State<Shared>) -> Html<String> {
    let drives: String = sandbox.read(|world| {
        world
            .google
            .accounts
            .values()
            .map(|account| {
                format!(
                    "<li><a href=\"/drive?account={}\">{}</a> <span class=quiet>{}</span></li>",
                    in_query(&account.email),
                    escape(&account.name),
                    escape(&account.email)
                )
            })
            .collect()
    });
    let app = match sandbox.app {
        Some(_) => "<h2>The product</h2><p><a href=\"/app\">Connect a drive and watch it sync</a></p>",
        None => "",
    };
    let endpoints = serde_json::to_string_pretty(&google::endpoints(&sandbox.public_url)).unwrap_or_default();
    Html(frame(
        "Sandbox",
        &format!(
            "<h1>Sandbox</h1><p>This program plays the services that the product connects to. Accounts, files and tokens \
             here are made up and stay on this machine.</p>{app}<h2>Google Drive</h2>\
             <p>Add, edit, move and delete files as their owner would:</p><ul>{drives}</ul>\
             <h2>For programs</h2><p>Client <code>sandbox-client</code> with secret <code>sandbox-secret</code>, reached \
             through these endpoints:</p><pre>{}</pre>\
             <p><a href=\"/control/requests\">Requests</a> · <a href=\"/control/counters\">Counters</a> · \
             <a href=\"/control/google/channels\">Channels</a> · <a href=\"/control/webhooks\">Webhooks sent</a></p>",
            escape(&endpoints)
        ),
    ))
}
