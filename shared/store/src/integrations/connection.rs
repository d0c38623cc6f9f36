//! Connecting, configuring and disconnecting: the writes of a person's making. Each raises the row's version.

use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem, Update};
use domain::message::IntegrationRef;
use domain::{Integration, Owner, ProviderId, Status, SyncMode, Timestamp};

use super::{Saved, Settings, read};
use crate::Store;
use crate::call::{Ended, Item, encode, encode_item, ms, n, names, number, s, text, update};
use crate::error::Error;
use crate::items::integration::{IntegrationItem, config_text};
use crate::keys::{self, Key};
use crate::retry::{TRIES, back_off};

impl Store {
    /// Writes a connected integration whole and remembers its account, in one transaction.
    ///
    /// `replaces` is the version of the row that was read (`None`: there was none); the new version is one more, or 1.
    /// [`Saved::Conflict`] also when a run started, ended or was asked for since that read, since the whole row is written.
    /// One request for a new row, two to replace one; when it meets others, two per try.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written, or others keep changing the row.
    pub async fn save_connection(&self, integration: &Integration, replaces: Option<u64>) -> Result<Saved, Error> {
        self.save_connection_beside(integration, replaces, &[]).await
    }

    /// As [`Self::save_connection`], as long as the owner has none of these other providers connected: of two connections at once that
    /// together exceed a plan, one is made. [`Saved::Conflict`] if one of them is connected by now.
    ///
    /// # Errors
    /// As [`Self::save_connection`].
    pub async fn save_connection_beside(
        &self,
        integration: &Integration,
        replaces: Option<u64>,
        unconnected: &[ProviderId],
    ) -> Result<Saved, Error> {
        const WHAT: &str = "save a connection";
        let version = replaces.map_or(1, |read| read + 1);
        // What is replaced has a status that is counted, and that moves without a new version.
        let mut stored = match replaces {
            Some(_) => self.get_integration(&integration.owner, integration.provider).await?,
            None => None,
        };
        for tries in 0..TRIES {
            if !is_as_read(stored.as_ref(), integration, replaces) {
                return Ok(Saved::Conflict);
            }
            let from = stored.as_ref().map(|row| row.status);
            let mut writes =
                vec![self.connection_row(integration, replaces, version, from)?, self.account_row(integration)?];
            writes.extend(self.moved(integration.provider, from, Some(integration.status))?);
            for provider in unconnected {
                writes.push(self.not_connected(&integration.owner, *provider)?);
            }
            if self.transact(WHAT, writes).await? {
                return Ok(Saved::Yes);
            }
            let rows = self.integrations_of(&integration.owner).await?;
            let is_beside =
                |row: &Integration| unconnected.contains(&row.provider) && row.status != Status::Disconnected;
            let is_crowded = rows.iter().any(is_beside);
            stored = rows.into_iter().find(|row| row.provider == integration.provider);
            if stored.as_ref().is_some_and(|row| row.version == version && is_ours(row, integration)) {
                return Ok(Saved::Yes);
            }
            if is_crowded {
                return Ok(Saved::Conflict);
            }
            back_off(tries).await;
        }
        Err(Error::contended(WHAT))
    }

    /// The condition that an owner has not connected a provider.
    fn not_connected(&self, owner: &Owner, provider: ProviderId) -> Result<TransactWriteItem, Error> {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(owner, provider).attributes())
            .condition_expression("attribute_not_exists(#pk) OR #status = :disconnected")
            .set_expression_attribute_names(names(&["pk", "status"]))
            .expression_attribute_values(":disconnected", encode(Status::Disconnected)?)
            .build()
            .map_err(|e| Error::malformed("build a condition", e))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// The write of the integration's row.
    fn connection_row(
        &self,
        integration: &Integration,
        replaces: Option<u64>,
        version: u64,
        from: Option<Status>,
    ) -> Result<TransactWriteItem, Error> {
        let put = Put::builder()
            .table_name(&self.tables.integrations)
            .set_item(Some(encode_item(IntegrationItem::connected(integration, version)?)?));
        let Some(replaces) = replaces else {
            let put = put.condition_expression("attribute_not_exists(#pk)");
            return built(put.set_expression_attribute_names(names(&["pk"])));
        };
        let mut put = put
            .set_expression_attribute_names(names(&["version", "status", "runs", "active_job_id", "again"]))
            .expression_attribute_values(":version", n(replaces))
            .expression_attribute_values(":from", encode(from)?)
            .expression_attribute_values(":runs", n(integration.runs));
        let active = match integration.active {
            Some(run) => {
                put = put.expression_attribute_values(":active_job_id", s(run.job_id.to_string()));
                "#active_job_id = :active_job_id"
            }
            None => "attribute_not_exists(#active_job_id)",
        };
        let again = match integration.again {
            Some(mode) => {
                put = put.expression_attribute_values(":again", encode(mode)?);
                "#again = :again"
            }
            None => "attribute_not_exists(#again)",
        };
        built(put.condition_expression(format!(
            "#version = :version AND #status = :from AND #runs = :runs AND {active} AND {again}"
        )))
    }

    /// The write of the row that remembers the account.
    fn account_row(&self, integration: &Integration) -> Result<TransactWriteItem, Error> {
        let Key { pk, sk } = keys::account(&integration.owner, integration.provider, &integration.account_id);
        let item = Item::from([
            (keys::PK.to_owned(), s(pk)),
            (keys::SK.to_owned(), s(sk)),
            ("integration_id".to_owned(), s(integration.id.to_string())),
        ]);
        built(Put::builder().table_name(&self.tables.integrations).set_item(Some(item)))
    }

    /// Writes what a person sets, if the row is still of the version that was read. One request; two while a run is active.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written, or others keep changing the row.
    pub async fn save_settings(
        &self,
        r: &IntegrationRef,
        version: u64,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Saved, Error> {
        const WHAT: &str = "save an integration's settings";
        let mut running = false;
        for tries in 0..TRIES {
            let old = match self.write_settings(WHAT, r, version, settings, now, running).await? {
                Ended::Written(_) => return Ok(Saved::Yes),
                Ended::Failed(None) => return Ok(Saved::Conflict),
                Ended::Failed(Some(old)) => old,
            };
            let same = text(&old, "integration_id") == Some(r.integration_id.to_string().as_str());
            let stored: Option<u64> = number(&old, "version");
            if same && stored == Some(version + 1) && text(&old, "config") == Some(&config_text(&settings.config)?) {
                let stored = read(old)?;
                let ours = stored.updated_at.timestamp_millis() == now.timestamp_millis()
                    && stored.storage_strategy == settings.storage_strategy
                    && stored.sync_frequency == settings.sync_frequency;
                return Ok(if ours { Saved::Yes } else { Saved::Conflict });
            }
            if !same || stored != Some(version) {
                return Ok(Saved::Conflict);
            }
            running = old.contains_key("active_job_id");
            if tries > 1 {
                back_off(tries).await;
            }
        }
        Err(Error::contended(WHAT))
    }

    /// One try at writing settings: with the due time if no run is active, without it if one is.
    async fn write_settings(
        &self,
        what: &'static str,
        r: &IntegrationRef,
        version: u64,
        settings: &Settings,
        now: Timestamp,
        running: bool,
    ) -> Result<Ended, Error> {
        let mut call = self
            .client
            .update_item()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&r.owner, r.provider).attributes())
            .expression_attribute_values(":integration_id", s(r.integration_id.to_string()))
            .expression_attribute_values(":version", n(version))
            .expression_attribute_values(":next_version", n(version + 1))
            .expression_attribute_values(":config", s(config_text(&settings.config)?))
            .expression_attribute_values(":storage_strategy", encode(settings.storage_strategy)?)
            .expression_attribute_values(":sync_frequency", encode(settings.sync_frequency)?)
            .expression_attribute_values(":updated_at", ms(now));
        let mut attributes = vec![
            "integration_id",
            "version",
            "config",
            "storage_strategy",
            "sync_frequency",
            "updated_at",
            "active_job_id",
        ];
        let mut set =
            "SET #config = :config, #storage_strategy = :storage_strategy, #sync_frequency = :sync_frequency, \
                       #version = :next_version, #updated_at = :updated_at"
                .to_owned();
        if settings.full_next {
            // As a wish and not by dropping the change cursor: a run under way would bring that back at its end.
            set.push_str(", #again = :again");
            attributes.push("again");
            call = call.expression_attribute_values(":again", encode(SyncMode::Full)?);
        }
        let as_read = "#integration_id = :integration_id AND #version = :version";
        let call = if running {
            call.update_expression(set).condition_expression(format!("{as_read} AND attribute_exists(#active_job_id)"))
        } else {
            attributes.extend(["due_at", "due_shard"]);
            let call = call.condition_expression(format!("{as_read} AND attribute_not_exists(#active_job_id)"));
            match settings.due_at {
                Some(at) => call
                    .expression_attribute_values(":due_at", ms(at))
                    .expression_attribute_values(":due_shard", s(keys::due_shard(r.integration_id)))
                    .update_expression(format!("{set}, #due_at = :due_at, #due_shard = :due_shard")),
                None => call.update_expression(format!("{set} REMOVE #due_at, #due_shard")),
            }
        };
        update(what, call.set_expression_attribute_names(names(&attributes))).await
    }

    /// Disconnects: the tokens are destroyed, the slot is freed, nothing is due any more, what waited for a person is
    /// dropped. What was known of the content and the change cursor stays.
    ///
    /// Gives the row as it was, with the sealed tokens, so that they can be revoked; `None` if it was disconnected already,
    /// is another integration or is not there. Two requests; when it meets others, two more per try.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written, or others keep changing the row.
    pub async fn disconnect(&self, r: &IntegrationRef, now: Timestamp) -> Result<Option<Integration>, Error> {
        const WHAT: &str = "disconnect an integration";
        let mut tried: Option<Integration> = None;
        for tries in 0..TRIES {
            let stored = self.find_integration(r).await?;
            if let (Some(before), Some(stored)) = (&tried, &stored)
                && is_disconnected_by(stored, before, now)
            {
                return Ok(tried);
            }
            let Some(stored) = stored.filter(|row| row.status != Status::Disconnected) else { return Ok(None) };
            let mut writes = vec![self.disconnected(&stored, now)?];
            writes.extend(self.moved(r.provider, Some(stored.status), None)?);
            if self.transact(WHAT, writes).await? {
                return Ok(Some(stored));
            }
            tried = Some(stored);
            back_off(tries).await;
        }
        Err(Error::contended(WHAT))
    }

    /// The write that disconnects, if status, run and tokens still are as read.
    fn disconnected(&self, read: &Integration, now: Timestamp) -> Result<TransactWriteItem, Error> {
        let mut call = Update::builder()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&read.owner, read.provider).attributes())
            .update_expression(
                "SET #status = :disconnected, #updated_at = :now, #version = #version + :one, \
                 #deletes_confirmed = :no, #failures_in_a_row = :zero \
                 REMOVE #access_token, #refresh_token, #token_expires_at, #token_issued_at, #token_scope, \
                 #token_version, #lease_until, #lease_mark, #active_job_id, #active_run, #again, #due_at, #due_shard, \
                 #account_key, #pending_deletes, #blocked_until, #last_error",
            )
            .set_expression_attribute_names(names(&[
                "status",
                "updated_at",
                "version",
                "deletes_confirmed",
                "failures_in_a_row",
                "access_token",
                "refresh_token",
                "token_expires_at",
                "token_issued_at",
                "token_scope",
                "token_version",
                "lease_until",
                "lease_mark",
                "active_job_id",
                "active_run",
                "again",
                "due_at",
                "due_shard",
                "account_key",
                "pending_deletes",
                "blocked_until",
                "last_error",
                "integration_id",
            ]))
            .expression_attribute_values(":disconnected", encode(Status::Disconnected)?)
            .expression_attribute_values(":from", encode(read.status)?)
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":no", aws_sdk_dynamodb::types::AttributeValue::Bool(false))
            .expression_attribute_values(":integration_id", s(read.id.to_string()));
        let active = match read.active {
            Some(run) => {
                call = call.expression_attribute_values(":active_job_id", s(run.job_id.to_string()));
                "#active_job_id = :active_job_id"
            }
            None => "attribute_not_exists(#active_job_id)",
        };
        let tokens = match &read.tokens {
            Some(tokens) => {
                call = call.expression_attribute_values(":token_version", n(tokens.version));
                "#token_version = :token_version"
            }
            None => "attribute_not_exists(#token_version)",
        };
        super::built(call.condition_expression(format!(
            "#integration_id = :integration_id AND #status = :from AND {active} AND {tokens}"
        )))
    }
}

/// A put as part of a transaction.
fn built(put: aws_sdk_dynamodb::types::builders::PutBuilder) -> Result<TransactWriteItem, Error> {
    let put = put.build().map_err(|e| Error::malformed("build a put", e))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// Whether the stored row is the one that this call wrote before its answer was lost. Sealed tokens are never alike twice.
fn is_ours(stored: &Integration, wanted: &Integration) -> bool {
    let sealed = |integration: &Integration| integration.tokens.as_ref().map(|tokens| tokens.access.clone());
    stored.id == wanted.id
        && stored.status == wanted.status
        && stored.account_name == wanted.account_name
        && stored.updated_at.timestamp_millis() == wanted.updated_at.timestamp_millis()
        && sealed(stored) == sealed(wanted)
}

/// Whether the stored row is what disconnecting `before` at `now` made of it: the answer to that write was lost.
fn is_disconnected_by(stored: &Integration, before: &Integration, now: Timestamp) -> bool {
    stored.status == Status::Disconnected
        && stored.version == before.version + 1
        && stored.updated_at.timestamp_millis() == now.timestamp_millis()
}

/// Whether the write's conditions hold for the stored row, so that another try may succeed.
fn is_as_read(stored: Option<&Integration>, wanted: &Integration, replaces: Option<u64>) -> bool {
    match (stored, replaces) {
        (None, None) => true,
        (Some(stored), Some(version)) => {
            stored.version == version
                && stored.runs == wanted.runs
                && stored.active.map(|run| run.job_id) == wanted.active.map(|run| run.job_id)
                && stored.again == wanted.again
        }
        _ => false,
    }
}
