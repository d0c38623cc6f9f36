//! The directory of people, organizations and memberships: the only authority on who may do what.

use chrono::serde::ts_milliseconds;
use domain::plan::{Plan, PlatformRole, Role};
use domain::{OrganizationId, StorageStrategy, SyncFrequency, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::call::{Ended, Item, decode, encode_item, names, put, query_all, s, values};
use crate::error::Error;
use crate::keys;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The token's `sub`.
    pub id: UserId,
    /// What they pay for.
    pub plan: Plan,
    /// What they may do on the whole platform.
    pub role: PlatformRole,
    /// Whether they may use it at all.
    pub active: bool,
    /// When they were first seen.
    #[serde(with = "ts_milliseconds")]
    pub created_at: Timestamp,
}

impl User {
    /// A person at first sight: the free plan, no rights but their own.
    #[must_use]
    pub fn new(id: UserId, now: Timestamp) -> Self {
        Self { id, plan: Plan::default(), role: PlatformRole::default(), active: true, created_at: now }
    }
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its slug.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// What it pays for.
    pub plan: Plan,
    /// How often its new integrations are pulled, unless said otherwise.
    #[serde(default)]
    pub default_frequency: Option<SyncFrequency>,
    /// What is kept of the content of its new integrations, unless said otherwise.
    #[serde(default)]
    pub default_storage_strategy: Option<StorageStrategy>,
    /// When it was made known.
    #[serde(with = "ts_milliseconds")]
    pub created_at: Timestamp,
}

/// A member of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Who.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
}

/// A row: its key and what it is listed under, beside the entity's own attributes, which are stored under the names above.
fn row(key: keys::Key, listed_under: &str, entity: impl Serialize) -> Result<Item, Error> {
    let mut item = encode_item(entity)?;
    item.extend(key.attributes().into_iter().flatten());
    item.insert("listed_under".to_owned(), s(listed_under));
    Ok(item)
}

impl Store {
    /// A person, or `None`. One consistent read.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or the row makes no sense.
    pub async fn get_user(&self, id: &UserId) -> Result<Option<User>, Error> {
        let found = self.get("read a user", &self.tables.directory, keys::user(id)).await?;
        found.map(|found| decode("a user", found)).transpose()
    }

    /// The person whose token proved who they are, entered with the free plan at first sight. One consistent read; two
    /// requests at first sight.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or written, or the row makes no sense.
    pub async fn user_on_first_sight(&self, id: &UserId, now: Timestamp) -> Result<User, Error> {
        if let Some(user) = self.get_user(id).await? {
            return Ok(user);
        }
        let user = User::new(id.clone(), now);
        let call = self
            .client
            .put_item()
            .table_name(&self.tables.directory)
            .set_item(Some(row(keys::user(id), keys::USER, &user)?))
            .condition_expression("attribute_not_exists(#pk)")
            .set_expression_attribute_names(names(&["pk"]));
        match put("enter a user", call).await? {
            Ended::Failed(Some(found)) => decode("a user", found),
            Ended::Failed(None) | Ended::Written(_) => Ok(user),
        }
    }

    /// Writes a person. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn put_user(&self, user: &User) -> Result<(), Error> {
        self.put_directory("write a user", row(keys::user(&user.id), keys::USER, user)?).await
    }

    /// An organization, or `None`. One consistent read.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or the row makes no sense.
    pub async fn get_organization(&self, id: &OrganizationId) -> Result<Option<Organization>, Error> {
        let found = self.get("read an organization", &self.tables.directory, keys::organization(id)).await?;
        found.map(|found| decode("an organization", found)).transpose()
    }

    /// Writes an organization. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn put_organization(&self, organization: &Organization) -> Result<(), Error> {
        let item = row(keys::organization(&organization.id), keys::ORGANIZATION, organization)?;
        self.put_directory("write an organization", item).await
    }

    /// What a person may do in an organization; `None` for a stranger. One consistent read.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or the row makes no sense.
    pub async fn membership(&self, organization: &OrganizationId, user: &UserId) -> Result<Option<Role>, Error> {
        let key = keys::membership(organization, user);
        let found = self.get("read a membership", &self.tables.directory, key).await?;
        found.map(|found| decode::<Membership>("a membership", found).map(|m| m.role)).transpose()
    }

    /// Makes a person a member, or gives a member another role. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn put_membership(&self, organization: &OrganizationId, member: &Membership) -> Result<(), Error> {
        let item = row(keys::membership(organization, &member.user), &keys::memberships_of(&member.user), member)?;
        self.put_directory("write a membership", item).await
    }

    /// Ends a membership. Nothing happens if there is none. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn delete_membership(&self, organization: &OrganizationId, user: &UserId) -> Result<(), Error> {
        let key = keys::membership(organization, user);
        let call = self.client.delete_item().table_name(&self.tables.directory).set_key(key.attributes());
        call.send().await.map_err(|e| Error::dynamo("end a membership", e))?;
        Ok(())
    }

    /// The members of an organization, in the order of their ids. One consistent query.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or a row makes no sense.
    pub async fn members_of(&self, organization: &OrganizationId) -> Result<Vec<Membership>, Error> {
        let call = self
            .client
            .query()
            .table_name(&self.tables.directory)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .set_expression_attribute_names(names(&["pk", "sk"]))
            .set_expression_attribute_values(values([
                ("pk", s(keys::organization(organization).pk)),
                ("prefix", s(keys::MEMBER)),
            ]))
            .consistent_read(true);
        let rows = query_all("list an organization's members", call).await?;
        rows.into_iter().map(|row| decode("a membership", row)).collect()
    }

    pub(crate) async fn put_directory(&self, what: &'static str, item: Item) -> Result<(), Error> {
        let call = self.client.put_item().table_name(&self.tables.directory).set_item(Some(item));
        call.send().await.map_err(|e| Error::dynamo(what, e))?;
        Ok(())
    }
}
