//! The circuit breakers: one row for each provider beside the integrations, so that one read brings both, and one for the sink.

use aws_sdk_dynamodb::types::KeysAndAttributes;
use domain::circuit::{Circuit, Gate, OPENS_AFTER};
use domain::message::IntegrationRef;
use domain::{Integration, ProviderId, Timestamp};

use crate::Store;
use crate::call::{Ended, Item, moment, ms, n, names, new_mark, number, text, update};
use crate::error::Error;
use crate::integrations::read;
use crate::keys;
use crate::retry::{TRIES, back_off};

/// How long a row is kept after the last outage.
const KEPT_DAYS: i64 = 7;

/// What a row says; the default where there is none.
pub(crate) fn circuit(row: &Item) -> Circuit {
    Circuit {
        failures: number::<u32>(row, "failures").unwrap_or_default().min(OPENS_AFTER),
        opened: number(row, "opened").unwrap_or_default(),
        open_until: moment(row, "open_until"),
        probe_until: moment(row, "probe_until"),
    }
}

impl Store {
    /// The integration that a message names, and its provider's circuit; `None` if the row by now is another integration's. One
    /// consistent read of both rows.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or the integration's row makes no sense.
    pub async fn find_with_circuit(&self, r: &IntegrationRef) -> Result<Option<(Integration, Circuit)>, Error> {
        const WHAT: &str = "read an integration and its provider's circuit";
        let table = &self.tables.integrations;
        let (own, shared) = (keys::integration(&r.owner, r.provider), keys::circuit(r.provider));
        let mut wanted: Vec<_> = [own, shared.clone()].into_iter().filter_map(keys::Key::attributes).collect();
        let mut rows: Vec<Item> = Vec::new();
        for tries in 0..TRIES {
            if tries > 0 {
                back_off(tries).await;
            }
            let request = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
            let call =
                self.client.batch_get_item().request_items(table, request.map_err(|e| Error::malformed(WHAT, e))?);
            let answer = call.send().await.map_err(|e| Error::dynamo(WHAT, e))?;
            rows.extend(answer.responses.unwrap_or_default().into_values().flatten());
            let left = answer.unprocessed_keys.unwrap_or_default().remove(table);
            wanted = left.map(|left| left.keys).unwrap_or_default();
            if wanted.is_empty() {
                let (circuits, integrations): (Vec<_>, Vec<_>) =
                    rows.into_iter().partition(|row| text(row, keys::PK) == Some(shared.pk.as_str()));
                let found = integrations.into_iter().next().map(read).transpose()?;
                let circuit = circuits.first().map(circuit).unwrap_or_default();
                return Ok(found.filter(|found| found.id == r.integration_id).map(|found| (found, circuit)));
            }
        }
        Err(Error::unprocessed(WHAT))
    }

    /// Counts an outage of a provider at `now`; the circuit as it is then. One request; two where the circuit opens. Should a write's
    /// answer be lost, the outage may count twice.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn circuit_failed(&self, provider: ProviderId, now: Timestamp) -> Result<Circuit, Error> {
        self.failed(&Subject::of(provider), now).await
    }

    /// As [`Self::circuit_failed`], for the sink.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn sink_failed(&self, now: Timestamp) -> Result<Circuit, Error> {
        self.failed(&Subject::sink(), now).await
    }

    async fn failed(&self, subject: &Subject, now: Timestamp) -> Result<Circuit, Error> {
        let call = self
            .circuit_row(subject)
            .update_expression("SET #expires_at = :expires_at ADD #failures :one")
            .condition_expression("attribute_not_exists(#open_until)")
            .set_expression_attribute_names(names(&["expires_at", "failures", "open_until"]))
            .expression_attribute_values(":expires_at", n(now.timestamp() + KEPT_DAYS * 86_400))
            .expression_attribute_values(":one", n(1))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew);
        match update("count an outage", call).await? {
            Ended::Written(row) if circuit(&row).failures < OPENS_AFTER => Ok(circuit(&row)),
            Ended::Written(_) => {
                // As it was before this outage, which is counted in the row already.
                let before = Circuit { failures: OPENS_AFTER - 1, ..Circuit::default() };
                self.open_circuit(subject, before, now).await
            }
            Ended::Failed(row) => {
                let open = row.as_ref().map(circuit).unwrap_or_default();
                if open.failed(now) == open { Ok(open) } else { self.open_circuit(subject, open, now).await }
            }
        }
    }

    /// Opens a circuit that is as `from`; of many that do so at once one does.
    async fn open_circuit(&self, subject: &Subject, from: Circuit, now: Timestamp) -> Result<Circuit, Error> {
        let opened = from.failed(now);
        let call = self
            .circuit_row(subject)
            .update_expression(
                "SET #failures = :failures, #opened = :opened, #open_until = :open_until, #expires_at = :expires_at \
                 REMOVE #probe_until",
            )
            .set_expression_attribute_names(names(&["failures", "opened", "open_until", "expires_at", "probe_until"]))
            .expression_attribute_values(":failures", n(opened.failures))
            .expression_attribute_values(":opened", n(opened.opened))
            .expression_attribute_values(":open_until", ms(opened.open_until.unwrap_or(now)))
            .expression_attribute_values(":expires_at", n(now.timestamp() + KEPT_DAYS * 86_400));
        let call = match from.open_until {
            Some(until) => {
                call.condition_expression("#open_until = :was").expression_attribute_values(":was", ms(until))
            }
            None => call.condition_expression("attribute_not_exists(#open_until) AND attribute_exists(#failures)"),
        };
        Ok(match update("open a circuit", call).await? {
            Ended::Written(_) => {
                tracing::warn!(subject = subject.name, opened = opened.opened, open_until = ?opened.open_until, "it is down: calls to it wait");
                opened
            }
            // Another opened it, or a success closed it.
            Ended::Failed(row) => row.as_ref().map(circuit).unwrap_or_default(),
        })
    }

    /// Closes a provider's circuit after a success. Worth a call only where the circuit that was read is not
    /// [healthy](Circuit::is_healthy). One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn circuit_succeeded(&self, provider: ProviderId) -> Result<(), Error> {
        self.succeeded(&Subject::of(provider)).await
    }

    /// As [`Self::circuit_succeeded`], for the sink.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn sink_succeeded(&self) -> Result<(), Error> {
        self.succeeded(&Subject::sink()).await
    }

    async fn succeeded(&self, subject: &Subject) -> Result<(), Error> {
        let call = self
            .circuit_row(subject)
            .update_expression("REMOVE #failures, #opened, #open_until, #probe_until, #probe_mark")
            .condition_expression("attribute_exists(#failures)")
            .set_expression_attribute_names(names(&["failures", "opened", "open_until", "probe_until", "probe_mark"]));
        update("close a circuit", call).await.map(|_| ())
    }

    /// Claims the probe at [`Gate::Probe`]: of any number of callers one gets [`Gate::Probe`] and may call; the others are told when to
    /// look again, or [`Gate::Go`] if the circuit was closed meanwhile. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn claim_probe(&self, provider: ProviderId, now: Timestamp) -> Result<Gate, Error> {
        self.probe(&Subject::of(provider), now).await
    }

    /// As [`Self::claim_probe`], for the sink.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn claim_sink_probe(&self, now: Timestamp) -> Result<Gate, Error> {
        self.probe(&Subject::sink(), now).await
    }

    async fn probe(&self, subject: &Subject, now: Timestamp) -> Result<Gate, Error> {
        let mark = new_mark();
        let probe_until = Circuit::default().probing(now).probe_until.unwrap_or(now);
        let call = self
            .circuit_row(subject)
            .update_expression("SET #probe_until = :until, #probe_mark = :mark")
            .condition_expression(
                "#open_until <= :now AND (attribute_not_exists(#probe_until) OR #probe_until <= :now)",
            )
            .set_expression_attribute_names(names(&["probe_until", "probe_mark", "open_until"]))
            .expression_attribute_values(":until", ms(probe_until))
            .expression_attribute_values(":mark", crate::call::s(&mark))
            .expression_attribute_values(":now", ms(now));
        Ok(match update("claim a probe", call).await? {
            Ended::Written(_) => Gate::Probe,
            Ended::Failed(row) if row.as_ref().and_then(|row| text(row, "probe_mark")) == Some(mark.as_str()) => {
                Gate::Probe
            }
            Ended::Failed(row) => match row.as_ref().map(circuit).unwrap_or_default() {
                lost if lost.gate(now) == Gate::Probe => lost.probing(now).gate(now),
                circuit => circuit.gate(now),
            },
        })
    }

    /// How the sink is: its circuit, and until when it has asked everybody to wait. One consistent read.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read.
    pub async fn sink_health(&self) -> Result<SinkHealth, Error> {
        let row = self.get("read how the sink is", &self.tables.integrations, keys::sink_circuit()).await?;
        let row = row.unwrap_or_default();
        Ok(SinkHealth { circuit: circuit(&row), blocked_until: moment(&row, "blocked_until") })
    }

    /// Notes that the sink asks everybody to wait. A longer wait that is noted already stays. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn sink_blocked(&self, until: Timestamp, now: Timestamp) -> Result<(), Error> {
        let call = self
            .circuit_row(&Subject::sink())
            .update_expression("SET #blocked_until = :until, #expires_at = :expires_at")
            .condition_expression("attribute_not_exists(#blocked_until) OR #blocked_until < :until")
            .set_expression_attribute_names(names(&["blocked_until", "expires_at"]))
            .expression_attribute_values(":until", ms(until))
            .expression_attribute_values(":expires_at", n(now.timestamp() + KEPT_DAYS * 86_400));
        update("note that the sink asks to wait", call).await.map(|_| ())
    }

    fn circuit_row(
        &self,
        subject: &Subject,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        let key = subject.key.clone().attributes();
        self.client.update_item().table_name(&self.tables.integrations).set_key(key)
    }
}

/// How the sink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SinkHealth {
    /// Whether it answers.
    pub circuit: Circuit,
    /// Until when it has asked everybody to wait.
    pub blocked_until: Option<Timestamp>,
}

/// Whose circuit it is.
struct Subject {
    key: keys::Key,
    name: &'static str,
}

impl Subject {
    fn of(provider: ProviderId) -> Self {
        Self { key: keys::circuit(provider), name: provider.as_str() }
    }

    fn sink() -> Self {
        Self { key: keys::sink_circuit(), name: "sink" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_as_its_circuit_and_none_as_a_closed_one() {
        assert_eq!(circuit(&Item::new()), Circuit::default());
        let at = |ms| Timestamp::from_timestamp_millis(ms).unwrap();
        let row = [("failures", n(9)), ("opened", n(2)), ("open_until", ms(at(1500)))];
        let row = row.map(|(name, value)| (name.to_owned(), value)).into();
        let expected = Circuit { failures: OPENS_AFTER, opened: 2, open_until: Some(at(1500)), probe_until: None };
        assert_eq!(circuit(&row), expected);
    }
}
