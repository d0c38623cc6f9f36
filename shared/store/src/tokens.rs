//! Sealed tokens: the refresh lease with its fencing number, and the pair it lets its holder save.
//!
//! Taking the lease writes the journal of the refresh in the same request: that the provider is about to be asked, with which
//! version of the tokens, by which fence and when. Saving the pair closes it, and so does an answer that refuses. What stands
//! open when the next one takes the lease is a request whose end nobody knows: it may have been carried out.
//!
//! Each taken lease has a higher number than any before, reconnections included. A holder that slept past its lease finds
//! the number moved on and its write refused, so an old pair never replaces a newer one.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, TransactWriteItem, Update};
use domain::integration::SealedTokens;
use domain::message::IntegrationRef;
use domain::{Status, Timestamp};

use crate::Store;
use crate::call::{Ended, Item, encode, moment, ms, n, names, new_mark, number, or_null, s, text, update, values};
use crate::error::Error;
use crate::integrations::built;
use crate::items::integration::WHAT;
use crate::keys;
use crate::retry::{TRIES, back_off};

/// The answer to a request for the refresh lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// The caller's: refresh, and save under this number.
    Taken {
        /// The fencing number.
        fence: u64,
        /// Since when a request with these tokens stands open of which nobody has told the end; `None` if there is none.
        unanswered_since: Option<Timestamp>,
    },
    /// Another's: wait for a newer version of the tokens, and ask again when the lease has ended.
    Held {
        /// When the lease ends, should its holder die.
        until: Timestamp,
    },
    /// Nobody's, and not to be had yet: the token endpoint asked to wait, or has just failed.
    Resting {
        /// Until when.
        until: Timestamp,
    },
    /// The stored tokens are not those that were read: read them again.
    Newer,
    /// There are no tokens: the integration is disconnected or another one.
    Gone,
}

/// How a lease is given back without new tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenBack {
    /// Until when nobody should ask the provider again; `None`: the next one may at once.
    pub rest_until: Option<Timestamp>,
    /// Whether the journal stays open, because the end of a request is not known.
    pub unanswered: bool,
}

/// The attributes of the journal.
const JOURNAL: [&str; 5] = ["asked_version", "asked_fence", "asked_at", "unanswered", "unanswered_since"];

impl Store {
    /// Asks for the lease to refresh the tokens of `version`, until `until`, and opens the journal. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn take_refresh_lease(
        &self,
        r: &IntegrationRef,
        version: u64,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, Error> {
        let mark = new_mark();
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&r.owner, r.provider).attributes())
            .update_expression(
                "SET #lease_fence = #lease_fence + :one, #lease_until = :until, #lease_mark = :mark, \
                 #asked_version = :version, #asked_fence = #lease_fence + :one, #asked_at = :now, \
                 #unanswered = if_not_exists(#unanswered, :zero) + :one, \
                 #unanswered_since = if_not_exists(#unanswered_since, :now)",
            )
            .condition_expression(
                "#integration_id = :integration_id AND #token_version = :version AND attribute_exists(#access_token) \
                 AND (attribute_not_exists(#lease_until) OR #lease_until <= :now)",
            )
            .set_expression_attribute_names(names(&[
                "lease_fence",
                "lease_until",
                "lease_mark",
                "integration_id",
                "token_version",
                "access_token",
                "asked_version",
                "asked_fence",
                "asked_at",
                "unanswered",
                "unanswered_since",
            ]))
            .set_expression_attribute_values(values([
                ("one", n(1)),
                ("zero", n(0)),
                ("until", ms(until)),
                ("mark", s(&mark)),
                ("integration_id", s(r.integration_id.to_string())),
                ("version", n(version)),
                ("now", ms(now)),
            ]))
            .return_values(ReturnValue::UpdatedNew);
        let old = match update("take a refresh lease", call).await? {
            Ended::Written(new) => return taken(&new),
            Ended::Failed(None) => return Ok(Lease::Gone),
            Ended::Failed(Some(old)) => old,
        };
        if !is_of(&old, r) || !old.contains_key("access_token") {
            return Ok(Lease::Gone);
        }
        if text(&old, "lease_mark") == Some(mark.as_str()) {
            return taken(&old);
        }
        if number(&old, "token_version") != Some(version) {
            return Ok(Lease::Newer);
        }
        let until = moment(&old, "lease_until").ok_or(Error::Corrupt { what: WHAT })?;
        Ok(if old.contains_key("lease_mark") { Lease::Held { until } } else { Lease::Resting { until } })
    }

    /// Saves refreshed tokens, ends the lease and closes the journal. A refresh token of `None` leaves the stored one. `false`: the lease is no
    /// longer the caller's, and nothing was written. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn save_refreshed(&self, r: &IntegrationRef, fence: u64, tokens: &SealedTokens) -> Result<bool, Error> {
        let access = AttributeValue::B(tokens.access.as_bytes().into());
        let mut attributes = vec![
            "integration_id",
            "lease_fence",
            "lease_until",
            "access_token",
            "token_expires_at",
            "token_issued_at",
            "token_scope",
            "token_version",
        ];
        let mut set = "SET #access_token = :access_token, #token_expires_at = :expires_at, \
                       #token_issued_at = :issued_at, #token_scope = :scope, #token_version = :version"
            .to_owned();
        let mut call = self
            .client
            .update_item()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&r.owner, r.provider).attributes())
            .condition_expression(
                "#integration_id = :integration_id AND #lease_fence = :fence AND #token_version < :version \
                 AND attribute_exists(#access_token)",
            )
            .set_expression_attribute_values(values([
                ("integration_id", s(r.integration_id.to_string())),
                ("fence", n(fence)),
                ("access_token", access.clone()),
                ("expires_at", or_null(tokens.expires_at.map(ms))),
                ("issued_at", ms(tokens.issued_at)),
                ("scope", or_null(tokens.scope.clone().map(AttributeValue::S))),
                ("version", n(tokens.version)),
            ]));
        if let Some(refresh) = &tokens.refresh {
            attributes.push("refresh_token");
            set.push_str(", #refresh_token = :refresh_token");
            call = call.expression_attribute_values(":refresh_token", AttributeValue::B(refresh.as_bytes().into()));
        }
        let call = call.update_expression(format!("{set} REMOVE #lease_until, #lease_mark, {}", removed(&JOURNAL)));
        attributes.push("lease_mark");
        attributes.extend(JOURNAL);
        let call = call.set_expression_attribute_names(names(&attributes));
        Ok(match update("save refreshed tokens", call).await? {
            Ended::Written(_) => true,
            // A repeat of a write whose answer was lost finds its own sealed token, which is like no other.
            Ended::Failed(old) => old.is_some_and(|row| is_of(&row, r) && row.get("access_token") == Some(&access)),
        })
    }

    /// Gives the lease back without new tokens, so that the next one need not wait for its end. Does nothing if it is no
    /// longer the caller's. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn release_refresh_lease(&self, r: &IntegrationRef, fence: u64, back: GivenBack) -> Result<(), Error> {
        let mut attributes = vec!["integration_id", "lease_fence", "lease_until", "lease_mark"];
        let mut gone = vec!["lease_mark"];
        if !back.unanswered {
            attributes.extend(JOURNAL);
            gone.extend(JOURNAL);
        }
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&r.owner, r.provider).attributes())
            .condition_expression("#integration_id = :integration_id AND #lease_fence = :fence")
            .set_expression_attribute_values(values([
                ("integration_id", s(r.integration_id.to_string())),
                ("fence", n(fence)),
            ]));
        let call = match back.rest_until {
            Some(until) => call
                .update_expression(format!("SET #lease_until = :until REMOVE {}", removed(&gone)))
                .expression_attribute_values(":until", ms(until)),
            None => call.update_expression(format!("REMOVE #lease_until, {}", removed(&gone))),
        };
        let call = call.set_expression_attribute_names(names(&attributes));
        update("release a refresh lease", call).await.map(|_| ())
    }

    /// Records that the provider refused the refresh token for good: TOKEN_EXPIRED, no longer due, lease ended. A paused
    /// integration stays paused and only keeps the reason. `false`: the lease is no longer the caller's, or the
    /// integration is disconnected. Two requests; when it meets others, two more per try.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written, or others keep changing the row.
    pub async fn refuse_tokens(
        &self,
        r: &IntegrationRef,
        fence: u64,
        last_error: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        const WHAT: &str = "record refused tokens";
        for tries in 0..TRIES {
            let row = self.get(WHAT, &self.tables.integrations, keys::integration(&r.owner, r.provider)).await?;
            let Some(row) = row.filter(|row| is_of(row, r) && number(row, "lease_fence") == Some(fence)) else {
                return Ok(false);
            };
            let from = crate::integrations::read(row)?.status;
            if from == Status::Disconnected {
                return Ok(false);
            }
            let to = if from == Status::Paused { Status::Paused } else { Status::TokenExpired };
            let mut writes = vec![self.tokens_refused(r, fence, from, to, last_error, now)?];
            writes.extend(self.moved(r.provider, Some(from), Some(to))?);
            if self.transact(WHAT, writes).await? {
                return Ok(true);
            }
            back_off(tries).await;
        }
        Err(Error::contended(WHAT))
    }

    fn tokens_refused(
        &self,
        r: &IntegrationRef,
        fence: u64,
        from: Status,
        to: Status,
        last_error: &str,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        let mut attributes =
            vec!["last_error", "updated_at", "lease_until", "lease_mark", "integration_id", "lease_fence", "status"];
        attributes.extend(JOURNAL);
        let mut set = "SET #last_error = :last_error, #updated_at = :now".to_owned();
        let mut remove = format!(" REMOVE #lease_until, #lease_mark, {}", removed(&JOURNAL));
        let mut call = Update::builder()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&r.owner, r.provider).attributes())
            .condition_expression("#integration_id = :integration_id AND #lease_fence = :fence AND #status = :from")
            .expression_attribute_values(":integration_id", s(r.integration_id.to_string()))
            .expression_attribute_values(":fence", n(fence))
            .expression_attribute_values(":from", encode(from)?)
            .expression_attribute_values(":last_error", s(last_error))
            .expression_attribute_values(":now", ms(now));
        if to == Status::TokenExpired {
            set.push_str(", #status = :to");
            remove.push_str(", #due_at, #due_shard, #blocked_until");
            attributes.extend(["due_at", "due_shard", "blocked_until"]);
            call = call.expression_attribute_values(":to", encode(to)?);
        }
        built(call.update_expression(set + &remove).set_expression_attribute_names(names(&attributes)))
    }
}

/// The lease that a row shows as just taken. The journal counts this request too.
fn taken(row: &Item) -> Result<Lease, Error> {
    let corrupt = || Error::Corrupt { what: WHAT };
    let fence = number(row, "lease_fence").ok_or_else(corrupt)?;
    let earlier = number::<u32>(row, "unanswered").ok_or_else(corrupt)? > 1;
    let since = moment(row, "unanswered_since").ok_or_else(corrupt)?;
    Ok(Lease::Taken { fence, unanswered_since: earlier.then_some(since) })
}

/// Names for a REMOVE.
fn removed(attributes: &[&str]) -> String {
    attributes.iter().map(|name| format!("#{name}")).collect::<Vec<_>>().join(", ")
}

/// Whether the row is this integration's.
fn is_of(row: &Item, r: &IntegrationRef) -> bool {
    text(row, "integration_id") == Some(r.integration_id.to_string().as_str())
}
