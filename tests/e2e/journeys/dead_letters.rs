//! What is beyond help: it is explained to administrators, and done once they send it back.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use testkit::people::{self, Wanted};
use testkit::{Actor, wait};

use crate::world::{SOON, World};

const LETTERS: &str = "/api/admin/integrations/dead-letters";
const REDRIVE: &str = "/api/admin/integrations/dead-letters/redrive";

/// The queues, by the words of the API and of the stack's description.
const QUEUES: [(&str, &str); 4] =
    [("sync", "sync"), ("webhook", "webhook"), ("resource", "resource"), ("resource_webhook", "resource-webhook")];

/// Somebody who runs the platform.
async fn admin(world: &World) -> anyhow::Result<Actor> {
    let wanted = Wanted::user(&format!("{}-admin", world.user)).admin();
    Actor::new(&world.stack.api_url, Some(people::token(&world.stack, &world.store, &wanted).await?))
}

/// The dead letters of a queue that `mine` picks out.
async fn letters(admin: &Actor, queue: &str, mine: impl Fn(&Value) -> bool) -> anyhow::Result<Vec<Value>> {
    let answer = admin.get(&format!("{LETTERS}?limit=100&queue={queue}")).await?;
    ensure!(answer.status == 200, "{LETTERS} answers {} {}", answer.status, answer.body);
    ensure!(answer.body["totals"][queue].is_u64(), "no totals: {}", answer.body);
    let all = answer.data().as_array().context("the dead letters are no list")?;
    Ok(all.iter().filter(|letter| mine(letter)).cloned().collect())
}

/// Waits for a dead letter on a queue.
async fn letter(admin: &Actor, queue: &str, mine: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    wait::until(format_args!("a dead letter of {queue}"), SOON, async || Ok(letters(admin, queue, &mine).await?.pop()))
        .await
}

/// Sends letters back; gives what was done.
async fn redrive(admin: &Actor, ids: &[&Value]) -> anyhow::Result<Value> {
    // Whoever lists letters at this moment has them in hand, so they may be missing for a second.
    wait::until("the letters to be sent back", Duration::from_secs(60), async || {
        let answer = admin.post(REDRIVE, json!({ "ids": ids })).await?;
        ensure!(answer.status == 200, "{REDRIVE} answers {} {}", answer.status, answer.body);
        Ok((answer.data()["redriven"] == ids.len()).then(|| answer.data().clone()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_06_poison_on_any_queue_is_among_the_dead_letters_at_once_with_its_reason() -> anyhow::Result<()> {
    let world = World::new("poison").await?;
    let admin = admin(&world).await?;
    world.sandbox.many_files(&world.google, 3, "poison").await?;
    let mut words: Vec<String> = Vec::new();
    for (word, name) in QUEUES {
        let url = world.stack.queues.get(name).with_context(|| format!("stack.json lacks the queue {name}"))?;
        let body = format!("{{\"what\": \"no message of {word} for {}\"", world.user);
        world.stack.send_text(url, &body, &Value::Null).await?;
        words.push(body);
    }
    // Its neighbours are worked on meanwhile.
    world.connect().await?;
    world.sink_equals_source(SOON).await?;
    let mut known = BTreeMap::new();
    for ((word, name), body) in QUEUES.into_iter().zip(&words) {
        let url = &world.stack.dead_letter_queues[name];
        let found = async || world.stack.message_id(url, body).await;
        let id = wait::until(format_args!("the poison of {word}"), SOON, found).await?;
        let letter = letter(&admin, word, |letter| letter["id"] == id).await?;
        // At first sight, unless another journey killed the worker that saw it first.
        assert!(letter["code"] == "undecodable" && letter["attempts"].as_u64().is_some_and(|n| n < 3), "{letter:#}");
        assert!(letter["failed_at"].is_string() && letter["kind"].is_null(), "{letter:#}");
        assert!(letter["reason"].as_str().is_some_and(|reason| reason.contains("does not decode")), "{letter:#}");
        assert!(!letter.to_string().contains("no message of"), "nothing of its content is told: {letter:#}");
        known.insert(name, id);
    }
    // Sent back, it is poison still, and comes back under another id: nothing is lost on the way.
    for ((word, name), body) in QUEUES.into_iter().zip(&words) {
        let url = &world.stack.dead_letter_queues[name];
        redrive(&admin, &[&json!(known[name])]).await?;
        wait::until(format_args!("the poison of {word} to come back"), SOON, async || {
            let id = world.stack.message_id(url, body).await?;
            Ok(id.filter(|id| *id != known[name]))
        })
        .await?;
        world.stack.forget_message(url, body).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_07_work_that_was_given_up_on_is_done_after_it_is_redriven() -> anyhow::Result<()> {
    let world = World::new("redriven").await?;
    let admin = admin(&world).await?;
    world.sandbox.many_files(&world.google, 2, "before").await?;
    world.connect().await?;
    let integration = serde_json::to_value(world.reference().await?)?;
    let mut ids = Vec::new();
    for (word, name) in [("resource", "resource"), ("resource_webhook", "resource-webhook")] {
        // A change that nobody will look for, but for this one message.
        let id = world.sandbox.text_file(&world.google, &format!("{word}.txt"), "Late.", None).await?;
        let body = json!({"integration": integration, "run": null, "externalId": id, "action": {"do": "sync", "resource": null}});
        let attributes = json!({
            "reason": {"DataType": "String", "StringValue": "the disk was full"},
            "attempts": {"DataType": "Number", "StringValue": "3"},
            "failed_at": {"DataType": "String", "StringValue": "2026-01-02T03:04:05Z"}
        });
        world.stack.send_text(&world.stack.dead_letter_queues[name], &body.to_string(), &attributes).await?;
        let letter = letter(&admin, word, |letter| letter["external_id"] == *id).await?;
        assert_eq!(
            (letter["code"].as_str(), letter["kind"].as_str()),
            (Some("failed"), Some("sync_resource")),
            "{letter:#}"
        );
        assert_eq!((letter["reason"].as_str(), letter["attempts"].as_u64()), (Some("the disk was full"), Some(3)));
        assert_eq!(
            (letter["provider"].as_str(), letter["owner"]["id"].as_str()),
            (Some("google_drive"), Some(world.user.as_str()))
        );
        assert_eq!(letter["integration_id"], integration["integrationId"]);
        ids.push(letter["id"].clone());
    }
    let done = redrive(&admin, &ids.iter().collect::<Vec<_>>()).await?;
    assert_eq!(
        (done["missing"].as_array().map(Vec::len), done["refused"].as_array().map(Vec::len)),
        (Some(0), Some(0))
    );
    world.sink_equals_source(SOON).await?;
    let again = admin.post(REDRIVE, json!({ "ids": ids })).await?;
    assert_eq!((again.status, again.data()["redriven"].as_u64()), (200, Some(0)), "{}", again.body);
    assert_eq!(again.data()["missing"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_for_administrators_who_ask_clearly() -> anyhow::Result<()> {
    let world = World::new("letters").await?;
    let admin = admin(&world).await?;
    for query in ["queue=dead", "queue=", "limit=0", "limit=101", "limit=many"] {
        let answer = admin.get(&format!("{LETTERS}?{query}")).await?;
        assert_eq!((answer.status, answer.code()), (422, Some("invalid_value")), "{query}: {}", answer.body);
    }
    let many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    for (body, status) in [
        (json!({}), 422),
        (json!({"ids": []}), 422),
        (json!({"ids": many}), 422),
        (json!({"ids": [7]}), 422),
        (json!({"ids": ["x"], "all": true}), 422),
        (json!({"queue": "dead"}), 422),
        (json!({"everything": true}), 422),
    ] {
        let answer = admin.post(REDRIVE, body.clone()).await?;
        assert_eq!((answer.status, answer.body["success"].as_bool()), (status, Some(false)), "{body}: {}", answer.body);
    }
    assert_eq!(admin.send("POST", REDRIVE, Some("{".to_owned())).await?.status, 400);
    assert_eq!(world.person.get(LETTERS).await?.status, 403);
    assert_eq!(world.person.post(REDRIVE, json!({"all": true})).await?.status, 403);
    let stranger = Actor::new(&world.stack.api_url, None)?;
    assert_eq!(stranger.get(LETTERS).await?.status, 401);
    assert_eq!(stranger.post(REDRIVE, json!({"all": true})).await?.status, 401);
    let nothing = admin.post(REDRIVE, json!({"ids": ["nowhere"]})).await?;
    assert_eq!((nothing.status, nothing.data()["redriven"].as_u64()), (200, Some(0)), "{}", nothing.body);
    assert_eq!(nothing.data()["missing"], json!(["nowhere"]));
    Ok(())
}
