//! A sandbox of one's own: the real binary on a free port, and a client that has gone through its consent page.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use reqwest::{Client, RequestBuilder, StatusCode, header};
use serde_json::Value;

pub const ADA: &str = "ada@example.com";
pub const READONLY: &str = "https://www.googleapis.com/auth/drive.readonly";
pub const RETURN: &str = "http://localhost/callback";

/// The process; it ends with the test.
pub struct Running {
    pub url: String,
    pub http: Client,
    child: Child,
}

impl Running {
    /// Starts a sandbox with sample content and these variables besides.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
            .env("SANDBOX_PORT", "0")
            .env("SANDBOX_DEMO", "1")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sandbox starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().trim_end_matches(')').rsplit(' ').next().unwrap().to_owned();
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { url: format!("http://127.0.0.1:{port}"), http, child }
    }

    /// Stops it as an operator would, so that it saves its state.
    pub fn stop(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        assert!(self.child.wait().unwrap().success());
    }

    /// A control request with a JSON body.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let request = self.http.request(method.parse().unwrap(), format!("{}/control/{path}", self.url));
        let response = request.json(&body).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        answer
    }

    /// Goes through the consent page and answers what the token endpoint says.
    pub async fn consent(&self, account: &str, scope: &str) -> Value {
        let asked = [
            ("client_id", "sandbox-client"),
            ("redirect_uri", RETURN),
            ("response_type", "code"),
            ("scope", scope),
            ("state", "s t&te"),
            ("access_type", "offline"),
            ("prompt", "consent"),
        ];
        let address = format!("{}/google/accounts/o/oauth2/v2/auth", self.url);
        let page = self.http.get(&address).query(&asked).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        assert!(page.text().await.unwrap().contains(&format!("value=\"{account}\"")));
        let decided: Vec<_> = asked.into_iter().chain([("account", account), ("decision", "allow")]).collect();
        let response = self.http.post(&address).form(&decided).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FOUND);
        let target = url::Url::parse(response.headers()[header::LOCATION].to_str().unwrap()).unwrap();
        let answer: std::collections::HashMap<_, _> = target.query_pairs().into_owned().collect();
        assert_eq!(answer["state"], "s t&te");
        self.token(&[("grant_type", "authorization_code"), ("code", &answer["code"]), ("redirect_uri", RETURN)]).await
    }

    /// A request to the token endpoint as the sandbox's own client.
    pub async fn token(&self, fields: &[(&str, &str)]) -> Value {
        let mut form = vec![("client_id", "sandbox-client"), ("client_secret", "sandbox-secret")];
        form.extend(fields);
        let response = self.http.post(format!("{}/google/oauth2/token", self.url)).form(&form).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// A Drive request with a token.
    pub fn drive(&self, method: &str, path: &str, token: &str) -> RequestBuilder {
        let address = format!("{}/google/www/drive/v3/{path}", self.url);
        self.http.request(method.parse().unwrap(), address).bearer_auth(token)
    }

    /// A Drive answer that must be good.
    pub async fn get(&self, path: &str, token: &str) -> Value {
        let response = self.drive("GET", path, token).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap_or(Value::Null);
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
