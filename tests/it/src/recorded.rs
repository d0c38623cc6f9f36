//! Rows as versions that were deployed have written them. A new version finds them when it starts, works on with them, and the version
//! before, which still runs beside it for a while, finds its own attributes in what the new one writes.
//!
//! A file of `data` is never changed. When rows get new attributes that matter, a new file is added beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use domain::integration::{ActiveRun, PendingDeletes};
use domain::plan::{Plan, PlatformRole, Role};
use domain::provider::RateLimits;
use domain::rate::Lane;
use domain::resource::{Outcome, RecordState, RunOutcome};
use domain::{JobStatus, OrganizationId, ProviderId, Status, StorageStrategy, SyncFrequency, SyncMode, UserId};
use serde_json::{Value, json};
use store::{Claim, PageRow, Reserved, Saved, Settings, StatusChange, Store, Tables, Written, resource_key};
use testkit::emulator::Emulator;

use crate::sample::{at, external_id, owner, record};

const ROWS: &str = include_str!("../data/rows-1.json");
const BUCKET: &str = "google_drive#01JD0000000000000000000000";

/// Tables that hold the recorded rows.
struct Old {
    emulator: Emulator,
    tables: Tables,
    store: Store,
}

type Rows = BTreeMap<String, Vec<Value>>;

impl Old {
    /// Puts the rows in, each with these further attributes.
    async fn with(further: &Value) -> Result<Self> {
        let emulator = Emulator::connect().await?;
        let tables = emulator.tables().await?;
        let store = emulator.store(&tables);
        let old = Self { emulator, tables, store };
        let rows: Rows = serde_json::from_str(ROWS)?;
        for (table, rows) in &rows {
            for row in rows {
                let mut item = row.clone();
                item.as_object_mut().context("a row")?.extend(further.as_object().context("attributes")?.clone());
                old.ask("PutItem", json!({"TableName": old.table(table)?, "Item": item})).await?;
            }
        }
        Ok(old)
    }

    fn table(&self, name: &str) -> Result<&str> {
        Ok(match name {
            "integrations" => &self.tables.integrations,
            "jobs" => &self.tables.jobs,
            "records" => &self.tables.records,
            "directory" => &self.tables.directory,
            "limits" => &self.tables.limits,
            other => anyhow::bail!("{other} is no table"),
        })
    }

    /// A request in DynamoDB's own form, in which the rows are recorded.
    async fn ask(&self, operation: &str, body: Value) -> Result<Value> {
        let scope = "Credential=test/21000101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none";
        let request = reqwest::Client::builder().build()?.post(self.emulator.endpoint());
        let answer = request
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("authorization", format!("AWS4-HMAC-SHA256 {scope}"))
            .body(body.to_string())
            .send()
            .await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{operation}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// The rows as they are now, by table and key.
    async fn now(&self) -> Result<BTreeMap<(String, String), Value>> {
        let mut found = BTreeMap::new();
        for table in ["integrations", "jobs", "records", "directory"] {
            let mut answer = self.ask("Scan", json!({"TableName": self.table(table)?})).await?;
            for row in answer["Items"].take().as_array().context("no rows")? {
                let key = format!("{} {}", row["pk"]["S"], row["sk"]["S"]);
                found.insert((table.to_owned(), key), row.clone());
            }
        }
        Ok(found)
    }
}

#[tokio::test]
async fn guarantee_48_rows_of_every_version_are_read() -> Result<()> {
    // As they were written, and as a later version may leave them to this one.
    for further in [json!({}), json!({"added_later": {"M": {"anything": {"L": [{"NULL": true}]}}}})] {
        let Old { store, .. } = &Old::with(&further).await?;
        let (ada, acme) = (owner("user/ada"), owner("organization/acme"));
        let drive = ProviderId::GoogleDrive;

        let row = store.get_integration(&ada, drive).await?.context("an integration")?;
        let (id, job_id) = (row.id, "01JD0000000000000000000001".parse()?);
        assert_eq!((id.to_string().as_str(), row.status), ("01JD0000000000000000000000", Status::Active));
        assert_eq!(row.active, Some(ActiveRun { job_id, run: 1 }));
        assert_eq!((row.change_cursor.is_some(), row.last_sync_at), (true, Some(at(5))));
        assert_eq!(serde_json::to_value(&row.config)?, json!({"folders": ["f"], "maxBytes": 10}));
        let tokens = row.tokens.clone().context("tokens")?;
        assert_eq!((tokens.version, tokens.refresh.is_some(), tokens.expires_at), (1, true, Some(at(3600))));
        let other = store.get_integration(&acme, drive).await?.context("another integration")?;
        let pending = PendingDeletes { job_id, count: 60, of: 70, since: at(1) };
        assert_eq!((other.status, other.pending_deletes), (Status::RateLimited, Some(pending)));
        assert_eq!((other.blocked_until, other.again, other.retry_failed), (Some(at(900)), Some(SyncMode::Full), true));
        assert_eq!(other.storage_strategy, StorageStrategy::MetadataOnly);
        assert_eq!(store.known_account(&ada, drive, &row.account_id).await?, Some(id));
        let subscription = store.subscriptions_of(id).await?.pop().context("a subscription")?;
        assert_eq!((subscription.provider_id.as_deref(), subscription.token_sha256), (Some("res-1"), [7; 32]));
        let state = store.peek_state("the-state", at(1)).await?.context("a state")?;
        assert_eq!((state.pkce_verifier.as_deref(), state.browser_sha256), (Some("verifier"), Some([9; 32])));

        let job = store.get_job(id, job_id).await?.context("a job")?;
        assert_eq!((job.status, job.mode, job.outages, job.counts.found), (JobStatus::Running, SyncMode::Full, 1, 4));
        assert_eq!((job.checkpoint.page_cursor.as_deref(), job.checkpoint.handed_out), (Some("p2"), 2));
        assert_eq!((job.checkpoint.pages, job.checkpoint.reported), (1, 1));
        let page = store.pages(job_id).await?.pop().context("a page")?;
        assert_eq!((page.seen.len(), page.handed.len(), page.gone.len()), (4, 2, 1));
        assert_eq!(page.unchanged, [resource_key(&external_id("c"))]);

        let records = store.get_records(id, &["a", "b", "e"].map(external_id)).await?;
        let state = |id: &str| records[&external_id(id)].state;
        assert_eq!(
            [state("a"), state("b"), state("e")],
            [RecordState::Synced, RecordState::Failed, RecordState::Deleted]
        );
        let ran = RunOutcome { job_id, run: 1, outcome: Outcome::Synced };
        assert_eq!(records[&external_id("a")].last_run, Some(ran));
        assert_eq!(
            (records[&external_id("b")].code.as_deref(), records[&external_id("b")].retriable),
            (Some("too_large"), true)
        );

        let user = store.get_user(&UserId::new("ada")?).await?.context("a user")?;
        assert_eq!((user.plan, user.role, user.active), (Plan::Pro, PlatformRole::Admin, true));
        let slug = OrganizationId::new("acme")?;
        let organization = store.get_organization(&slug).await?.context("an organization")?;
        assert_eq!((organization.plan, organization.default_frequency), (Plan::Enterprise, Some(SyncFrequency::Daily)));
        assert_eq!(store.membership(&slug, &user.id).await?, Some(Role::Editor));
        assert_eq!(store.registry_entry(drive).await?.allowed_plans, [Plan::Pro]);
        assert!(!store.first_delivery("google_drive#channel#7", at(1)).await?, "it has been seen");
        // The limit's row was one of another form; what it says of a block holds on.
        let budget = RateLimits { per_minute: 60, per_day: None, concurrent: 2 }.budget();
        let horizon = Duration::from_secs(900);
        match store.reserve(BUCKET, &budget, Lane::Backfill, 1, horizon, at(1)).await? {
            Reserved::Slots(slots) => assert!(slots.first_at >= at(30), "{slots:?}"),
            Reserved::Wait(wait) => assert!(wait >= Duration::from_secs(29), "{wait:?}"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn guarantee_48_a_run_under_way_goes_on_with_the_new_version_and_the_old_one_finds_its_attributes() -> Result<()>
{
    let old = Old::with(&json!({})).await?;
    let (store, before) = (&old.store, old.now().await?);
    let row = store.get_integration(&owner("user/ada"), ProviderId::GoogleDrive).await?.context("an integration")?;
    let (r, job_id) = (row.reference(), "01JD0000000000000000000001".parse()?);
    // The old worker's lease has ended: the new one takes the run up where it stands.
    let Claim::Taken(mut job) = store.claim_job(r.integration_id, job_id, at(100), at(160)).await? else {
        anyhow::bail!("the run is not taken up")
    };
    assert_eq!((job.fence, job.checkpoint.page_cursor.as_deref()), (2, Some("p2")));
    (job.checkpoint.pages, job.checkpoint.page_cursor) = (2, Some("p3".to_owned()));
    let page = PageRow { page: 1, listing: true, handed: vec![external_id("f")], ..PageRow::default() };
    assert!(store.checkpoint(&job, Some(&page), at(101), at(161)).await?);
    assert_eq!(store.pages(job_id).await?.len(), 2, "pages of both versions");
    let newer = domain::resource::Record { revision: "2".to_owned(), ..record("a", at(200)) };
    assert_eq!(store.save_record(r.integration_id, &newer).await?, Written::Yes);
    let stale = record("e", at(6));
    assert!(matches!(store.save_record(r.integration_id, &stale).await?, Written::Stale(_)), "the old tombstone holds");
    let limited = StatusChange {
        from: Status::Active,
        to: Status::RateLimited,
        last_error: None,
        failures_in_a_row: 0,
        blocked_until: Some(at(900)),
        due_at: Some(at(900)),
    };
    assert!(store.move_status(&r, &limited, at(102)).await?);
    let settings = Settings {
        config: row.config.clone(),
        storage_strategy: row.storage_strategy,
        sync_frequency: SyncFrequency::Daily,
        due_at: Some(at(500)),
        full_next: false,
    };
    let version = store.find_integration(&r).await?.context("it is there")?.version;
    assert_eq!(store.save_settings(&r, version, &settings, at(103)).await?, Saved::Yes);
    let subscription = store.subscriptions_of(r.integration_id).await?.pop().context("a subscription")?;
    store.save_subscription(&r, &subscription).await?;

    let after = old.now().await?;
    for (key, row) in &before {
        let now = after.get(key).with_context(|| format!("{key:?} is gone"))?;
        for (name, value) in row.as_object().context("a row")? {
            let kind = |value: &Value| value.as_object().and_then(|typed| typed.keys().next().cloned());
            let kept = now.get(name);
            // What a lease, a due time or an error leaves behind when it ends may go; the rest keeps name and type.
            let may_go = ["lease_until", "lease_mark", "due_at", "due_shard", "last_error", "code", "reason"]
                .contains(&name.as_str());
            match kept {
                Some(kept) if may_go => assert!(kind(kept).is_some(), "{key:?} {name}"),
                Some(kept) => {
                    let (was, is) = (kind(value), kind(kept));
                    let null = Some("NULL".to_owned());
                    assert!(was == is || was == null || is == null, "{key:?}: {name} was {was:?} and is {is:?}");
                }
                None => assert!(may_go, "{key:?} has lost {name}"),
            }
        }
    }
    Ok(())
}
