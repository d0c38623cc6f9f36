//! Which headers go on with a delivery. What proves it is authentic has done its work, and queues are read by more eyes.

use std::collections::BTreeMap;

/// Words in the names of headers whose values are secrets or near to them.
const SECRET_WORDS: [&str; 4] = ["authorization", "cookie", "token", "secret"];

/// What the gateway and the connection add, of no use to whoever reads the delivery.
const TRANSPORT: [&str; 6] = ["x-forwarded-", "x-amzn-", "accept", "connection", "host", "via"];

/// The headers that the message carries.
#[must_use]
pub fn headers_to_keep(mut headers: BTreeMap<String, String>) -> BTreeMap<String, String> {
    headers.retain(|name, _| {
        !SECRET_WORDS.iter().any(|word| name.contains(word)) && !TRANSPORT.iter().any(|start| name.starts_with(start))
    });
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_travels_on() {
        let names = [
            "authorization",
            "cookie",
            "host",
            "proxy-authorization",
            "x-forwarded-for",
            "x-gitlab-token",
            "x-goog-channel-token",
            "x-goog-message-number",
            "x-goog-resource-state",
        ];
        let headers = names.map(|name| (name.to_owned(), "value".to_owned()));
        let kept: Vec<_> = headers_to_keep(BTreeMap::from(headers)).into_keys().collect();
        assert_eq!(kept, ["x-goog-message-number", "x-goog-resource-state"]);
    }
}
