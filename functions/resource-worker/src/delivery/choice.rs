//! Which sink a stage has: chosen by its parameters, read from the environment at start.

use std::sync::Arc;
use std::time::Duration;

use connections::{OperatorSecret, SecretsClient};
use domain::clock::SharedClock;
use lambda::env::{self, Error};
use sink::{CogniaSink, EventsClient, HttpSink, S3Client, S3Sink, Secret, Sink, SinkUrl};
use store::Store;

use super::guard::Guarded;
use super::ledger::StoredLedger;

/// How long one call of a sink may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where content goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkChoice {
    /// Objects in S3 and events on EventBridge.
    S3 {
        /// `CONTENT_BUCKET`.
        bucket: String,
        /// `EVENT_BUS`.
        bus: String,
    },
    /// Signed requests to an address.
    Http {
        /// `SINK_URL`: the address.
        url: SinkUrl,
        /// `SINK_SECRET`: the secret that signs, by its name or ARN.
        secret: String,
        /// `SINK_EMBEDS`, default false: it reads texts once of which only references are to be stored.
        embeds: bool,
        /// `SINK_PATIENCE_SECONDS`, default 15: how long one call may take.
        patience: Duration,
    },
    /// Cognia's content API.
    Cognia {
        /// `SINK_URL`: Cognia's address.
        url: SinkUrl,
        /// `SINK_SECRET`: the secret that signs persons' tokens, by its name or ARN.
        secret: String,
        /// `SINK_PATIENCE_SECONDS`, default 15: how long one call may take.
        patience: Duration,
        /// `SINK_SLICE_SECONDS`, default 10: how long one delivery of a long text goes on before it comes back to go on.
        slice: Duration,
    },
}

impl SinkChoice {
    /// Reads and checks it: `SINK` is `s3` (default), `http` or `cognia`.
    ///
    /// # Errors
    /// [`Error`], which names the variable that is missing or malformed.
    pub fn from_env() -> Result<Self, Error> {
        let url =
            || env::parsed("SINK_URL", "the sink's address: http or https, without user name, query and fragment");
        let seconds = |name, default| env::parsed_or(name, "a number of seconds", default).map(Duration::from_secs);
        let patience = || seconds("SINK_PATIENCE_SECONDS", PATIENCE.as_secs());
        match env::optional("SINK").as_deref() {
            None | Some("s3") => {
                Ok(Self::S3 { bucket: env::required("CONTENT_BUCKET")?, bus: env::required("EVENT_BUS")? })
            }
            Some("http") => Ok(Self::Http {
                url: url()?,
                secret: env::required("SINK_SECRET")?,
                embeds: env::parsed_or("SINK_EMBEDS", "true or false", false)?,
                patience: patience()?,
            }),
            Some("cognia") => Ok(Self::Cognia {
                url: url()?,
                secret: env::required("SINK_SECRET")?,
                patience: patience()?,
                slice: seconds("SINK_SLICE_SECONDS", 10)?,
            }),
            Some(_) => Err(Error::Malformed { name: "SINK", wanted: "s3, http or cognia" }),
        }
    }
}

/// The chosen sink. Makes no call.
pub(crate) fn open(
    choice: &SinkChoice,
    aws: &lambda::AwsConfig,
    store: &Store,
    settings_ttl: Duration,
    clock: &SharedClock,
) -> Arc<dyn Sink> {
    let secret =
        |name: &String| secret(OperatorSecret::new(SecretsClient::new(aws), name.clone(), settings_ttl, clock.clone()));
    let client = |patience: &Duration| sink::Client::new(clock.clone(), *patience);
    let sink: Arc<dyn Sink> = match choice {
        // A bucket and a bus are AWS's to keep well.
        SinkChoice::S3 { bucket, bus } => {
            return Arc::new(S3Sink::new(S3Client::new(aws), EventsClient::new(aws), bucket.clone(), bus.clone()));
        }
        SinkChoice::Http { url, secret: name, embeds, patience } => {
            Arc::new(HttpSink::new(client(patience), url.clone(), secret(name), *embeds))
        }
        SinkChoice::Cognia { url, secret: name, patience, slice } => {
            let ledger = Arc::new(StoredLedger { store: store.clone(), clock: clock.clone() });
            Arc::new(CogniaSink::new(client(patience), url.clone(), secret(name), ledger, *slice))
        }
    };
    Arc::new(Guarded::new(sink, store.clone(), clock.clone()))
}

fn secret(secret: OperatorSecret) -> Secret {
    Arc::new(move || {
        let secret = secret.clone();
        Box::pin(async move { Ok(secret.text().await?) })
    })
}
