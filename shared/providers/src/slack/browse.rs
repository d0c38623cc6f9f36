//! What a person can choose to sync: the channels that the app, or the person, is a member of.

use super::client::{Api, malformed};
use super::config::is_channel;
use crate::error::ProviderError;
use crate::provider::{BrowseRequest, Choice, Choices};

/// One call, and its channels. There is nothing inside of a channel to choose.
pub async fn browse(api: Api<'_>, request: BrowseRequest<'_>) -> Result<Choices, ProviderError> {
    if request.parent.is_some() {
        return Ok(Choices::default());
    }
    let (channels, next) = api.conversations("public_channel,private_channel", true, request.cursor).await?;
    if channels.iter().any(|channel| !is_channel(&channel.id)) {
        return Err(malformed("an id that is none"));
    }
    let choice = |channel: super::wire::Channel| {
        let archived = if channel.is_archived == Some(true) { " (archived)" } else { "" };
        let name = format!("#{}{archived}", channel.name.as_deref().unwrap_or(&channel.id));
        Choice { id: channel.id, name, kind: "channel", field: Some("channels"), has_children: false }
    };
    Ok(Choices { items: channels.into_iter().map(choice).collect(), next })
}
