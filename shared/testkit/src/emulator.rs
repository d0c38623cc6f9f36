//! The emulator for tests of single rooms: each test gets tables, queues and a key of its own, under names that no other has.
//!
//! The definitions (keys, indexes, expiry, attempts) are read from `template.yaml`, so that what is tested is what is
//! deployed. Where the emulator is says `AWS_ENDPOINT_URL`; without it a test fails, and so it does for an address of AWS
//! itself, where nothing would tidy up after it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml_ng::Value;
use store::{Store, Tables};

const TEMPLATE: &str = include_str!("../../../template.yaml");

/// Clients of the emulator.
#[derive(Debug, Clone)]
pub struct Emulator {
    config: SdkConfig,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// KMS.
    pub kms: aws_sdk_kms::Client,
    /// Secrets Manager.
    pub secrets: connections::SecretsClient,
}

impl Emulator {
    /// The emulator at `AWS_ENDPOINT_URL`.
    ///
    /// # Errors
    /// If the variable is not set or names AWS itself.
    pub async fn connect() -> Result<Self> {
        let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let endpoint = config.endpoint_url().context("AWS_ENDPOINT_URL is not set: these tests need the emulator")?;
        ensure!(!endpoint.contains("amazonaws"), "AWS_ENDPOINT_URL names AWS; these tests need the emulator");
        Ok(Self::with(config))
    }

    /// The same emulator through another address, such as a proxy that breaks answers.
    #[must_use]
    pub fn through(&self, endpoint: &str) -> Self {
        // Set on each client, because an address that came from the environment wins over one set on what they share.
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(&self.config).endpoint_url(endpoint).build();
        let sqs = aws_sdk_sqs::config::Builder::from(&self.config).endpoint_url(endpoint).build();
        let kms = aws_sdk_kms::config::Builder::from(&self.config).endpoint_url(endpoint).build();
        let secrets = aws_sdk_secretsmanager::config::Builder::from(&self.config).endpoint_url(endpoint).build();
        Self {
            secrets: connections::SecretsClient::from_conf(secrets),
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
            kms: aws_sdk_kms::Client::from_conf(kms),
            config: self.config.clone(),
        }
    }

    fn with(config: SdkConfig) -> Self {
        Self {
            secrets: connections::SecretsClient::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            kms: aws_sdk_kms::Client::new(&config),
            config,
        }
    }

    /// What a function's clients are made of.
    #[must_use]
    pub const fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The emulator's address.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.config.endpoint_url().unwrap_or_default()
    }

    /// A store over these tables.
    #[must_use]
    pub fn store(&self, tables: &Tables) -> Store {
        Store::new(self.dynamodb.clone(), tables.clone())
    }

    /// New tables, as the template defines them.
    ///
    /// # Errors
    /// If the template or the emulator says no.
    pub async fn tables(&self) -> Result<Tables> {
        let stack = unique("it");
        Ok(Tables {
            integrations: self.table(&stack, "IntegrationsTable").await?,
            jobs: self.table(&stack, "JobsTable").await?,
            records: self.table(&stack, "RecordsTable").await?,
            directory: self.table(&stack, "DirectoryTable").await?,
            limits: self.table(&stack, "LimitsTable").await?,
        })
    }

    /// An audit log in a new table.
    ///
    /// # Errors
    /// If the template or the emulator says no.
    pub async fn audit_log(&self) -> Result<store::AuditLog> {
        Ok(store::AuditLog::new(self.dynamodb.clone(), self.table(&unique("it"), "AuditTable").await?))
    }

    async fn table(&self, stack: &str, resource: &str) -> Result<String> {
        let name = format!("{stack}-{resource}");
        let definition: TableDefinition = properties(resource)?;
        let attributes = definition.attribute_definitions.into_iter().map(Attribute::build).collect::<Result<_>>()?;
        let indexes: Vec<_> =
            definition.global_secondary_indexes.into_iter().map(Index::build).collect::<Result<_>>()?;
        self.dynamodb
            .create_table()
            .table_name(&name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(attributes))
            .set_key_schema(Some(keys(definition.key_schema)?))
            .set_global_secondary_indexes(if indexes.is_empty() { None } else { Some(indexes) })
            .send()
            .await
            .with_context(|| format!("create {name}"))?;
        let expiry = definition.time_to_live_specification.context("a table without expiry")?;
        let expiry = TimeToLiveSpecification::builder().attribute_name(expiry.attribute_name).enabled(true).build()?;
        let call = self.dynamodb.update_time_to_live().table_name(&name).time_to_live_specification(expiry);
        call.send().await.with_context(|| format!("set the expiry of {name}"))?;
        Ok(name)
    }

    /// A new queue with its dead letters, with the attempts that the template gives the queue `resource` (`SyncQueue`).
    ///
    /// # Errors
    /// If the template or the emulator says no.
    pub async fn queue(&self, resource: &str) -> Result<TestQueue> {
        let definition: QueueDefinition = properties(resource)?;
        let attempts = definition.redrive_policy.max_receive_count;
        let name = unique(resource);
        let dead = self.sqs.create_queue().queue_name(format!("{name}-dlq")).send().await?;
        let dead_letters_url = dead.queue_url.context("no queue URL")?;
        let asked = self.sqs.get_queue_attributes().queue_url(&dead_letters_url);
        let asked = asked.attribute_names(QueueAttributeName::QueueArn).send().await?;
        let arn = asked.attributes.unwrap_or_default().remove(&QueueAttributeName::QueueArn).context("no queue ARN")?;
        let redrive = serde_json::json!({ "deadLetterTargetArn": arn, "maxReceiveCount": attempts }).to_string();
        let made = self.sqs.create_queue().queue_name(name).attributes(QueueAttributeName::RedrivePolicy, redrive);
        let url = made.send().await?.queue_url.context("no queue URL")?;
        Ok(TestQueue { sqs: self.sqs.clone(), url, dead_letters_url, attempts })
    }

    /// A new bucket, and a client that reaches it.
    ///
    /// # Errors
    /// If the emulator says no.
    pub async fn bucket(&self) -> Result<(aws_sdk_s3::Client, String)> {
        let s3 = crate::stack::path_style(&self.config);
        let name = unique("it");
        s3.create_bucket().bucket(&name).send().await?;
        Ok((s3, name))
    }

    /// A new secret that holds `text`, in a folder of its own: gives the folder (`it-…/`), so that the secret's name is that and
    /// `name`.
    ///
    /// # Errors
    /// If the emulator says no.
    pub async fn secret(&self, name: &str, text: &str) -> Result<String> {
        let folder = format!("{}/", unique("it"));
        self.secrets.create_secret().name(format!("{folder}{name}")).secret_string(text).send().await?;
        Ok(folder)
    }

    /// The ARN of a new symmetric key.
    ///
    /// # Errors
    /// If the emulator says no.
    pub async fn key(&self) -> Result<String> {
        let made = self.kms.create_key().description(unique("it")).send().await?;
        made.key_metadata.and_then(|key| key.arn).context("no key ARN")
    }
}

/// A message as it was received.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its body.
    pub body: String,
    /// What deletes it or brings it back.
    pub receipt: Option<String>,
    /// What SQS says of it, under SQS's names (`ApproximateReceiveCount`, `MessageGroupId`).
    pub attributes: BTreeMap<String, String>,
    /// What was sent along beside the body, as text.
    pub carried: BTreeMap<String, String>,
}

impl From<Message> for Received {
    fn from(message: Message) -> Self {
        let attributes = message.attributes.unwrap_or_default().into_iter();
        let carried = message.message_attributes.unwrap_or_default().into_iter();
        Self {
            carried: carried.map(|(name, value)| (name, value.string_value.unwrap_or_default())).collect(),
            body: message.body.unwrap_or_default(),
            receipt: message.receipt_handle,
            attributes: attributes.map(|(name, value)| (name.as_str().to_owned(), value)).collect(),
        }
    }
}

/// A queue of one test.
#[derive(Debug, Clone)]
pub struct TestQueue {
    sqs: aws_sdk_sqs::Client,
    /// The queue.
    pub url: String,
    /// Its dead letters.
    pub dead_letters_url: String,
    /// Attempts before a message goes there.
    pub attempts: u32,
}

impl TestQueue {
    /// Up to ten visible messages, which then are invisible for half a minute; waits a second for the first.
    ///
    /// # Errors
    /// If the emulator says no.
    pub async fn receive(&self) -> Result<Vec<Received>> {
        let call = self
            .sqs
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(10)
            .visibility_timeout(30)
            .wait_time_seconds(1)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        Ok(call.send().await?.messages.unwrap_or_default().into_iter().map(Received::from).collect())
    }

    /// Deletes a received message.
    ///
    /// # Errors
    /// If the emulator says no.
    pub async fn delete(&self, message: &Received) -> Result<()> {
        let handle = message.receipt.as_deref().context("a message without a receipt")?;
        self.sqs.delete_message().queue_url(&self.url).receipt_handle(handle).send().await?;
        Ok(())
    }

    /// Messages in the queue, invisible and delayed ones included, and among the dead letters.
    ///
    /// # Errors
    /// If the emulator says no.
    pub async fn left(&self) -> Result<(u64, u64)> {
        Ok((self.count(&self.url).await?, self.count(&self.dead_letters_url).await?))
    }

    async fn count(&self, url: &str) -> Result<u64> {
        let call = self.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let attributes = call.send().await?.attributes.unwrap_or_default();
        let mut sum = 0;
        for name in [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ] {
            sum += attributes.get(&name).with_context(|| format!("no {name}"))?.parse::<u64>()?;
        }
        Ok(sum)
    }
}

/// A name that no other test has.
fn unique(what: &str) -> String {
    format!("{what}-{}", ulid::Ulid::generate().to_string().to_lowercase())
}

/// The properties of a resource of the template.
fn properties<T: DeserializeOwned>(resource: &str) -> Result<T> {
    let template: Value = serde_yaml_ng::from_str(TEMPLATE).context("template.yaml")?;
    let found = template.get("Resources").and_then(|all| all.get(resource)).and_then(|one| one.get("Properties"));
    let found = found.with_context(|| format!("template.yaml has no {resource}"))?.clone();
    serde_yaml_ng::from_value(found).with_context(|| format!("the properties of {resource}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableDefinition {
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<KeyPart>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
    time_to_live_specification: Option<Expiry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyPart {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    index_name: String,
    key_schema: Vec<KeyPart>,
    projection: Projected,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Projected {
    projection_type: String,
    non_key_attributes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Expiry {
    attribute_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueDefinition {
    redrive_policy: Redrive,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redrive {
    max_receive_count: u32,
}

impl Attribute {
    fn build(self) -> Result<AttributeDefinition> {
        let kind = match self.attribute_type.as_str() {
            "S" => ScalarAttributeType::S,
            "N" => ScalarAttributeType::N,
            "B" => ScalarAttributeType::B,
            other => bail!("the attribute {} of type {other}", self.attribute_name),
        };
        Ok(AttributeDefinition::builder().attribute_name(self.attribute_name).attribute_type(kind).build()?)
    }
}

impl Index {
    fn build(self) -> Result<GlobalSecondaryIndex> {
        let kind = ProjectionType::from(self.projection.projection_type.as_str());
        let projection = Projection::builder()
            .projection_type(kind)
            .set_non_key_attributes(self.projection.non_key_attributes)
            .build();
        Ok(GlobalSecondaryIndex::builder()
            .index_name(self.index_name)
            .set_key_schema(Some(keys(self.key_schema)?))
            .projection(projection)
            .build()?)
    }
}

fn keys(parts: Vec<KeyPart>) -> Result<Vec<KeySchemaElement>> {
    let part = |part: KeyPart| -> Result<KeySchemaElement> {
        let kind = KeyType::from(part.key_type.as_str());
        Ok(KeySchemaElement::builder().attribute_name(part.attribute_name).key_type(kind).build()?)
    };
    parts.into_iter().map(part).collect()
}
