//! The REST API, version 2022-11-28: who calls, which repository, and which answer; conditional requests and pages for all.

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use base64::Engine;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::Digest;

use super::{
    error::{ApiError, with_limit},
    files, graph, hooks, lists,
    oauth::Fields,
    shapes,
    state::{GitHub, Repo},
};
use crate::state::Shared;

/// What a request comes to.
pub type Answer = Result<Said, ApiError>;

/// An answer.
pub enum Said {
    /// One thing.
    One(Value),
    /// A list, of which a page is shown.
    List(Vec<Value>),
    /// Bytes as they are.
    Raw(Vec<u8>, &'static str),
    /// Something was made.
    Made(Value),
    /// Nothing to say.
    Nothing,
    /// The repository is called otherwise by now.
    Moved(String),
}

/// A request, taken apart.
pub struct Call<'a> {
    pub method: &'a Method,
    /// Parts of the path, decoded.
    pub path: Vec<String>,
    pub query: Fields,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// The caller's login and scopes; `None` for nobody.
    pub caller: Option<(String, Vec<String>)>,
    pub public_url: &'a str,
}

impl Call<'_> {
    /// A parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// Whether an answer in this form is asked for.
    pub fn wants(&self, form: &str) -> bool {
        self.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|text| text.contains(form))
    }
}

/// What answers under `https://api.github.com`.
pub fn routes() -> Router<Shared> {
    Router::new().route("/{*path}", any(handle))
}

async fn handle(State(sandbox): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    let path: Vec<String> = parts.uri.path().split('/').filter(|part| !part.is_empty()).map(decode).collect();
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let caller = bearer(&parts.headers).map(|token| {
        sandbox.read(|world| {
            world
                .github
                .grants
                .access(token)
                .map(|access| (access.account.clone(), access.scopes.iter().cloned().collect()))
        })
    });
    let public_url = address(&sandbox.public_url, &parts.headers);
    let mut call = Call {
        method: &parts.method,
        path,
        query,
        headers: &parts.headers,
        body: &body,
        caller: None,
        public_url: &public_url,
    };
    let answer = match caller {
        // A token that is no good is told from none at all.
        Some(None) => Err(ApiError::bad_credentials()),
        caller => {
            call.caller = caller.flatten();
            if !parts.headers.contains_key(header::USER_AGENT) {
                Err(ApiError::new(
                    StatusCode::FORBIDDEN,
                    "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
                ))
            } else if parts.method == Method::GET {
                sandbox.read(|world| read(&world.github, &call))
            } else {
                sandbox.write(|world| write(&mut world.github, &call))
            }
        }
    };
    let scopes = call.caller.as_ref().map(|(_, scopes)| scopes.join(", "));
    let mut response = with_limit(respond(&call, answer));
    if let Some(value) = scopes.and_then(|scopes| HeaderValue::from_str(&scopes).ok()) {
        response.headers_mut().insert("x-oauth-scopes", value);
    }
    response
}

/// How the caller reaches us: clients drop their token where a link or a redirect leads to another host.
fn address(public_url: &str, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    match (public_url.split_once("://"), host) {
        (Some((scheme, _)), Some(host)) => format!("{scheme}://{host}"),
        _ => public_url.to_owned(),
    }
}

/// The token of the header; `token` is an older word for `Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    ["bearer", "token"].iter().any(|word| scheme.eq_ignore_ascii_case(word)).then_some(token.trim())
}

fn respond(call: &Call<'_>, answer: Answer) -> Response {
    match answer {
        Ok(Said::One(value)) => conditional(call, value.to_string(), None),
        Ok(Said::List(items)) => {
            let number =
                |name: &str, default: usize| call.query(name).and_then(|text| text.parse().ok()).unwrap_or(default);
            let (per_page, page) = (number("per_page", 30).clamp(1, 100), number("page", 1).max(1));
            let last = items.len().div_ceil(per_page).max(1);
            let shown: Vec<&Value> = items.iter().skip((page - 1) * per_page).take(per_page).collect();
            let link = (page < last)
                .then(|| format!("<{}>; rel=\"next\", <{}>; rel=\"last\"", link(call, page + 1), link(call, last)));
            conditional(call, json!(shown).to_string(), link)
        }
        Ok(Said::Raw(bytes, kind)) => ([(header::CONTENT_TYPE, kind)], bytes).into_response(),
        Ok(Said::Made(value)) => (StatusCode::CREATED, Json(value)).into_response(),
        Ok(Said::Nothing) => StatusCode::NO_CONTENT.into_response(),
        Ok(Said::Moved(to)) => {
            let body = json!({ "message": "Moved Permanently", "url": to, "documentation_url": "https://docs.github.com/rest" });
            (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)], Json(body)).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// The address of another page of the same list, as a client can follow it.
fn link(call: &Call<'_>, page: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let mut pairs: Vec<_> = call.query.iter().filter(|(name, _)| name.as_str() != "page").collect();
    pairs.sort_unstable();
    query.extend_pairs(pairs).append_pair("page", &page.to_string());
    let encode =
        |part: &String| percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string();
    let path: Vec<String> = call.path.iter().map(encode).collect();
    format!(
        "{}/github/api/{}?{}",
        call.public_url,
        path.join("/").replace("%2D", "-").replace("%5F", "_").replace("%2E", "."),
        query.finish()
    )
}

/// An answer under its `ETag`, or 304 if the caller has it.
fn conditional(call: &Call<'_>, body: String, link: Option<String>) -> Response {
    let etag = format!("W/\"{}\"", hex::encode(sha2::Sha256::digest(&body)));
    let has_it = call.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) == Some(etag.as_str());
    let mut response = if has_it {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], Body::from(body)).into_response()
    };
    for (name, value) in [(header::ETAG, Some(etag)), (header::LINK, link)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn path<'a>(call: &'a Call<'_>) -> Vec<&'a str> {
    call.path.iter().map(String::as_str).collect()
}

/// Whoever calls; nobody may read what is not public, and here all of it needs a token.
fn caller<'a>(call: &'a Call<'_>) -> Result<&'a str, ApiError> {
    let caller = call.caller.as_ref().map(|(login, _)| login.as_str());
    caller.ok_or_else(|| ApiError::new(StatusCode::UNAUTHORIZED, "Requires authentication"))
}

fn read(github: &GitHub, call: &Call<'_>) -> Answer {
    let login = caller(call)?;
    match path(call).as_slice() {
        ["user"] => Ok(Said::One(shapes::own_user(github, login))),
        ["user", "repos"] => Ok(Said::List(lists::repos(github, login, call)?)),
        ["rate_limit"] => Ok(Said::One(
            json!({ "resources": { "core": { "limit": 5000, "used": 1, "remaining": 4999, "reset": 0 } }, "rate": { "limit": 5000, "used": 1, "remaining": 4999, "reset": 0 } }),
        )),
        ["repositories", id, rest @ ..] => {
            let repo = id.parse().ok().and_then(|id: u64| github.repos.get(&id)).ok_or_else(ApiError::not_found)?;
            in_repo(github, login, repo, rest, call)
        }
        ["repos", owner, name, rest @ ..] => match github.named(owner, name) {
            Some(repo) => in_repo(github, login, repo, rest, call),
            None => moved(github, login, owner, name, rest, call),
        },
        _ => Err(ApiError::not_found()),
    }
}

/// A former name leads to the repository's number.
fn moved(github: &GitHub, login: &str, owner: &str, name: &str, rest: &[&str], call: &Call<'_>) -> Answer {
    let repo = github.moved.get(&format!("{owner}/{name}")).and_then(|id| github.repos.get(id));
    let repo = repo.filter(|repo| github.may_read(login, repo)).ok_or_else(ApiError::not_found)?;
    let below: String = rest.iter().map(|part| format!("/{part}")).collect();
    Ok(Said::Moved(format!("{}/github/api/repositories/{}{below}", call.public_url, repo.id)))
}

fn in_repo(github: &GitHub, login: &str, repo: &Repo, rest: &[&str], call: &Call<'_>) -> Answer {
    // What is private looks like what is not there.
    if !github.may_read(login, repo) {
        return Err(ApiError::not_found());
    }
    let has_scope =
        call.caller.as_ref().is_none_or(|(_, scopes)| scopes.is_empty() || scopes.iter().any(|scope| scope == "repo"));
    if repo.private && !has_scope {
        return Err(ApiError::not_found());
    }
    match rest {
        [] => Ok(Said::One(shapes::repo(github, repo))),
        ["issues" | "pulls" | "releases", ..] => lists::in_repo(github, repo, rest, call),
        ["git" | "commits" | "compare" | "contents", ..] => files::in_repo(github, repo, rest, call),
        ["hooks"] if github.may_administer(login, repo) => Ok(Said::List(hooks::list(github, repo))),
        _ => Err(ApiError::not_found()),
    }
}

fn write(github: &mut GitHub, call: &Call<'_>) -> Answer {
    let path = path(call);
    if let (&Method::POST, ["graphql"]) = (call.method, path.as_slice()) {
        let login = caller(call)?.to_owned();
        return graph::answer(github, &login, call.body);
    }
    if let ["applications", client, what @ ("token" | "grant")] = path.as_slice() {
        return application(github, client, what, call);
    }
    let login = caller(call)?.to_owned();
    let (repo, rest) = match path.as_slice() {
        ["repositories", id, rest @ ..] => (id.parse().ok().and_then(|id: u64| github.repos.get(&id)), rest),
        ["repos", owner, name, rest @ ..] => (github.named(owner, name), rest),
        _ => return Err(ApiError::not_found()),
    };
    let repo = repo.filter(|repo| github.may_read(&login, repo)).ok_or_else(ApiError::not_found)?;
    let (id, may) = (repo.id, github.may_administer(&login, repo));
    match (call.method, rest) {
        // To others than administrators hooks are not there.
        (&Method::POST, ["hooks"]) if may => hooks::make(github, id, &login, call.body),
        (&Method::DELETE, ["hooks", hook]) if may => hooks::delete(github, id, hook),
        _ => Err(ApiError::not_found()),
    }
}

/// An app looks after its own tokens, as itself.
fn application(github: &mut GitHub, client: &str, what: &str, call: &Call<'_>) -> Answer {
    let known = github.grants.clients.get(client);
    let secret = basic(call.headers).filter(|(id, _)| id == client).map(|(_, secret)| secret);
    if known.is_none_or(|known| Some(&known.secret) != secret.as_ref()) {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "Not Found"));
    }
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    let token = body.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned();
    let account = github.grants.account_of(&token).map(str::to_owned);
    match (call.method, what) {
        (&Method::DELETE, "token") if github.grants.delete(client, &token) => Ok(Said::Nothing),
        (&Method::DELETE, "grant") if account.is_some() => {
            github.grants.revoke(account.as_deref());
            Ok(Said::Nothing)
        }
        (&Method::DELETE, _) => Err(ApiError::invalid(Vec::new())),
        _ => Err(ApiError::not_found()),
    }
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded).ok()?).ok()?;
    text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}
