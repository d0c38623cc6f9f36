//! What browsers may do: whose pages may call, with which credential, and what they are shown.

use serde_json::{Value, json};
use testkit::people::{self, Wanted};
use testkit::{Actor, Stack};

use crate::routes;

/// The origin of an address.
fn origin(address: &str) -> anyhow::Result<String> {
    Ok(url::Url::parse(address)?.origin().ascii_serialization())
}

/// What a browser asks beforehand is tested in `web`: the embedded gateway answers preflights itself, AWS's does not.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_ours_may_call_and_others_are_told_nothing() -> anyhow::Result<()> {
    let stack = Stack::load()?;
    let nobody = Actor::new(&stack.api_url, None)?;
    let (ours, apps) = (origin(&stack.api_url)?, origin(stack.sandbox_url.as_deref().unwrap_or_default())?);
    for (page, allowed) in
        [(ours.as_str(), true), (apps.as_str(), true), ("https://evil.example", false), ("null", false)]
    {
        let read = nobody.send_with("GET", "/api/integrations", &[("origin", page)], None).await?;
        assert_eq!(
            read.headers.get("access-control-allow-origin").map(String::as_str),
            allowed.then_some(page),
            "{page}"
        );
        assert!(
            read.headers.get("vary").is_some_and(|vary| vary.to_lowercase().contains("origin")),
            "caches must not mix them up"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_cookie_reads_from_anywhere_and_changes_from_our_pages_only() -> anyhow::Result<()> {
    let stack = Stack::load()?;
    let store = stack.store().await?;
    let user = format!("browser-{}", domain::JobId::new(domain::Clock::now(&domain::SystemClock))).to_lowercase();
    let token = people::token(&stack, &store, &Wanted::user(&user)).await?;
    let browser = Actor::new(&stack.api_url, None)?;
    let cookie = format!("cognia_session={token}");
    let read = browser.send_with("GET", "/api/integrations", &[("cookie", &cookie)], None).await?;
    assert_eq!(read.status, 200, "{}", read.body);
    let ours = origin(&stack.api_url)?;
    for (page, status, code) in [
        (None, 403, "foreign_origin"),
        (Some("https://evil.example"), 403, "foreign_origin"),
        (Some("null"), 403, "foreign_origin"),
        (Some(ours.as_str()), 404, "not_connected"),
    ] {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(page.map(|page| ("origin", page)));
        let answer = browser.send_with("POST", "/api/integrations/google_drive/pause", &headers, None).await?;
        assert_eq!((answer.status, answer.code()), (status, Some(code)), "{page:?}: {}", answer.body);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_the_committed_one_and_its_page_asks_nobody_else() -> anyhow::Result<()> {
    let stack = Stack::load()?;
    let mut served = routes::document(&stack).await?;
    assert_eq!(served["servers"], json!([{ "url": stack.api_url }]), "the one thing that differs between deployments");
    served.as_object_mut().unwrap().remove("servers");
    let committed: Value = serde_json::from_str(include_str!("../../../infra/openapi.json"))?;
    assert!(served == committed, "what is served is not infra/openapi.json");

    let page = reqwest::get(format!("{}/api/docs", stack.api_url)).await?.error_for_status()?;
    let policy = page.headers()["content-security-policy"].to_str()?.to_owned();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("connect-src 'self'"), "{policy}");
    let html = page.text().await?;
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("src="), "it loads something");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_refuses_the_methods_it_does_not_have() -> anyhow::Result<()> {
    let stack = Stack::load()?;
    let nobody = Actor::new(&stack.api_url, None)?;
    let operations = routes::all(&stack).await?;
    let names =
        routes::Names { provider: "google_drive", slug: "acme", job: "01JD0000000000000000000001", user: "ada" };
    for operation in &operations {
        let has = |method: &str| operations.iter().any(|other| other.path == operation.path && other.method == method);
        let path = operation.at(&names)?;
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            if has(method) {
                continue;
            }
            let answer = nobody.send_with(method, &path, &[], None).await?;
            // A word in place of a provider's id is a provider that nobody knows, and both need a token.
            let fixed = ["/connected", "/settings"].iter().any(|word| path.ends_with(word));
            if fixed && matches!(method, "GET" | "DELETE") {
                continue;
            }
            assert_eq!(
                (answer.status, answer.code()),
                (405, Some("method_not_allowed")),
                "{method} {path}: {}",
                answer.body
            );
            let allow = answer.headers.get("allow").cloned().unwrap_or_default();
            assert!(allow.contains(&operation.method), "{method} {path} allows {allow:?}");
        }
    }
    Ok(())
}
