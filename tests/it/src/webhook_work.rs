//! Working on deliveries: what they ask for is done for all whom they concern, once, and the last change is never lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use domain::job::Decision;
use domain::message::{Body, ResourceAction, ResourceMessage, WebhookMessage};
use domain::{
    AccountId, Clock as _, Integration, JobStatus, ProviderId, Status, SyncFrequency, SyncJob, SyncMode, Trigger,
};
use integrations::Syncs;
use providers::Registry;
use providers::http::Http;
use queue::Queue;
use sink::Bodies;
use store::{Finished, RunEnd, StatusChange};
use testkit::emulator::TestQueue;
use webhook_worker::WebhookWorker;

use crate::sample::{again, at, connected, integration};
use crate::webhooks::{Setup, backoff};

/// The worker, with what it starts runs through.
struct Work {
    setup: Setup,
    runs: TestQueue,
    resources: TestQueue,
    syncs: Syncs,
    worker: WebhookWorker,
}

impl Work {
    async fn new() -> Result<Self> {
        let setup = Setup::new().await?;
        let runs = setup.emulator.queue("SyncQueue").await?;
        let queue = Queue::new(setup.through.sqs.clone(), runs.url.clone(), backoff(runs.attempts));
        let (registry, clock) = (Arc::new(Registry::new(Http::new())), Arc::new(setup.clock.clone()));
        let store = setup.through.store(&setup.tables);
        let syncs = Syncs::new(store.clone(), queue, Arc::clone(&registry), clock.clone());
        let (client, bucket) = (setup.s3.clone(), setup.bucket.clone());
        let bodies = Bodies::new(move || client.clone(), bucket);
        let resources = setup.emulator.queue("ResourceWebhookQueue").await?;
        let lane = Queue::new(setup.through.sqs.clone(), resources.url.clone(), backoff(resources.attempts));
        let worker = WebhookWorker::new(store, syncs.clone(), lane, bodies, registry, clock);
        Ok(Self { setup, runs, resources, syncs, worker })
    }

    /// The integration's jobs.
    async fn jobs(&self, of: &Integration) -> Result<Vec<SyncJob>> {
        Ok(self.setup.store.jobs_of(of.id, None, 100).await?.0)
    }

    /// Ends the integration's run as a worker does that has seen no wish for another.
    async fn end_run(&self, before: &Integration) -> Result<Finished> {
        let active = before.active.context("a run is active")?;
        let job = self.setup.store.get_job(before.id, active.job_id).await?.context("its job")?;
        let end = RunEnd {
            job: SyncJob { status: JobStatus::Completed, completed_at: Some(self.setup.clock.now()), ..job },
            status: Status::Active,
            last_error: None,
            failures_in_a_row: 0,
            last_sync_at: Some(self.setup.clock.now()),
            change_cursor: Some("cursor".to_owned()),
            retry_failed: false,
            pending_deletes: None,
            deletes_confirmed: false,
            blocked_until: None,
            due_at: Some(at(3600)),
            integration: before.clone(),
        };
        let finished = self.setup.store.finish_run(&end).await?;
        if let Finished::Again(mode) = finished {
            self.syncs.after_run(&before.reference(), Some(mode)).await?;
        }
        Ok(finished)
    }
}

/// A delivery of Slack's about a workspace, whose events name what changed.
fn of_slack(event: serde_json::Value) -> WebhookMessage {
    let body = serde_json::json!({
        "type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event_time": 50, "event": event,
        "authorizations": [{ "team_id": "T1", "user_id": "U0", "is_bot": true }]
    });
    WebhookMessage {
        provider: ProviderId::Slack,
        integration: None,
        account: Some(AccountId::new("T1").unwrap()),
        headers: BTreeMap::new(),
        body: Body::Text(body.to_string()),
        received_at: at(100),
    }
}

/// "Something changed", for one integration.
fn changed(integration: &Integration) -> WebhookMessage {
    let headers =
        [("x-goog-channel-id", format!("{}-1", integration.id)), ("x-goog-resource-state", "change".to_owned())];
    WebhookMessage {
        provider: integration.provider,
        integration: Some(integration.reference()),
        account: None,
        headers: BTreeMap::from(headers.map(|(name, value)| (name.to_owned(), value))),
        body: Body::Text(String::new()),
        received_at: at(0),
    }
}

#[tokio::test]
async fn guarantee_09_a_delivery_at_any_step_of_a_run_leads_to_a_pass_that_begins_after_it() -> Result<()> {
    let work = Work::new().await?;
    let ada = connected(&work.setup.store, "user/ada").await?;
    let row = async || again(&work.setup.store, &ada.reference()).await;
    work.worker.run(changed(&ada)).await?;
    let first = row().await?.active.context("a run")?;

    // While it waits for a worker, while it lists, and after its last listing: the end reads the row before the delivery comes.
    work.worker.run(changed(&ada)).await?;
    work.worker.run(changed(&ada)).await?;
    let before = row().await?;
    assert_eq!(before.again, Some(SyncMode::Incremental), "after the first full run there is a cursor");
    assert!(matches!(work.end_run(&before).await?, Finished::Again(_)));
    let second = row().await?.active.context("another pass")?;
    assert_ne!(second.job_id, first.job_id);

    let before = row().await?;
    work.worker.run(changed(&ada)).await?;
    assert!(matches!(work.end_run(&before).await?, Finished::Again(_)), "the end met the wish that it had not read");
    let third = row().await?.active.context("another pass")?;
    assert_ne!(third.job_id, second.job_id);

    // And after the end.
    assert!(matches!(work.end_run(&row().await?).await?, Finished::Yes));
    assert_eq!(row().await?.active, None);
    work.worker.run(changed(&ada)).await?;
    assert!(row().await?.active.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_09_deliveries_that_race_with_the_end_of_a_run_never_go_unheeded() -> Result<()> {
    let work = Work::new().await?;
    let ada = connected(&work.setup.store, "user/ada").await?;
    work.worker.run(changed(&ada)).await?;
    for round in 0..20 {
        let before = again(&work.setup.store, &ada.reference()).await?;
        let ended = before.active.context("a run")?.job_id;
        let delivery = work.worker.run(changed(&ada));
        let (heeded, finished) = tokio::join!(delivery, work.end_run(&before));
        heeded?;
        finished?;
        let after = again(&work.setup.store, &ada.reference()).await?;
        assert!(after.active.is_some_and(|active| active.job_id != ended), "round {round}: {:?}", after.active);
    }
    Ok(())
}

#[tokio::test]
async fn of_an_account_that_many_have_connected_all_follow_even_if_one_fails_at_first() -> Result<()> {
    let work = Work::new().await?;
    let mut all = Vec::new();
    for whose in ["user/ada", "user/bob", "organization/acme"] {
        all.push(connected(&work.setup.store, whose).await?);
    }
    let account = AccountId::new("permission-1")?;
    assert!(all.iter().all(|one| one.account_id == account));
    let message = WebhookMessage { integration: None, account: Some(account), ..changed(&all[0]) };
    // The first to be served fails, however often the SDK tries; the others are served all the same.
    work.setup.proxy.refuse("TransactWriteItems", 3);
    let failed = work.worker.run(message.clone()).await.expect_err("one was not served");
    assert_eq!(failed.decision, Decision::Retry);
    let active = async || -> Result<usize> {
        let mut count = 0;
        for one in &all {
            count += usize::from(again(&work.setup.store, &one.reference()).await?.active.is_some());
        }
        Ok(count)
    };
    assert_eq!(active().await?, 2);
    work.worker.run(message).await?;
    assert_eq!(active().await?, 3);
    for one in &all {
        assert_eq!(work.jobs(one).await?.len(), 1, "{}", one.owner);
    }
    assert_eq!(work.runs.left().await?, (3, 0), "one message for each run");
    Ok(())
}

#[tokio::test]
async fn guarantee_06_what_concerns_nobody_is_dropped_and_what_makes_no_sense_goes_to_the_dead_letters() -> Result<()> {
    let work = Work::new().await?;
    let stranger = integration("user/nobody");
    work.worker.run(changed(&stranger)).await?;
    let account = Some(AccountId::new("nobody")?);
    work.worker.run(WebhookMessage { integration: None, account, ..changed(&stranger) }).await?;

    let ada = connected(&work.setup.store, "user/ada").await?;
    let handshake = [("x-goog-resource-state".to_owned(), "sync".to_owned())];
    work.worker.run(WebhookMessage { headers: BTreeMap::from(handshake), ..changed(&ada) }).await?;
    let paused = StatusChange {
        from: Status::Active,
        to: Status::Paused,
        last_error: None,
        failures_in_a_row: 0,
        blocked_until: None,
        due_at: None,
    };
    assert!(work.setup.store.move_status(&ada.reference(), &paused, at(1)).await?);
    work.worker.run(changed(&ada)).await?;
    assert_eq!(work.jobs(&ada).await?, []);

    let nameless = WebhookMessage { integration: None, ..changed(&ada) };
    let bare = WebhookMessage { headers: BTreeMap::new(), ..changed(&ada) };
    let garbled = WebhookMessage { body: Body::Base64("%".to_owned()), ..changed(&ada) };
    let elsewhere = WebhookMessage { body: Body::Object("user/ada/secret.json".to_owned()), ..changed(&ada) };
    let lost = WebhookMessage { body: Body::Object("webhooks/2100-01-01/none".to_owned()), ..changed(&ada) };
    for message in [nameless, bare, garbled, elsewhere] {
        let error = work.worker.run(message.clone()).await.expect_err("it makes no sense");
        assert_eq!(error.decision, Decision::Poison, "{message:?}");
    }
    let error = work.worker.run(lost).await.expect_err("its body cannot be read");
    assert_eq!(error.decision, Decision::Retry);
    assert_eq!(work.runs.left().await?, (0, 0));
    Ok(())
}

#[tokio::test]
async fn guarantee_22_a_large_delivery_is_worked_on_once_and_leaves_nothing_to_read() -> Result<()> {
    let work = Work::new().await?;
    let channel = work.setup.channel("user/ada").await?;
    let mut large = channel.delivery(1);
    large.body = vec![b'x'; 6 * 1024 * 1024];
    assert_eq!(work.setup.receive(&large).await, webhook::Answer::Received);
    let [message] = work.setup.drain().await?.try_into().ok().context("one message")?;
    let Body::Object(key) = &message.body else { panic!("the body is in the message") };

    work.setup.proxy.refuse("TransactWriteItems", 3);
    assert!(work.worker.run(message.clone()).await.is_err(), "the table is down");
    work.worker.run(message.clone()).await?;
    let ada = again(&work.setup.store, &channel.reference).await?;
    assert!(ada.active.is_some());
    let left = work.setup.s3.get_object().bucket(&work.setup.bucket).key(key).send().await?;
    assert_eq!(left.content_length(), Some(0));
    // The queue may hand it out again: it is done.
    work.worker.run(message).await?;
    assert_eq!(again(&work.setup.store, &channel.reference).await?.again, None);
    assert_eq!(work.jobs(&ada).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_a_subscription_says_is_noted_every_five_minutes_at_most() -> Result<()> {
    let work = Work::new().await?;
    let channel = work.setup.channel("user/ada").await?;
    let ada = again(&work.setup.store, &channel.reference).await?;
    let heard = async || -> Result<_> {
        let found = work.setup.store.get_subscription(&channel.id).await?.context("the subscription")?;
        Ok(found.1.heard_at)
    };
    let say = async |second: i64| {
        let mut message = WebhookMessage { received_at: at(second), ..changed(&ada) };
        message.headers.insert("x-goog-channel-id".to_owned(), channel.id.clone());
        work.worker.run(message).await
    };
    say(10).await?;
    assert_eq!(heard().await?, Some(at(10)));
    work.setup.proxy.tally();
    say(309).await?;
    assert_eq!(heard().await?, Some(at(10)));
    let writes = work.setup.proxy.carried_out("UpdateItem");
    say(310).await?;
    assert_eq!(heard().await?, Some(at(310)));
    assert_eq!(work.setup.proxy.carried_out("UpdateItem"), writes + 1);
    Ok(())
}

#[tokio::test]
async fn an_integration_that_is_synced_by_hand_follows_no_delivery() -> Result<()> {
    let work = Work::new().await?;
    let by_hand = Integration { sync_frequency: SyncFrequency::Manual, ..integration("user/ada") };
    work.setup.store.save_connection(&by_hand, None).await?;
    work.worker.run(changed(&by_hand)).await?;
    assert_eq!(work.jobs(&by_hand).await?, []);
    work.syncs.request(&by_hand, SyncMode::Incremental, Trigger::Manual).await?;
    work.setup.clock.advance(TimeDelta::seconds(1));
    work.worker.run(changed(&by_hand)).await?;
    assert_eq!(again(&work.setup.store, &by_hand.reference()).await?.again, None);
    Ok(())
}

#[tokio::test]
async fn what_failed_too_often_is_not_tried_again_for_every_delivery() -> Result<()> {
    let work = Work::new().await?;
    let failing = Integration { status: Status::Error, ..integration("user/ada") };
    work.setup.store.save_connection(&failing, None).await?;
    let failing = again(&work.setup.store, &failing.reference()).await?;
    work.worker.run(changed(&failing)).await?;
    assert_eq!(work.jobs(&failing).await?, []);
    assert_eq!(again(&work.setup.store, &failing.reference()).await?, failing, "its next try is due when it was");
    work.syncs.request(&failing, SyncMode::Incremental, Trigger::Manual).await?;
    assert_eq!(work.jobs(&failing).await?.len(), 1, "a person may try it");
    Ok(())
}

#[tokio::test]
async fn what_a_delivery_names_is_looked_at_for_every_integration_of_the_account_that_syncs_it() -> Result<()> {
    let work = Work::new().await?;
    let connect = async |whose: &str, config: serde_json::Value| -> Result<Integration> {
        let row = Integration {
            provider: ProviderId::Slack,
            account_id: AccountId::new("T1")?,
            config: serde_json::from_value(config)?,
            ..integration(whose)
        };
        work.setup.store.save_connection(&row, None).await?;
        again(&work.setup.store, &row.reference()).await
    };
    let ada = connect("user/ada", serde_json::json!({})).await?;
    let bob = connect("user/bob", serde_json::json!({})).await?;
    connect("organization/acme", serde_json::json!({ "channels": ["C9"] })).await?;
    let message = serde_json::json!({
        "type": "message", "channel": "C1", "user": "U1", "text": "Hello", "ts": "1700000000.000100",
        "event_ts": "1700000000.000100", "channel_type": "channel"
    });
    work.worker.run(of_slack(message)).await?;
    let mut named = BTreeMap::new();
    while work.resources.left().await?.0 > 0 {
        for received in work.resources.receive().await? {
            let body: ResourceMessage = serde_json::from_str(&received.body)?;
            assert_eq!((&body.action, body.run), (&ResourceAction::announced(at(100)), None));
            named.insert(body.integration.owner.to_string(), body.external_id.to_string());
            work.resources.delete(&received).await?;
        }
    }
    let thread = "C1/1700000000.000100".to_owned();
    assert_eq!(named, [(ada.owner.to_string(), thread.clone()), (bob.owner.to_string(), thread)].into());
    assert_eq!(work.runs.left().await?, (0, 0), "nobody lists for it");

    let renamed =
        serde_json::json!({ "type": "channel_rename", "channel": { "id": "C1", "name": "new" }, "event_ts": "50.1" });
    work.worker.run(of_slack(renamed)).await?;
    let [job] = work.jobs(&ada).await?.try_into().ok().context("one pass")?;
    assert_eq!((job.mode, job.trigger), (SyncMode::Full, Trigger::Webhook));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_11_of_fifty_deliveries_at_once_one_starts_the_run_and_the_rest_want_another() -> Result<()> {
    let work = Work::new().await?;
    let ada = connected(&work.setup.store, "user/ada").await?;
    let deliveries = (0..50).map(|_| work.worker.run(changed(&ada)));
    for heeded in futures::future::join_all(deliveries).await {
        heeded?;
    }
    assert_eq!(work.jobs(&ada).await?.len(), 1);
    assert_eq!(work.runs.left().await?, (1, 0), "one message for it");
    assert!(again(&work.setup.store, &ada.reference()).await?.again.is_some());
    Ok(())
}

#[tokio::test]
async fn guarantee_45_deliveries_after_a_disconnection_start_nothing() -> Result<()> {
    let work = Work::new().await?;
    let channel = work.setup.channel("user/ada").await?;
    let ada = again(&work.setup.store, &channel.reference).await?;
    assert_eq!(work.setup.receive(&channel.delivery(1)).await, webhook::Answer::Received);
    work.setup.store.disconnect(&channel.reference, at(1)).await?;
    // One was on its way already, one comes before the subscription is forgotten, one after.
    assert_eq!(work.setup.receive(&channel.delivery(2)).await, webhook::Answer::Received);
    work.setup.store.delete_subscription(ada.id, &channel.id).await?;
    assert_eq!(work.setup.receive(&channel.delivery(3)).await, webhook::Answer::InvalidSignature);
    let messages = work.setup.drain().await?;
    assert_eq!(messages.len(), 2);
    for message in messages {
        work.worker.run(message).await?;
    }
    assert_eq!(work.jobs(&ada).await?, []);
    assert_eq!(work.runs.left().await?, (0, 0));
    Ok(())
}
