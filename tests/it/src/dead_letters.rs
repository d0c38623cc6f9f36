//! Looking at dead letters and sending them back to work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use domain::message::{ResourceAction, ResourceMessage, RunRef, SyncMessage};
use domain::resource::DeleteReason;
use domain::{Integration, JobId, JobStatus, Status, SyncJob, SyncMode, SystemClock};
use integrations::dead_letters::{Kind, QueueUrls, Redriven, Wanted, WorkQueue};
use integrations::{DeadLetters, Syncs};
use providers::Registry;
use providers::http::Http;
use queue::{Backoff, DeadLetter, Queue};
use serde::Serialize;
use store::{RunEnd, Started, StatusChange, Store};
use testkit::emulator::{Emulator, TestQueue};

use crate::proxy::Proxy;
use crate::sample::{again, at, connected, external_id, integration, job};

/// What an administrator has in hand.
pub struct Room {
    pub store: Store,
    pub dead_letters: DeadLetters,
}

impl Room {
    /// New tables, and these queues.
    pub async fn with(emulator: &Emulator, urls: &QueueUrls) -> Result<Self> {
        let store = emulator.store(&emulator.tables().await?);
        Ok(Self { dead_letters: dead_letters(emulator, &store, urls), store })
    }
}

fn dead_letters(emulator: &Emulator, store: &Store, urls: &QueueUrls) -> DeadLetters {
    let backoff = Backoff { base: Duration::from_secs(1), attempts: 3 };
    let queue = Queue::new(emulator.sqs.clone(), urls.sync.clone(), backoff);
    let syncs = Syncs::new(store.clone(), queue, Arc::new(Registry::new(Http::new())), SystemClock::shared());
    DeadLetters::new(syncs, &emulator.sqs, urls)
}

/// One queue for every purpose. Only for a look at the letters of one of them.
pub fn urls(queue: &TestQueue) -> QueueUrls {
    let url = || queue.url.clone();
    QueueUrls { sync: url(), webhook: url(), resource: url(), resource_webhook: url() }
}

/// Four queues, and what an administrator has in hand.
struct Setup {
    emulator: Emulator,
    proxy: Proxy,
    room: Room,
    /// The same, without the proxy.
    other: DeadLetters,
    sync: TestQueue,
    webhook: TestQueue,
    resource: TestQueue,
    resource_webhook: TestQueue,
}

impl Setup {
    async fn new() -> Result<Self> {
        let emulator = Emulator::connect().await?;
        let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
        let (sync, webhook) = (emulator.queue("SyncQueue").await?, emulator.queue("WebhookQueue").await?);
        let resource = emulator.queue("ResourceQueue").await?;
        let resource_webhook = emulator.queue("ResourceWebhookQueue").await?;
        let urls = QueueUrls {
            sync: sync.url.clone(),
            webhook: webhook.url.clone(),
            resource: resource.url.clone(),
            resource_webhook: resource_webhook.url.clone(),
        };
        let store = emulator.store(&emulator.tables().await?);
        let other = dead_letters(&emulator, &store, &urls);
        let room = Room { dead_letters: dead_letters(&emulator.through(&address), &store, &urls), store };
        Ok(Self { emulator, proxy, room, other, sync, webhook, resource, resource_webhook })
    }

    /// Puts bodies among the dead letters of a queue.
    async fn bury(&self, queue: &TestQueue, bodies: impl IntoIterator<Item = String>) -> Result<()> {
        let letters: Vec<_> = bodies
            .into_iter()
            .map(|body| DeadLetter {
                group: "user/ada".to_owned(),
                body,
                reason: "the disk was full".to_owned(),
                attempts: 3,
            })
            .collect();
        let backoff = Backoff { base: Duration::from_secs(1), attempts: 3 };
        let to = Queue::<String>::new(self.emulator.sqs.clone(), queue.url.clone(), backoff);
        assert!(to.bury(&letters, at(0)).await.is_empty());
        Ok(())
    }

    async fn redrive(&self, wanted: Wanted) -> Result<Redriven> {
        Ok(self.room.dead_letters.redrive(&wanted).await?)
    }
}

/// Takes everything off a queue: each body, with how often it was there.
async fn taken(queue: &TestQueue) -> Result<BTreeMap<String, u32>> {
    let mut bodies = BTreeMap::new();
    loop {
        let batch = queue.receive().await?;
        if batch.is_empty() {
            return Ok(bodies);
        }
        for message in batch {
            assert_eq!(message.attributes["ApproximateReceiveCount"], "1", "its attempts begin anew");
            assert!(message.carried.is_empty(), "{:?}", message.carried);
            queue.delete(&message).await?;
            *bodies.entry(message.body).or_default() += 1;
        }
    }
}

fn text(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap()
}

fn resource(id: &str) -> ResourceMessage {
    ResourceMessage {
        integration: integration("user/ada").reference(),
        run: None,
        external_id: external_id(id),
        action: ResourceAction::fresh(),
    }
}

fn resources(count: usize) -> BTreeSet<String> {
    (0..count).map(|number| text(&resource(&format!("file-{number}")))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_shown_with_their_reasons_and_stay_where_they_are() -> Result<()> {
    let setup = Setup::new().await?;
    let of = integration("user/ada").reference();
    let job_id = JobId::new(at(5));
    let run = SyncMessage::Run { integration: of.clone(), job_id, looks: 0 };
    setup.bury(&setup.sync, [text(&run), text(&SyncMessage::Subscribe { integration: of.clone() })]).await?;
    setup.bury(&setup.resource, resources(12)).await?;
    setup.bury(&setup.webhook, ["no message".to_owned()]).await?;
    for _ in 0..2 {
        let listing = setup.room.dead_letters.list(None, 100).await?;
        let totals =
            [(WorkQueue::Sync, 2), (WorkQueue::Webhook, 1), (WorkQueue::Resource, 12), (WorkQueue::ResourceWebhook, 0)];
        assert_eq!(listing.totals, totals);
        assert_eq!(listing.letters.len(), 15);
        let ids: BTreeSet<_> = listing.letters.iter().map(|letter| &letter.id).collect();
        assert_eq!(ids.len(), 15, "each once");
        for letter in &listing.letters {
            assert_eq!(
                (letter.reason.as_str(), letter.attempts, letter.failed_at),
                ("the disk was full", 3, Some(at(0)))
            );
        }
        let run = listing.letters.iter().find(|letter| letter.kind == Some(Kind::Run)).context("no run")?;
        assert_eq!((run.job_id, run.integration.as_ref()), (Some(job_id), Some(&of)));
        assert!(listing.letters.iter().any(|letter| letter.code == "undecodable" && letter.kind.is_none()));
    }
    let some = setup.room.dead_letters.list(Some(WorkQueue::Resource), 5).await?;
    assert_eq!(some.letters.len(), 5);
    assert!(some.letters.iter().all(|letter| letter.queue == WorkQueue::Resource));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_07_one_some_and_all_are_redriven_each_once() -> Result<()> {
    let setup = Setup::new().await?;
    let bodies = resources(25);
    setup.bury(&setup.resource, bodies.clone()).await?;
    setup.bury(&setup.webhook, ["no message".to_owned()]).await?;
    let listing = setup.room.dead_letters.list(Some(WorkQueue::Resource), 100).await?;
    let ids: Vec<String> = listing.letters.into_iter().map(|letter| letter.id).collect();

    let one = setup.redrive(Wanted::Ids([ids[0].clone()].into())).await?;
    assert_eq!((one.redriven, one.remaining, one.more), (1, 25, false));
    let wanted = [&ids[1], &ids[2], &ids[0], &"nowhere".to_owned()].map(Clone::clone);
    let some = setup.redrive(Wanted::Ids(wanted.into())).await?;
    let missing: BTreeSet<_> = some.missing.iter().collect();
    assert_eq!((some.redriven, missing), (2, [&ids[0], &"nowhere".to_owned()].into()));
    let queue = setup.redrive(Wanted::Queue(WorkQueue::Resource)).await?;
    assert_eq!((queue.redriven, queue.remaining), (22, 0));
    assert_eq!(setup.webhook.left().await?, (0, 1), "the other queue is as it was");
    let all = setup.redrive(Wanted::All).await?;
    assert_eq!((all.redriven, all.remaining), (1, 0));
    assert_eq!(setup.redrive(Wanted::All).await?, Redriven::default(), "again: nothing is left");

    let sent = taken(&setup.resource).await?;
    assert_eq!(sent.keys().cloned().collect::<BTreeSet<_>>(), bodies);
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
    assert_eq!(taken(&setup.webhook).await?.into_keys().collect::<Vec<_>>(), ["no message"]);
    assert_eq!(setup.resource.left().await?, (0, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_07_two_who_redrive_everything_at_once_do_it_once() -> Result<()> {
    let setup = Setup::new().await?;
    let bodies = resources(60);
    setup.bury(&setup.resource, bodies.clone()).await?;
    let (one, other) = tokio::join!(setup.room.dead_letters.redrive(&Wanted::All), setup.other.redrive(&Wanted::All));
    assert_eq!(one?.redriven + other?.redriven, 60);
    let sent = taken(&setup.resource).await?;
    assert_eq!(sent.keys().cloned().collect::<BTreeSet<_>>(), bodies);
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
    assert_eq!(setup.resource.left().await?, (0, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_07_whoever_dies_between_the_queues_loses_nothing() -> Result<()> {
    let setup = Setup::new().await?;
    let bodies = resources(10);
    setup.bury(&setup.resource, bodies.clone()).await?;

    // Before anything was sent: all of it lies where it lay, to be seen at once.
    setup.proxy.refuse("SendMessageBatch", u32::MAX);
    setup.room.dead_letters.redrive(&Wanted::All).await.expect_err("nothing can be sent");
    setup.proxy.refuse("SendMessageBatch", 0);
    assert_eq!(setup.resource.left().await?, (0, 10));
    assert_eq!(setup.room.dead_letters.list(None, 100).await?.letters.len(), 10);

    // Some of a batch is left out: it is sent again, and nothing twice.
    setup.proxy.leave_out("SendMessageBatch", 3);
    // After it was sent and before it was taken away: it is on both queues, so the work is done twice at worst.
    setup.proxy.refuse("DeleteMessageBatch", u32::MAX);
    assert_eq!(setup.redrive(Wanted::All).await?.redriven, 10);
    setup.proxy.refuse("DeleteMessageBatch", 0);
    assert_eq!(setup.resource.left().await?, (10, 10));
    let sent = taken(&setup.resource).await?;
    assert_eq!(sent.keys().cloned().collect::<BTreeSet<_>>(), bodies);
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
    Ok(())
}

/// A run of the integration, as far as `status`.
async fn run(store: &Store, of: &Integration, status: JobStatus) -> Result<SyncJob> {
    let job = SyncJob { id: JobId::new(SystemClock::shared().now()), ..job(of, SyncMode::Full) };
    assert_eq!(store.start_run(of, &job, at(120)).await?, Started::Yes);
    if status.is_final() {
        let integration = again(store, &of.reference()).await?;
        let end = RunEnd {
            job: SyncJob { status, completed_at: Some(at(50)), ..job.clone() },
            status: Status::Active,
            last_error: None,
            failures_in_a_row: 0,
            last_sync_at: None,
            change_cursor: None,
            retry_failed: false,
            pending_deletes: None,
            deletes_confirmed: false,
            blocked_until: None,
            due_at: None,
            integration,
        };
        store.finish_run(&end).await?;
    }
    Ok(job)
}

fn run_message(of: &Integration, job: &SyncJob) -> SyncMessage {
    SyncMessage::Run { integration: of.reference(), job_id: job.id, looks: 2 }
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_07_a_run_that_failed_meanwhile_is_done_by_a_new_one() -> Result<()> {
    let setup = Setup::new().await?;
    let store = &setup.room.store;
    let (failed, running) = (connected(store, "user/failed").await?, connected(store, "user/running").await?);
    let (completed, gone) = (connected(store, "user/completed").await?, integration("user/gone"));
    let failed_job = run(store, &failed, JobStatus::Failed).await?;
    let running_job = run(store, &running, JobStatus::Running).await?;
    let completed_job = run(store, &completed, JobStatus::Completed).await?;
    let still = text(&run_message(&running, &running_job));
    setup
        .bury(
            &setup.sync,
            [
                text(&run_message(&failed, &failed_job)),
                text(&run_message(&failed, &failed_job)),
                still.clone(),
                text(&run_message(&completed, &completed_job)),
                text(&run_message(&gone, &failed_job)),
            ],
        )
        .await?;
    let done = setup.redrive(Wanted::All).await?;
    assert_eq!((done.redriven, done.remaining, done.refused.len()), (5, 0, 0));
    let new = again(store, &failed.reference()).await?.active.context("a new run")?;
    assert_ne!(new.job_id, failed_job.id);
    let job = store.get_job(failed.id, new.job_id).await?.context("its job")?;
    assert_eq!((job.mode, job.status), (SyncMode::Full, JobStatus::Pending));
    let started = text(&SyncMessage::Run { integration: failed.reference(), job_id: new.job_id, looks: 0 });
    assert_eq!(taken(&setup.sync).await?, [(started, 1), (still, 1)].into());
    assert_eq!(again(store, &completed.reference()).await?.active, None, "what is done is done");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_paused_integration_stays_among_the_dead_letters() -> Result<()> {
    let setup = Setup::new().await?;
    let store = &setup.room.store;
    let ada = connected(store, "user/ada").await?;
    let job = run(store, &ada, JobStatus::Failed).await?;
    let paused = StatusChange {
        from: Status::Active,
        to: Status::Paused,
        last_error: None,
        failures_in_a_row: 0,
        blocked_until: None,
        due_at: None,
    };
    assert!(store.move_status(&ada.reference(), &paused, at(60)).await?);
    setup.bury(&setup.sync, [text(&run_message(&ada, &job))]).await?;
    let done = setup.redrive(Wanted::All).await?;
    assert_eq!((done.redriven, done.refused[0].code, done.remaining), (0, "paused", 1));
    assert_eq!(setup.room.dead_letters.list(None, 10).await?.letters[0].id, done.refused[0].id, "to be seen at once");
    assert_eq!(setup.sync.left().await?, (0, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_07_a_resource_outlives_its_run() -> Result<()> {
    let setup = Setup::new().await?;
    let store = &setup.room.store;
    let ada = connected(store, "user/ada").await?;
    let running = run(store, &ada, JobStatus::Running).await?;
    let of = |job_id, id: &str, action| ResourceMessage {
        integration: ada.reference(),
        run: Some(RunRef { job_id, run: 1 }),
        external_id: external_id(id),
        action,
    };
    let sync = |text: Option<&str>| ResourceAction::Sync {
        resource: None,
        text: text.map(str::to_owned),
        listed_at: Some(at(1)),
        announced_at: None,
        progress: None,
    };
    let unlisted = ResourceAction::Delete { reason: DeleteReason::NotListed, at: at(1) };
    let counted = text(&of(running.id, "counted", sync(Some("as listed"))));
    let ended = JobId::new(at(7));
    setup.bury(&setup.resource, [counted.clone(), text(&of(ended, "late", sync(Some("as listed"))))]).await?;
    setup.bury(&setup.resource_webhook, [text(&of(ended, "unlisted", unlisted.clone()))]).await?;
    assert_eq!(setup.redrive(Wanted::All).await?.redriven, 3);
    let alone = |id: &str, action| text(&ResourceMessage { run: None, ..of(ended, id, action) });
    let fresh = ResourceAction::fresh();
    assert_eq!(taken(&setup.resource).await?, [(counted, 1), (alone("late", fresh), 1)].into());
    assert_eq!(taken(&setup.resource_webhook).await?, [(alone("unlisted", unlisted), 1)].into());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_queue_moved_says_that_its_workers_died() -> Result<()> {
    let setup = Setup::new().await?;
    let backoff = Backoff { base: Duration::from_millis(1), attempts: 3 };
    let queue = Queue::<ResourceMessage>::new(setup.emulator.sqs.clone(), setup.resource.url.clone(), backoff);
    queue.send(&integration("user/ada").owner, &resource("deadly")).await?;
    testkit::wait::until("the queue to give it up", Duration::from_secs(30), async || {
        for message in setup.resource.receive().await? {
            // The worker dies: the message is visible again, sooner here than after its timeout.
            queue.retry_later(&[(message.receipt.context("no receipt")?, 3)]).await?;
        }
        Ok((setup.resource.left().await? == (0, 1)).then_some(()))
    })
    .await?;
    let letter = setup.room.dead_letters.list(None, 10).await?.letters.remove(0);
    assert_eq!((letter.code, letter.attempts, letter.failed_at), ("worker_lost", 3, None));
    assert!(letter.reason.contains("died"), "{letter:?}");
    assert_eq!(letter.external_id, Some(external_id("deadly")));
    Ok(())
}
