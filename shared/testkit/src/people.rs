//! People for tests and for `make token`: the directory rows that give them their rights, and the token that proves who calls.

use anyhow::{Context as _, ensure};
use chrono::TimeDelta;
use domain::plan::{Plan, PlatformRole, Role};
use domain::{Clock as _, OrganizationId, SystemClock, Timestamp, UserId};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;
use store::{Membership, Organization, Store};

use crate::stack::Stack;

/// For how long a token holds unless said otherwise.
const HOLDS: TimeDelta = TimeDelta::days(7);

/// The person that is wanted. What is not named stays as the directory has it.
#[derive(Debug, Clone)]
pub struct Wanted {
    user: String,
    admin: bool,
    organization: Option<(String, Role)>,
    plan: Option<Plan>,
    holds: TimeDelta,
}

impl Wanted {
    /// A person of this id.
    #[must_use]
    pub fn user(id: &str) -> Self {
        Self { user: id.to_owned(), admin: false, organization: None, plan: None, holds: HOLDS }
    }

    /// Who runs the platform.
    #[must_use]
    pub const fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    /// Who is a member of this organization; it is made if it is not there.
    #[must_use]
    pub fn member_of(mut self, slug: &str, role: Role) -> Self {
        self.organization = Some((slug.to_owned(), role));
        self
    }

    /// Who is on this plan; the organization, if there is one, too.
    #[must_use]
    pub const fn plan(mut self, plan: Plan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Whose token holds for this long. A negative time gives one that has expired.
    #[must_use]
    pub const fn for_seconds(mut self, seconds: i64) -> Self {
        self.holds = TimeDelta::seconds(seconds);
        self
    }
}

/// Writes the person's rows and gives their token for this stack.
///
/// # Errors
/// If the stack has no shared secret, or a table or Secrets Manager does not answer.
pub async fn token(stack: &Stack, store: &Store, wanted: &Wanted) -> anyhow::Result<String> {
    let id = stack.jwt_secret.as_deref().context("this stack has no shared secret: its tokens are signed elsewhere")?;
    mint(store, &read_secret(id).await?, wanted).await
}

/// The secret that signs tokens, by its ARN or name.
///
/// # Errors
/// If Secrets Manager does not give it.
pub async fn read_secret(id: &str) -> anyhow::Result<String> {
    let client = aws_sdk_secretsmanager::Client::new(&lambda::aws_config().await);
    let answer =
        client.get_secret_value().secret_id(id).send().await.context("the secret that signs tokens cannot be read")?;
    answer.secret_string.context("the secret that signs tokens holds no text")
}

/// Writes the person's rows and signs their token.
///
/// # Errors
/// If an id is not valid or a table does not answer.
pub async fn mint(store: &Store, secret: &str, wanted: &Wanted) -> anyhow::Result<String> {
    let now = SystemClock.now();
    let id = UserId::new(wanted.user.as_str())?;
    let mut user = store.user_on_first_sight(&id, now).await?;
    user.plan = wanted.plan.unwrap_or(user.plan);
    if wanted.admin {
        user.role = PlatformRole::Admin;
    }
    store.put_user(&user).await?;
    if let Some((slug, role)) = &wanted.organization {
        let slug = OrganizationId::new(slug.as_str())?;
        let mut organization = match store.get_organization(&slug).await? {
            Some(known) => known,
            None => Organization {
                name: slug.to_string(),
                id: slug.clone(),
                plan: Plan::default(),
                default_frequency: None,
                default_storage_strategy: None,
                created_at: now,
            },
        };
        organization.plan = wanted.plan.unwrap_or(organization.plan);
        store.put_organization(&organization).await?;
        store.put_membership(&slug, &Membership { user: id, role: *role }).await?;
    }
    sign(secret, &wanted.user, now, wanted.holds)
}

/// A token for somebody, whether they are known or not.
///
/// # Errors
/// If the secret is too short to be a real one.
pub fn sign(secret: &str, subject: &str, now: Timestamp, holds: TimeDelta) -> anyhow::Result<String> {
    ensure!(secret.len() >= 32, "the secret that signs tokens is shorter than 32 bytes");
    let claims = json!({"sub": subject, "iat": now.timestamp(), "exp": (now + holds).timestamp()});
    Ok(jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes()))?)
}
