//! Everybody in the directory, page by page, for those who run the platform. Lists of people and organizations come from the index
//! `listing`, which lags by moments.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::plan::Role;
use domain::{OrganizationId, UserId};
use serde::de::DeserializeOwned;

use crate::Store;
use crate::call::{Item, decode, names, query_all, s, text, values};
use crate::cursor::Cursor;
use crate::directory::{Membership, Organization, User};
use crate::error::Error;
use crate::keys::{self, Key};

impl Store {
    /// At most `limit` people, in the order of their ids, and where the list goes on. A cursor of another kind of list gives an empty
    /// page. One query.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or a row makes no sense.
    pub async fn users(&self, cursor: Option<&Cursor>, limit: u32) -> Result<(Vec<User>, Option<Cursor>), Error> {
        self.listed("list people", "a user", keys::USER, cursor, limit).await
    }

    /// At most `limit` organizations, in the order of their slugs, and where the list goes on; as [`Self::users`].
    ///
    /// # Errors
    /// As [`Self::users`].
    pub async fn organizations(
        &self,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<(Vec<Organization>, Option<Cursor>), Error> {
        self.listed("list organizations", "an organization", keys::ORGANIZATION, cursor, limit).await
    }

    /// The organizations that a person is a member of, and what they may do there, in the order of their slugs. One query.
    ///
    /// # Errors
    /// As [`Self::users`].
    pub async fn memberships_of(&self, user: &UserId) -> Result<Vec<(OrganizationId, Role)>, Error> {
        const WHAT: &str = "a membership";
        let call = self
            .client
            .query()
            .table_name(&self.tables.directory)
            .index_name(keys::LISTING_INDEX)
            .key_condition_expression("#listed_under = :under")
            .set_expression_attribute_names(names(&["listed_under"]))
            .set_expression_attribute_values(values([("under", s(keys::memberships_of(user)))]));
        let rows = query_all("list a person's memberships", call).await?;
        rows.into_iter()
            .map(|row| {
                let slug = text(&row, keys::PK).and_then(|pk| pk.strip_prefix("G#")).map(str::to_owned);
                let slug = slug.and_then(|slug| OrganizationId::new(slug).ok()).ok_or(Error::Corrupt { what: WHAT })?;
                Ok((slug, decode::<Membership>(WHAT, row)?.role))
            })
            .collect()
    }

    /// At most `limit` members of an organization, in the order of their ids, and where the list goes on. One consistent query.
    ///
    /// # Errors
    /// As [`Self::users`].
    pub async fn members(
        &self,
        organization: &OrganizationId,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<(Vec<Membership>, Option<Cursor>), Error> {
        let pk = keys::organization(organization).pk;
        let mut call = self
            .client
            .query()
            .table_name(&self.tables.directory)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .set_expression_attribute_names(names(&["pk", "sk"]))
            .set_expression_attribute_values(values([("pk", s(&pk)), ("prefix", s(keys::MEMBER))]))
            .consistent_read(true)
            .limit(rows(limit));
        if let Some(cursor) = cursor {
            let Some(sk) = cursor.sort_key(keys::MEMBER) else { return Ok((Vec::new(), None)) };
            call = call.set_exclusive_start_key(Key { pk, sk: sk.to_owned() }.attributes());
        }
        let page = call.send().await.map_err(|e| Error::dynamo("list an organization's members", e))?;
        let next = page.last_evaluated_key.as_ref().and_then(|key| text(key, keys::SK));
        let next = next.map(|sk| Cursor::after(sk.to_owned()));
        let members = page.items.unwrap_or_default().into_iter().map(|row| decode("a membership", row));
        Ok((members.collect::<Result<_, _>>()?, next))
    }

    /// A page of what is listed under a word, which is its rows' sort key too.
    async fn listed<T: DeserializeOwned>(
        &self,
        what: &'static str,
        row: &'static str,
        under: &str,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<(Vec<T>, Option<Cursor>), Error> {
        let mut call = self
            .client
            .query()
            .table_name(&self.tables.directory)
            .index_name(keys::LISTING_INDEX)
            .key_condition_expression("#listed_under = :under")
            .set_expression_attribute_names(names(&["listed_under"]))
            .set_expression_attribute_values(values([("under", s(under))]))
            .limit(rows(limit));
        if let Some(cursor) = cursor {
            let Some(pk) = cursor.sort_key(&format!("{under}#")) else { return Ok((Vec::new(), None)) };
            call = call.set_exclusive_start_key(Some(place(under, pk)));
        }
        let page = call.send().await.map_err(|e| Error::dynamo(what, e))?;
        let next = page.last_evaluated_key.as_ref().and_then(|key| text(key, keys::PK));
        let next = next.map(|pk| Cursor::after(pk.to_owned()));
        let found = page.items.unwrap_or_default().into_iter().map(|item| decode(row, item));
        Ok((found.collect::<Result<_, _>>()?, next))
    }
}

/// A place in the index.
fn place(under: &str, pk: &str) -> HashMap<String, AttributeValue> {
    Item::from([("listed_under".to_owned(), s(under)), (keys::PK.to_owned(), s(pk)), (keys::SK.to_owned(), s(under))])
}

fn rows(limit: u32) -> i32 {
    i32::try_from(limit.max(1)).unwrap_or(i32::MAX)
}
