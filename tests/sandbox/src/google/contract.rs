//! Drive for tests that drive any provider: text files in My Drive.

use chrono::TimeDelta;

use super::{
    change::{Edit as Change, NewFile, Refused},
    drive::render::web_view_link,
    file::{FOLDER, File, SHORTCUT},
    material,
    state::Google,
};
use crate::{
    clock,
    control::{
        Wrong,
        contract::{Contract, Edit, New, One, Rename, Tokens, True},
    },
    state::World,
};

const TEXT: &str = "text/plain";

/// The acts.
pub const GOOGLE: Contract = Contract {
    add_account,
    create,
    edit,
    rename: Some(rename),
    delete,
    truth,
    expire_cursors: Some(|world| world.google.feeds.expire_tokens()),
    tokens,
    hook: None,
};

fn add_account(world: &mut World, account: &str) -> Result<(), Wrong> {
    if !world.google.accounts.contains_key(account) {
        world.google.add_account(account, account);
    }
    Ok(())
}

fn create(world: &mut World, new: &New) -> Result<String, Wrong> {
    let (body, text) = material::of_text(TEXT, &new.text).map_err(Wrong::unprocessable)?;
    let file = NewFile { id: None, name: &new.title, mime_type: TEXT, body, text, parent: None, drive_id: None };
    Ok(world.google.create(&new.account, file)?)
}

fn edit(world: &mut World, edit: &Edit) -> Result<(), Wrong> {
    let content = material::of_text(TEXT, &edit.text).map_err(Wrong::unprocessable)?;
    change(&mut world.google, &edit.account, &edit.id, Change { content: Some(content), ..Change::default() })
}

fn rename(world: &mut World, rename: &Rename) -> Result<(), Wrong> {
    let change_name = Change { name: Some(rename.title.clone()), ..Change::default() };
    change(&mut world.google, &rename.account, &rename.id, change_name)
}

fn delete(world: &mut World, one: &One) -> Result<(), Wrong> {
    change(&mut world.google, &one.account, &one.id, Change { trashed: Some(true), ..Change::default() })
}

fn change(google: &mut Google, account: &str, id: &str, change: Change) -> Result<(), Wrong> {
    Ok(google.edit(id, Change { by: Some(account.to_owned()), ..change })?)
}

fn truth(world: &World, account: &str) -> Result<Vec<True>, Wrong> {
    let google = &world.google;
    if !google.accounts.contains_key(account) {
        return Err(Refused::UnknownAccount(account.to_owned()).into());
    }
    let is_read = |file: &&File| !google.is_trashed(file) && file.mime_type != FOLDER && file.mime_type != SHORTCUT;
    let described = |file: &File| True {
        id: file.id.clone(),
        title: file.name.clone(),
        text: file.text.clone(),
        url: Some(web_view_link(file)),
        author: Some(google.person(&file.owner).name),
        created_at: Some(file.created),
        updated_at: Some(file.modified),
    };
    Ok(google.files_of(account).filter(is_read).map(described).collect())
}

fn tokens(world: &mut World, wanted: &Tokens) {
    let google = &mut world.google;
    let settings = &mut google.settings;
    settings.access_lifetime_seconds = wanted.access_lifetime_seconds.unwrap_or(settings.access_lifetime_seconds);
    settings.rotate_refresh_tokens = wanted.rotate.unwrap_or(settings.rotate_refresh_tokens);
    let account = wanted.account.as_deref();
    if wanted.expire_access || wanted.revoke {
        google.grants.expire_access(account, clock::now() - TimeDelta::seconds(1));
    }
    if wanted.revoke {
        google.grants.kill_refresh(account);
    }
}
