//! Blocks as mrkdwn: what a message says whose text is empty, as many bots' are.
//!
//! <https://docs.slack.dev/reference/block-kit>. A block of an unknown type says nothing rather than failing its message.

use serde_json::Value;

use super::text::escape;

/// Deepest nesting that is read; Slack's goes down to four.
const DEEPEST: usize = 8;

/// What the blocks say, one line each.
pub fn mrkdwn(blocks: &[Value]) -> String {
    lines(blocks.iter().map(block))
}

fn lines(texts: impl Iterator<Item = String>) -> String {
    texts.filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

fn block(block: &Value) -> String {
    let many = |name: &str| list(block, name).iter().map(object).collect::<Vec<_>>();
    match word(block, "type") {
        "rich_text" => lines(list(block, "elements").iter().map(|element| rich(element, 0))),
        "section" => lines(block.get("text").map(object).into_iter().chain(many("fields"))),
        "header" => block.get("text").map(object).unwrap_or_default(),
        "context" => many("elements").join(" "),
        "markdown" => escape(word(block, "text")),
        "image" => escape(word(block, "alt_text")),
        "video" => block.get("title").map(object).unwrap_or_default(),
        _ => String::new(),
    }
}

/// A text object: mrkdwn as it is, plain text so that it shows as it is.
fn object(value: &Value) -> String {
    match word(value, "type") {
        "mrkdwn" => word(value, "text").to_owned(),
        "plain_text" => escape(word(value, "text")),
        "image" => escape(word(value, "alt_text")),
        _ => String::new(),
    }
}

fn rich(element: &Value, depth: usize) -> String {
    if depth > DEEPEST {
        return String::new();
    }
    let children = || list(element, "elements").iter().map(|child| rich(child, depth + 1));
    match word(element, "type") {
        "rich_text_section" | "rich_text_quote" => children().collect(),
        "rich_text_preformatted" => format!("```{}```", children().collect::<String>()),
        "rich_text_list" => lines(children().map(|line| format!("• {line}"))),
        "text" => escape(word(element, "text")),
        "link" => match (word(element, "url"), word(element, "text")) {
            (url, "") => format!("<{}>", escape(url)),
            (url, label) => format!("<{}|{}>", escape(url), escape(label)),
        },
        "user" => format!("<@{}>", word(element, "user_id")),
        "channel" => format!("<#{}>", word(element, "channel_id")),
        "broadcast" => format!("<!{}>", word(element, "range")),
        "usergroup" => format!("<!subteam^{}>", word(element, "usergroup_id")),
        "emoji" => format!(":{}:", word(element, "name")),
        "date" => escape(word(element, "fallback")),
        _ => String::new(),
    }
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn blocks_say_what_people_read() {
        let blocks = json!([
            {"type": "header", "text": {"type": "plain_text", "text": "Build <4> failed"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "*main* by <@U1>"},
             "fields": [{"type": "mrkdwn", "text": "took 3 s"}]},
            {"type": "divider"},
            {"type": "context", "elements": [{"type": "image", "alt_text": "logo"}, {"type": "plain_text", "text": "ci"}]},
            {"type": "rich_text", "elements": [
                {"type": "rich_text_section", "elements": [
                    {"type": "text", "text": "a & b "}, {"type": "user", "user_id": "U2"},
                    {"type": "link", "url": "https://x.example", "text": "x"}, {"type": "emoji", "name": "tada"}]},
                {"type": "rich_text_list", "elements": [
                    {"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]},
                    {"type": "rich_text_section", "elements": [{"type": "text", "text": "two"}]}]},
                {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x = 1"}]}]},
            {"type": "not_invented_yet", "text": 7}, 7, null
        ]);
        let expected = "Build &lt;4&gt; failed\n*main* by <@U1>\ntook 3 s\nlogo ci\na &amp; b <@U2><https://x.example|x>:tada:\n\
                        • one\n• two\n```x = 1```";
        assert_eq!(mrkdwn(blocks.as_array().unwrap()), expected);
    }

    #[test]
    fn nesting_without_end_is_cut_off() {
        let mut element = json!({"type": "text", "text": "deep"});
        for _ in 0..100 {
            element = json!({"type": "rich_text_section", "elements": [element]});
        }
        assert_eq!(mrkdwn(&[json!({"type": "rich_text", "elements": [element]})]), "");
    }
}
