//! A running stack, as `make up` describes it, and direct access to what it stores.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use aws_sdk_s3::operation::get_object::GetObjectError;
use domain::message::IntegrationRef;
use serde::Deserialize;
use serde_json::Value;

/// The stack's description (`stack.json`). The file's path comes from `COGNIA_STACK_JSON`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// The stack's name.
    pub stack_name: String,
    /// The API's address, without a trailing slash.
    pub api_url: String,
    /// The emulated providers' address.
    pub sandbox_url: Option<String>,
    /// Names of the tables by purpose.
    pub tables: BTreeMap<String, String>,
    /// URLs of the queues by purpose.
    pub queues: BTreeMap<String, String>,
    /// URLs of the dead-letter queues by purpose.
    pub dead_letter_queues: BTreeMap<String, String>,
    /// The content bucket's name.
    pub content_bucket: String,
    /// The secret with the key that signs people's tokens.
    pub jwt_secret: Option<String>,
}

impl Stack {
    /// Reads the description.
    ///
    /// # Errors
    /// Without a running stack, in words that say what to do.
    #[expect(clippy::disallowed_methods, reason = "a test is told by its caller which stack to use")]
    pub fn load() -> anyhow::Result<Self> {
        let path = std::env::var("COGNIA_STACK_JSON").map_or_else(
            |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.local/stack.json")),
            PathBuf::from,
        );
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("no stack is described at {}: run `make up`, or `make test`, which brings its own", path.display())
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is no description of a stack", path.display()))
    }

    /// The store over this stack's tables.
    ///
    /// # Errors
    /// If the description lacks a table.
    pub async fn store(&self) -> anyhow::Result<store::Store> {
        let table =
            |name: &str| self.tables.get(name).cloned().with_context(|| format!("stack.json lacks table {name}"));
        let tables = store::Tables {
            integrations: table("integrations")?,
            jobs: table("jobs")?,
            records: table("records")?,
            directory: table("directory")?,
            limits: table("limits")?,
        };
        Ok(store::Store::new(aws_sdk_dynamodb::Client::new(&lambda::aws_config().await), tables))
    }

    /// All content objects of an integration, by external id.
    ///
    /// # Errors
    /// If the bucket cannot be read or an object is no JSON.
    pub async fn documents(&self, integration: &IntegrationRef) -> anyhow::Result<BTreeMap<String, Value>> {
        let client = path_style(&lambda::aws_config().await);
        let prefix = format!("{}/{}/", integration.owner, integration.integration_id);
        let mut documents = BTreeMap::new();
        let mut pages = client.list_objects_v2().bucket(&self.content_bucket).prefix(&prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page?.contents() {
                let key = object.key().context("an object without a key")?;
                let got = client.get_object().bucket(&self.content_bucket).key(key).send().await;
                let body = match got {
                    Ok(object) => object.body.collect().await?,
                    // It was deleted after it was listed.
                    Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => continue,
                    Err(error) => return Err(error.into()),
                };
                let document: Value = serde_json::from_slice(&body.into_bytes())?;
                let id = document.get("externalId").and_then(Value::as_str).context("a document without externalId")?;
                documents.insert(id.to_owned(), document);
            }
        }
        Ok(documents)
    }

    /// Messages waiting and in flight on a queue.
    ///
    /// # Errors
    /// If the queue cannot be asked.
    pub async fn queue_depth(&self, url: &str) -> anyhow::Result<i64> {
        use aws_sdk_sqs::types::QueueAttributeName::{
            ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed, ApproximateNumberOfMessagesNotVisible,
        };
        let client = aws_sdk_sqs::Client::new(&lambda::aws_config().await);
        let asked = client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(ApproximateNumberOfMessages)
            .attribute_names(ApproximateNumberOfMessagesDelayed)
            .attribute_names(ApproximateNumberOfMessagesNotVisible)
            .send()
            .await?;
        let mut depth = 0;
        for number in asked.attributes().into_iter().flat_map(std::collections::HashMap::values) {
            depth += number.parse::<i64>()?;
        }
        Ok(depth)
    }

    /// Puts a message on a queue as a worker would.
    ///
    /// # Errors
    /// If the queue does not take it.
    pub async fn send(&self, url: &str, body: &Value) -> anyhow::Result<()> {
        let client = aws_sdk_sqs::Client::new(&lambda::aws_config().await);
        client.send_message().queue_url(url).message_group_id("test").message_body(body.to_string()).send().await?;
        Ok(())
    }
}

/// An S3 client that puts the bucket's name into the path: the emulator has no names for buckets.
fn path_style(config: &aws_config::SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(true).build())
}
