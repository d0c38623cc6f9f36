//! Sample content: a workspace with two people, channels of each kind, threads, mentions, formatting, a bot, and files.

use serde_json::json;

use super::{
    change::{Post, Refused},
    state::{File, Kind, Slack, new_id},
};
use crate::clock;

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";

/// Fills an empty Slack.
pub fn fill(slack: &mut Slack) -> Result<(), Refused> {
    let team = slack.add_workspace(Some("T0ACME".to_owned()), "Acme", "acme-sandbox")?;
    let ada = slack.add_person(&team, ADA, "Ada Example")?;
    let bob = slack.add_person(&team, BOB, "Bob Example")?;
    let both = [ada.clone(), bob.clone()];
    let channel = |slack: &mut Slack, id: &str, name: &str, kind: Kind, app: bool| {
        slack.add_channel(&team, Some(id.to_owned()), name, kind, &both, app)
    };
    let general = channel(slack, "C0GENERAL", "general", Kind::Public, true)?;
    let plans = channel(slack, "C0PLANS", "plans", Kind::Private, true)?;
    let builds = channel(slack, "C0BUILDS", "builds", Kind::Public, true)?;
    channel(slack, "C0LOUNGE", "lounge", Kind::Public, false)?;
    channel(slack, "C0BOARD", "board", Kind::Private, false)?;
    let direct = channel(slack, "D0ADABOB", "", Kind::Im, false)?;

    let say = |slack: &mut Slack, channel: &str, user: &str, text: &str, plain: Option<&str>, thread: Option<&str>| {
        slack.post(Post {
            channel: channel.to_owned(),
            user: Some(user.to_owned()),
            text: text.to_owned(),
            plain: plain.map(str::to_owned),
            thread_ts: thread.map(str::to_owned),
            ..Post::default()
        })
    };
    say(
        slack,
        &general,
        &ada,
        "Welcome to *Acme*. The handbook is in <https://example.com/handbook|the usual place>.",
        Some("Welcome to Acme. The handbook is in the usual place (https://example.com/handbook)."),
        None,
    )?;
    let lunch = say(
        slack,
        &general,
        &bob,
        &format!("Who comes to lunch, <@{ada}>?"),
        Some("Who comes to lunch, @Ada Example?"),
        None,
    )?;
    say(slack, &general, &ada, "I do :wave:", None, Some(&lunch))?;
    say(
        slack,
        &general,
        &bob,
        "At one then, &amp; bring the _big_ umbrella.",
        Some("At one then, & bring the big umbrella."),
        Some(&lunch),
    )?;
    say(
        slack,
        &plans,
        &ada,
        &format!("The lens arrives on Monday; details in <#{general}>."),
        Some("The lens arrives on Monday; details in #general."),
        None,
    )?;
    say(slack, &direct, &bob, "Only the two of us read this.", None, None)?;
    slack.post(Post {
        channel: builds,
        text: String::new(),
        plain: Some("Build 7 is green\nbranch: main".to_owned()),
        username: Some("Builder".to_owned()),
        attachments: Some(
            json!([{ "title": "Build 7 is green", "fields": [{ "title": "branch", "value": "main", "short": true }],
            "fallback": "Build 7 is green", "id": 1 }]),
        ),
        ..Post::default()
    })?;
    let now = clock::now();
    let file =
        |name: &str, title: &str, mime_type: &str, mode: &str, text: Option<&str>, size: u64, place: &str| File {
            id: new_id('F'),
            name: name.to_owned(),
            title: title.to_owned(),
            mime_type: mime_type.to_owned(),
            mode: mode.to_owned(),
            user: ada.clone(),
            created: now,
            updated: now,
            places: [place.to_owned()].into(),
            text: text.map(str::to_owned),
            size,
        };
    let notes = "Minutes of the meeting\nThe archive moves on Friday.\n";
    slack.share(
        file("minutes.txt", "Minutes", "text/plain", "hosted", Some(notes), notes.len() as u64, &plans),
        "The minutes:",
    )?;
    let code = "fn main() {\n    println!(\"light\");\n}\n";
    slack.share(file("light.rs", "light.rs", "text/plain", "snippet", Some(code), code.len() as u64, &general), "")?;
    slack.untold.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_channels_of_each_kind_threads_and_files() {
        let mut slack = Slack::default();
        fill(&mut slack).unwrap();
        let acme = &slack.workspaces["T0ACME"];
        assert_eq!(acme.channels.values().filter(|channel| channel.members.contains(&acme.bot)).count(), 3);
        let general = &acme.channels["C0GENERAL"];
        assert!(general.messages.values().any(|message| general.replies(&message.ts).count() == 2));
        assert_eq!(acme.files.len(), 2);
    }
}
