//! Sends webhooks as the emulated providers do: posted, tried again after pauses, and each attempt written down.

use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;

use crate::{
    clock,
    deliveries::{Attempt, Delivery},
    state::{Sandbox, Shared},
};

/// A message to one address.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The provider's name in addresses.
    pub provider: &'static str,
    /// The hook, channel or application that it is sent for.
    pub hook: String,
    /// Its number, where the provider counts; else 0.
    pub number: u64,
    /// What it announces, in the provider's word.
    pub event: String,
    /// Whose content it is about.
    pub account: String,
    /// Where it goes.
    pub address: String,
    /// What it says.
    pub body: Bytes,
}

/// How often and when a message is tried again.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The pause before each further attempt; when there is none left, the message is given up.
    pub pauses: Vec<Duration>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Whether a status means that it was taken.
    pub is_taken: fn(u16) -> bool,
    /// Whether a status that does not is worth another attempt. No answer at all always is.
    pub is_retried: fn(u16) -> bool,
}

/// Posts a message until it is taken or given up. `headers` are made for each attempt, from its number (1 for the first) and what came of
/// the one before; before each further attempt `still_wanted` says whether there is anybody left to tell.
pub async fn send(
    sandbox: Shared,
    message: Outgoing,
    schedule: Schedule,
    headers: impl Fn(u32, Option<&Attempt>) -> HeaderMap + Send,
    still_wanted: impl Fn(&Sandbox) -> bool + Send,
) {
    let body = message.body.clone();
    let make = move |number, last: Option<&Attempt>| (headers(number, last), body.clone());
    send_each(sandbox, message, schedule, make, still_wanted).await;
}

/// As [`send`], where each attempt says something else: `make` gives headers and body.
pub async fn send_each(
    sandbox: Shared,
    message: Outgoing,
    schedule: Schedule,
    make: impl Fn(u32, Option<&Attempt>) -> (HeaderMap, Bytes) + Send,
    still_wanted: impl Fn(&Sandbox) -> bool + Send,
) {
    let seq = sandbox.traffic(|traffic| {
        traffic.deliveries.begin(Delivery {
            seq: 0,
            provider: message.provider,
            channel_id: message.hook.clone(),
            message_number: message.number,
            state: message.event.clone(),
            address: message.address.clone(),
            account: message.account.clone(),
            attempts: Vec::new(),
            outcome: "sending",
            status: None,
        })
    });
    let mut pauses = schedule.pauses.into_iter();
    let mut last: Option<Attempt> = None;
    for number in 1.. {
        let (headers, body) = make(number, last.as_ref());
        let request = sandbox.http.post(&message.address).headers(headers).body(body).timeout(schedule.timeout);
        let (status, error) = match request.send().await {
            Ok(response) => (Some(response.status().as_u16()), None),
            Err(error) => (None, Some(error.without_url().to_string())),
        };
        let pause = pauses.next();
        let outcome = match (status, pause) {
            (Some(status), _) if (schedule.is_taken)(status) => "delivered",
            (Some(status), _) if !(schedule.is_retried)(status) => "failed",
            (_, Some(_)) => "sending",
            (_, None) => "exhausted",
        };
        let attempt = Attempt { time: clock::now(), status, error };
        sandbox.traffic(|traffic| traffic.deliveries.attempted(seq, attempt.clone(), outcome));
        let Some(pause) = pause.filter(|_| outcome == "sending") else { return };
        last = Some(attempt);
        tokio::time::sleep(pause).await;
        if !still_wanted(&sandbox) {
            return;
        }
    }
}
