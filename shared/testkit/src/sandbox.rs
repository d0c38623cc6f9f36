//! The control API of the emulated providers.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// The sandbox of a stack.
#[derive(Debug, Clone)]
pub struct Sandbox {
    url: String,
    http: reqwest::Client,
}

/// A file as it truly is at the provider.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct True {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub mime_type: String,
    /// The text that a perfect extractor finds; `None` where there is none.
    pub text: Option<String>,
    /// The shared drive it is in.
    pub drive_id: Option<String>,
}

impl Sandbox {
    /// The sandbox at this address.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn at(url: &str) -> anyhow::Result<Self> {
        Ok(Self { url: url.trim_end_matches('/').to_owned(), http: reqwest::Client::builder().build()? })
    }

    /// Sends a control request and returns its answer.
    ///
    /// # Errors
    /// If the sandbox is away or refuses.
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut request = self.http.request(method.parse()?, format!("{}/control/{path}", self.url));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.context("the sandbox does not answer")?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("the sandbox refuses {method} {path}: {status} {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path} gave no JSON"))
    }

    /// A new Google account.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn account(&self, email: &str) -> anyhow::Result<()> {
        self.call("POST", "google/accounts", Some(&json!({"email": email, "name": email}))).await.map(drop)
    }

    /// A new text file; its id.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn text_file(&self, email: &str, name: &str, text: &str, parent: Option<&str>) -> anyhow::Result<String> {
        let mut file = json!({"account": email, "name": name, "mimeType": "text/plain", "text": text});
        if let (Some(parent), Some(fields)) = (parent, file.as_object_mut()) {
            fields.insert("parent".into(), parent.into());
        }
        id_of(&self.call("POST", "google/files", Some(&file)).await?)
    }

    /// A new folder; its id.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn folder(&self, email: &str, name: &str) -> anyhow::Result<String> {
        let folder = json!({"account": email, "name": name, "mimeType": "application/vnd.google-apps.folder"});
        id_of(&self.call("POST", "google/files", Some(&folder)).await?)
    }

    /// Numbered text files; their ids.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn many_files(&self, email: &str, count: usize, prefix: &str) -> anyhow::Result<Vec<String>> {
        let many = json!({"account": email, "count": count, "prefix": prefix});
        let made = self.call("POST", "google/files/bulk", Some(&many)).await?;
        let ids = made.get("ids").and_then(Value::as_array).context("the sandbox names no ids")?;
        Ok(ids.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Changes a file (`name`, `text`, `parent`, `trashed`, …).
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn edit(&self, id: &str, change: Value) -> anyhow::Result<()> {
        self.call("PATCH", &format!("google/files/{id}"), Some(&change)).await.map(drop)
    }

    /// What the account holds, in truth, without folders and what carries no text of its own kind.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn truth(&self, email: &str) -> anyhow::Result<Vec<True>> {
        let mut answer = self.call("GET", &format!("truth?account={email}"), None).await?;
        let files = answer.get_mut("files").map(Value::take).context("the sandbox tells no truth")?;
        Ok(serde_json::from_value(files)?)
    }

    /// The text that each file of the account should be found to have, by id.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn texts(&self, email: &str) -> anyhow::Result<BTreeMap<String, (String, String)>> {
        let files = self.truth(email).await?;
        Ok(files.into_iter().filter_map(|file| Some((file.id, (file.name, file.text?)))).collect())
    }

    /// Requests of the account since a number of the log, as the names of their operations.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn operations(&self, email: &str) -> anyhow::Result<Vec<String>> {
        let log = self.call("GET", "requests?since=0", None).await?;
        let requests = log.get("requests").and_then(Value::as_array).context("the sandbox shows no requests")?;
        let of_account =
            requests.iter().filter(|request| request.get("account").and_then(Value::as_str) == Some(email));
        Ok(of_account.filter_map(|request| request.get("operation")?.as_str().map(str::to_owned)).collect())
    }

    /// Live webhook channels of the account.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn channels(&self, email: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.call("GET", "google/channels", None).await?;
        let channels = answer.get("channels").and_then(Value::as_array).context("the sandbox shows no channels")?;
        Ok(channels
            .iter()
            .filter(|channel| channel.get("account").and_then(Value::as_str) == Some(email))
            .cloned()
            .collect())
    }
}

fn id_of(made: &Value) -> anyhow::Result<String> {
    made.get("id").and_then(Value::as_str).map(str::to_owned).context("the sandbox names no id")
}
