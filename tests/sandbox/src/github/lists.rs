//! Repositories, issues, pull requests, comments, reviews and releases as lists.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    api::{Answer, Call, Said},
    error::ApiError,
    shapes,
    state::{GitHub, Issue, Repo},
};

/// `GET /user/repos`.
pub fn repos(github: &GitHub, login: &str, call: &Call<'_>) -> Result<Vec<Value>, ApiError> {
    if call.query("type").is_some() && (call.query("visibility").is_some() || call.query("affiliation").is_some()) {
        let message = "If you specify visibility or affiliation, you cannot specify type.";
        return Err(ApiError::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, message));
    }
    let mut found: Vec<&Repo> = github.repos_of(login).collect();
    match call.query("sort") {
        Some("created") => found.sort_by_key(|repo| (repo.created, repo.id)),
        Some("updated") => found.sort_by_key(|repo| (repo.updated, repo.id)),
        Some("pushed") => found.sort_by_key(|repo| (repo.pushed, repo.id)),
        _ => found.sort_by_key(|repo| repo.full_name()),
    }
    let descends = match call.query("direction") {
        Some(direction) => direction == "desc",
        None => matches!(call.query("sort"), Some("created" | "updated" | "pushed")),
    };
    if descends {
        found.reverse();
    }
    Ok(found.into_iter().map(|repo| shapes::repo(github, repo)).collect())
}

fn since(call: &Call<'_>) -> Result<Option<DateTime<Utc>>, ApiError> {
    let read = |text: &str| DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    call.query("since").map(read).transpose().map_err(|_| ApiError::invalid(Vec::new()))
}

/// Everything below a repository that is a list of things people wrote, or one of them.
pub fn in_repo(github: &GitHub, repo: &Repo, rest: &[&str], call: &Call<'_>) -> Answer {
    match rest {
        ["issues"] => issues(github, repo, call).map(Said::List),
        ["issues", "comments"] => comments(github, repo, call).map(Said::List),
        ["issues", number] => Ok(Said::One(shapes::issue(github, repo, issue(repo, number)?))),
        ["issues", number, "comments"] => {
            let issue = issue(repo, number)?;
            Ok(Said::List(
                issue.comments.values().map(|comment| shapes::comment(github, repo, issue, comment)).collect(),
            ))
        }
        ["pulls", number] => Ok(Said::One(shapes::pull(github, repo, pull(repo, number)?))),
        ["pulls", number, "reviews"] => {
            let issue = pull(repo, number)?;
            let reviews = issue.pull.iter().flat_map(|pull| pull.reviews.values());
            Ok(Said::List(reviews.map(|review| shapes::review(github, repo, issue.number, review)).collect()))
        }
        ["pulls", number, "comments"] => {
            let issue = pull(repo, number)?;
            let reviews = issue.pull.iter().flat_map(|pull| pull.reviews.values());
            let lines = reviews.flat_map(|review| review.comments.values().map(move |comment| (review, comment)));
            Ok(Said::List(
                lines.map(|(review, comment)| shapes::line(github, repo, issue.number, review, comment)).collect(),
            ))
        }
        ["releases"] => {
            let mut releases: Vec<_> = repo.releases.values().collect();
            releases.sort_by_key(|release| std::cmp::Reverse((release.created, release.id)));
            Ok(Said::List(releases.into_iter().map(|release| shapes::release(github, repo, release)).collect()))
        }
        ["releases", id] => {
            let release = id.parse().ok().and_then(|id: u64| repo.releases.get(&id)).ok_or_else(ApiError::not_found)?;
            Ok(Said::One(shapes::release(github, repo, release)))
        }
        _ => Err(ApiError::not_found()),
    }
}

fn issues(github: &GitHub, repo: &Repo, call: &Call<'_>) -> Result<Vec<Value>, ApiError> {
    if !repo.has_issues {
        return Err(ApiError::gone("Issues has been disabled in this repository."));
    }
    let since = since(call)?;
    let state = call.query("state").unwrap_or("open");
    let mut found: Vec<&Issue> = repo
        .issues
        .values()
        .filter(|issue| since.is_none_or(|since| issue.updated >= since))
        .filter(|issue| state == "all" || (state == "open") == issue.open)
        .collect();
    match call.query("sort") {
        Some("updated") => found.sort_by_key(|issue| (issue.updated, issue.number)),
        Some("comments") => found.sort_by_key(|issue| (issue.comments.len(), issue.number)),
        _ => found.sort_by_key(|issue| (issue.created, issue.number)),
    }
    if call.query("direction") != Some("asc") {
        found.reverse();
    }
    Ok(found.into_iter().map(|issue| shapes::issue(github, repo, issue)).collect())
}

fn comments(github: &GitHub, repo: &Repo, call: &Call<'_>) -> Result<Vec<Value>, ApiError> {
    let since = since(call)?;
    let all = repo.issues.values().flat_map(|issue| issue.comments.values().map(move |comment| (issue, comment)));
    let mut found: Vec<_> = all.filter(|(_, comment)| since.is_none_or(|since| comment.updated >= since)).collect();
    match call.query("sort") {
        Some("updated") => found.sort_by_key(|(_, comment)| (comment.updated, comment.id)),
        Some(_) => found.sort_by_key(|(_, comment)| (comment.created, comment.id)),
        None => found.sort_by_key(|(_, comment)| comment.id),
    }
    // Without an order there is no direction either.
    if call.query("sort").is_some() && call.query("direction") != Some("asc") {
        found.reverse();
    }
    Ok(found.into_iter().map(|(issue, comment)| shapes::comment(github, repo, issue, comment)).collect())
}

fn issue<'a>(repo: &'a Repo, number: &str) -> Result<&'a Issue, ApiError> {
    let number: u64 = number.parse().map_err(|_| ApiError::not_found())?;
    if repo.deleted.contains(&number) {
        return Err(ApiError::gone("This issue was deleted"));
    }
    repo.issues.get(&number).ok_or_else(ApiError::not_found)
}

fn pull<'a>(repo: &'a Repo, number: &str) -> Result<&'a Issue, ApiError> {
    issue(repo, number).ok().filter(|issue| issue.pull.is_some()).ok_or_else(ApiError::not_found)
}
