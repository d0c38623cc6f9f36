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
    /// The embedded AWS's address.
    #[serde(default)]
    pub endpoint_url: Option<String>,
    /// The emulated providers' address.
    pub sandbox_url: Option<String>,
    /// The fault proxy's address, if one stands between the functions and the world.
    #[serde(default)]
    pub proxy_url: Option<String>,
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

    /// Rows of a table, as JSON, in which one of these texts stands. It reads the whole table: for the small ones of tests.
    ///
    /// # Errors
    /// If the table is not described or cannot be read.
    pub async fn rows_with(&self, table: &str, texts: &[&str]) -> anyhow::Result<Vec<Value>> {
        let name = self.tables.get(table).with_context(|| format!("stack.json lacks table {table}"))?;
        let client = aws_sdk_dynamodb::Client::new(&lambda::aws_config().await);
        let mut items = client.scan().table_name(name).consistent_read(true).into_paginator().items().send();
        let mut rows = Vec::new();
        while let Some(item) = items.next().await {
            let row =
                Value::Object(item?.iter().map(|(name, value)| (name.clone(), crate::rows::plain(value))).collect());
            let text = row.to_string();
            if texts.iter().any(|wanted| text.contains(wanted)) {
                rows.push(row);
            }
        }
        rows.sort_by_key(Value::to_string);
        Ok(rows)
    }

    /// Messages of all queues, those in flight and delayed included, in which this text stands; and such dead letters. Only the
    /// embedded AWS shows that.
    ///
    /// # Errors
    /// If it does not.
    pub async fn messages_with(&self, text: &str) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let endpoint = self.endpoint_url.as_deref().context("only the embedded AWS shows what is on queues")?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let answer = http.get(format!("{endpoint}/_ministack/sqs/messages")).send().await?.error_for_status()?;
        let shown: Value = answer.json().await?;
        let accounts = shown.get("messages").and_then(Value::as_object).into_iter().flatten();
        let regions = accounts.flat_map(|(_, regions)| regions.as_object().into_iter().flatten());
        let (mut queued, mut dead) = (Vec::new(), Vec::new());
        for (url, messages) in regions.flat_map(|(_, queues)| queues.as_object().into_iter().flatten()) {
            let bodies = messages.as_array().into_iter().flatten().filter_map(|message| message.get("Body")?.as_str());
            let ours = bodies.filter(|body| body.contains(text)).map(str::to_owned);
            if self.queues.values().any(|queue| queue == url) {
                queued.extend(ours);
            } else if self.dead_letter_queues.values().any(|queue| queue == url) {
                dead.extend(ours);
            }
        }
        Ok((queued, dead))
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
        self.send_text(url, &body.to_string(), &Value::Null).await
    }

    /// Puts a text on a queue, with attributes as they stand in a request to SQS (`{"name": {"DataType", "StringValue"}}`).
    ///
    /// # Errors
    /// If the queue does not take it.
    pub async fn send_text(&self, url: &str, body: &str, attributes: &Value) -> anyhow::Result<()> {
        let client = aws_sdk_sqs::Client::new(&lambda::aws_config().await);
        let mut call = client.send_message().queue_url(url).message_group_id("test").message_body(body);
        for (name, given) in attributes.as_object().into_iter().flatten() {
            let text = |field: &str| given.get(field).and_then(Value::as_str).map(str::to_owned);
            let attribute = aws_sdk_sqs::types::MessageAttributeValue::builder()
                .set_data_type(text("DataType"))
                .set_string_value(text("StringValue"))
                .build()?;
            call = call.message_attributes(name, attribute);
        }
        call.send().await?;
        Ok(())
    }

    /// The id of the message with this body, if it is on a queue and nobody has it in hand. Whatever is looked at is hidden from
    /// others for two seconds.
    ///
    /// # Errors
    /// If the queue cannot be asked.
    pub async fn message_id(&self, url: &str, body: &str) -> anyhow::Result<Option<String>> {
        Ok(self.find(url, body).await?.and_then(|message| message.message_id))
    }

    /// Takes the message with this body off a queue, once nobody has it in hand.
    ///
    /// # Errors
    /// If the queue cannot be asked, or has had no such message for half a minute.
    pub async fn forget_message(&self, url: &str, body: &str) -> anyhow::Result<()> {
        let limit = std::time::Duration::from_secs(30);
        let found = crate::wait::until("a message to forget", limit, async || self.find(url, body).await).await?;
        let receipt = found.receipt_handle.context("a message without a receipt")?;
        let client = aws_sdk_sqs::Client::new(&lambda::aws_config().await);
        client.delete_message().queue_url(url).receipt_handle(receipt).send().await?;
        Ok(())
    }

    async fn find(&self, url: &str, body: &str) -> anyhow::Result<Option<aws_sdk_sqs::types::Message>> {
        let client = aws_sdk_sqs::Client::new(&lambda::aws_config().await);
        loop {
            let call = client.receive_message().queue_url(url).max_number_of_messages(10).visibility_timeout(2);
            let messages = call.send().await?.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(None);
            }
            let found = messages.into_iter().find(|message| message.body.as_deref() == Some(body));
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}

/// An S3 client that puts the bucket's name into the path: the emulator has no names for buckets.
pub(crate) fn path_style(config: &aws_config::SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(true).build())
}
