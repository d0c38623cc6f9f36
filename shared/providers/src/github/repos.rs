//! Which repositories an account's sync covers, and which there are to choose from.

use super::client::{Api, error};
use super::config::{Config, MAX_REPOSITORIES};
use super::cursor::Repo;
use super::wire::Repository;
use crate::error::{Kind, ProviderError};
use crate::provider::{BrowseRequest, Choice, Choices};

/// Pages of repositories that are read to find the chosen ones.
const MAX_PAGES: usize = 40;

/// Repositories in scope, and when GitHub said so, by its clock in epoch seconds.
pub struct Found {
    /// The repositories, oldest first, as GitHub tells of them.
    pub repositories: Vec<Repository>,
    /// When GitHub answered first.
    pub at: i64,
}

impl Found {
    /// As listings need them.
    pub fn repos(&self) -> Vec<Repo> {
        self.repositories.iter().map(Repo::of).collect()
    }
}

/// The repositories in scope: one call for every hundred that the account can reach, and one for each chosen one that is not among
/// these (somebody else's public repository). Repositories that GitHub has switched off cannot be read and are left out, archived ones can.
pub async fn in_scope(api: Api<'_>, config: &Config) -> Result<Found, ProviderError> {
    let mut found: Vec<Repository> = Vec::new();
    let (mut at, mut query): (Option<i64>, Option<String>) = (None, None);
    for _ in 0..MAX_PAGES {
        let page = api.repositories(query.as_deref()).await?;
        at = at.or_else(|| page.sent.map(|sent| sent.timestamp()));
        found.extend(page.items.into_iter().filter(|one| config.has_repository(one.id) && !one.disabled));
        query = page.next;
        let has_all = config.repositories.as_ref().is_some_and(|chosen| found.len() >= chosen.len());
        if query.is_none() || found.len() >= MAX_REPOSITORIES || has_all {
            break;
        }
    }
    let missing = config.repositories.iter().flatten().filter(|id| !found.iter().any(|one| one.id == **id));
    let mut others = Vec::new();
    for id in missing {
        match api.repository(*id).await {
            Ok(one) if !one.disabled => others.push(one),
            Ok(_) => {}
            // Gone, or not ours to see any more: what was synced of it goes too.
            Err(refused) if matches!(refused.kind, Kind::NotFound | Kind::Forbidden(_)) => {}
            Err(refused) => return Err(refused),
        }
    }
    found.extend(others);
    found.truncate(MAX_REPOSITORIES);
    Ok(Found { repositories: found, at: at.unwrap_or_else(|| api.now().timestamp()) })
}

/// A hundred repositories to choose from.
pub async fn browse(api: Api<'_>, request: BrowseRequest<'_>) -> Result<Choices, ProviderError> {
    if request.parent.is_some() {
        return Err(error(Kind::NotFound));
    }
    // What was handed out is a query of GitHub's, and nothing else is sent there.
    if request.cursor.is_some_and(|cursor| cursor.len() > 500 || !cursor.contains("page")) {
        return Err(error(Kind::PageExpired));
    }
    let page = api.repositories(request.cursor).await?;
    let choice = |one: Repository| Choice {
        id: one.id.to_string(),
        name: if one.archived { format!("{} (archived)", one.full_name) } else { one.full_name },
        kind: "repository",
        field: Some("repositories"),
        has_children: false,
    };
    Ok(Choices { items: page.items.into_iter().map(choice).collect(), next: page.next })
}
