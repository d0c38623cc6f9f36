//! Slack for tests that drive any provider: an account is a person in a workspace of their own, with one channel that the app is in, and a
//! resource is a thread there. Titles follow from the text.

use super::{
    change::{Post, Refused, escaped},
    state::{Channel, Kind, Message, Workspace, moment_of},
};
use crate::{
    control::{
        Wrong,
        contract::{Contract, Edit, New, One, Tokens, True},
    },
    state::World,
};

/// The acts.
pub const SLACK: Contract =
    Contract { add_account, create, edit, rename: None, delete, truth, expire_cursors: None, tokens, hook: Some(hook) };

impl From<Refused> for Wrong {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unknown(..) => Self::not_found(refused),
            Refused::Taken(_) => Self::conflict(refused),
        }
    }
}

fn add_account(world: &mut World, account: &str) -> Result<(), Wrong> {
    if world.slack.person(account).is_some() {
        return Ok(());
    }
    let team = world.slack.add_workspace(None, account, "acme")?;
    let user = world.slack.add_person(&team, account, account)?;
    world.slack.add_channel(&team, None, "notes", Kind::Public, &[user], true)?;
    Ok(())
}

fn workspace<'w>(world: &'w World, account: &str) -> Result<&'w Workspace, Wrong> {
    let found = world.slack.person(account).map(|(workspace, _)| workspace);
    found.ok_or_else(|| Wrong::not_found("there is no such account"))
}

fn create(world: &mut World, new: &New) -> Result<String, Wrong> {
    let workspace = workspace(world, &new.account)?;
    let channel = workspace.channels.values().find(|channel| channel.members.contains(&workspace.bot));
    let channel =
        channel.map(|channel| channel.id.clone()).ok_or_else(|| Wrong::not_found("the app is in no channel"))?;
    let ts = world.slack.post(Post { channel: channel.clone(), text: escaped(&new.text), ..Post::default() })?;
    Ok(format!("{channel}/{ts}"))
}

fn parts(id: &str) -> Result<(&str, &str), Wrong> {
    id.split_once('/').ok_or_else(|| Wrong::not_found("there is no such message"))
}

fn edit(world: &mut World, edit: &Edit) -> Result<(), Wrong> {
    let (channel, ts) = parts(&edit.id)?;
    Ok(world.slack.edit(channel, ts, &escaped(&edit.text), None)?)
}

fn delete(world: &mut World, one: &One) -> Result<(), Wrong> {
    let (channel, ts) = parts(&one.id)?;
    Ok(world.slack.delete(channel, ts)?)
}

/// Threads and text files of the channels that the app is in, direct messages left out.
fn truth(world: &World, account: &str) -> Result<Vec<True>, Wrong> {
    let workspace = workspace(world, account)?;
    let is_synced = |channel: &&Channel| {
        channel.members.contains(&workspace.bot) && matches!(channel.kind, Kind::Public | Kind::Private)
    };
    let mut found = Vec::new();
    for channel in workspace.channels.values().filter(is_synced) {
        let heads = channel.messages.values().filter(|message| is_head(message));
        found.extend(heads.map(|head| thread(workspace, channel, head)));
        let files = workspace.files.values().filter(|file| file.places.contains(&channel.id));
        found.extend(files.map(|file| True {
            id: format!("{}/{}", channel.id, file.id),
            title: file.name.clone(),
            text: file.text.clone(),
            url: None,
            author: Some(workspace.name_of(&file.user)),
            created_at: Some(file.created),
            updated_at: Some(file.updated),
        }));
    }
    Ok(found)
}

fn is_head(message: &Message) -> bool {
    message.thread_ts.as_ref().is_none_or(|thread| *thread == message.ts)
}

fn thread(workspace: &Workspace, channel: &Channel, head: &Message) -> True {
    let lines = std::iter::once(head).chain(channel.replies(&head.ts)).filter(|message| !message.tombstone);
    let lines: Vec<String> = lines.map(|message| line(workspace, message)).collect();
    let last = channel.replies(&head.ts).last().map_or(&head.ts, |reply| &reply.ts);
    let edited = head.edited.as_ref().map(|(_, ts)| ts).into_iter().chain([last]).max();
    True {
        id: format!("{}/{}", channel.id, head.ts),
        title: format!("#{}", channel.name),
        text: Some(lines.join("\n")),
        url: Some(format!(
            "https://{}.slack.com/archives/{}/p{}",
            workspace.domain,
            channel.id,
            head.ts.replace('.', "")
        )),
        author: (!head.tombstone).then(|| author(workspace, head)),
        created_at: Some(moment_of(&head.ts)),
        updated_at: edited.map(|ts| moment_of(ts)),
    }
}

fn author(workspace: &Workspace, message: &Message) -> String {
    message.username.clone().unwrap_or_else(|| workspace.name_of(&message.user))
}

fn line(workspace: &Workspace, message: &Message) -> String {
    let plain = || message.text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let mut said = message.plain.clone().unwrap_or_else(plain);
    for file in message.files.iter().filter_map(|id| workspace.files.get(id)) {
        said = format!("{said}\n[file: {}]", file.title);
    }
    format!("{}: {}", author(workspace, message), said.trim())
}

fn tokens(world: &mut World, wanted: &Tokens) {
    let slack = &mut world.slack;
    let settings = &mut slack.settings;
    settings.rotation = wanted.rotate.unwrap_or(settings.rotation);
    settings.access_lifetime_seconds = wanted.access_lifetime_seconds.unwrap_or(settings.access_lifetime_seconds);
    let team = wanted.account.as_deref().and_then(|account| slack.person(account)).map(|(team, _)| team.id.clone());
    if wanted.expire_access {
        slack.grants.expire(team.as_deref());
    }
    if wanted.revoke {
        slack.grants.revoke(team.as_deref());
    }
}

fn hook(world: &mut World, address: &str, secret: Option<&str>) {
    let app = &mut world.slack.app;
    app.request_url = Some(address.to_owned());
    if let Some(secret) = secret {
        secret.clone_into(&mut app.signing_secret);
    }
}
