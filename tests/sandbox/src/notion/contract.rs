//! Notion for tests that drive any provider: pages at the top of a workspace.

use super::{change::NewPage, truth};
use crate::{
    control::{
        Wrong,
        contract::{Contract, Edit, New, One, Rename, Tokens, True},
    },
    state::World,
};

/// The acts.
pub const NOTION: Contract = Contract {
    add_account,
    create,
    edit,
    rename: Some(rename),
    delete,
    truth,
    // Page cursors end, but there is no cursor of changes that could.
    expire_cursors: None,
    tokens,
    hook: Some(hook),
};

fn add_account(world: &mut World, account: &str) -> Result<(), Wrong> {
    world.notion.add_person(account, account, None);
    Ok(())
}

fn create(world: &mut World, new: &New) -> Result<String, Wrong> {
    world.notion.add_page(&new.account, NewPage { title: &new.title, text: &new.text, ..NewPage::default() })
}

fn edit(world: &mut World, edit: &Edit) -> Result<(), Wrong> {
    world.notion.write_page(&edit.account, &edit.id, &edit.text)
}

fn rename(world: &mut World, rename: &Rename) -> Result<(), Wrong> {
    world.notion.rename(&rename.account, &rename.id, &rename.title)
}

fn delete(world: &mut World, one: &One) -> Result<(), Wrong> {
    world.notion.trash(&one.account, &one.id, true)
}

fn truth(world: &World, account: &str) -> Result<Vec<True>, Wrong> {
    let mut all = truth::truth(&world.notion, account)?;
    // Listings carry ids of people; their names cost a call.
    all.iter_mut().for_each(|page| page.author = None);
    Ok(all)
}

fn tokens(world: &mut World, wanted: &Tokens) {
    let notion = &mut world.notion;
    let settings = &mut notion.settings;
    settings.access_lifetime_seconds = wanted.access_lifetime_seconds.or(settings.access_lifetime_seconds);
    settings.rotate_refresh_tokens = wanted.rotate.unwrap_or(settings.rotate_refresh_tokens);
    if wanted.expire_access || wanted.revoke {
        notion.grants.end_of(wanted.account.as_deref(), wanted.revoke);
    }
}

fn hook(world: &mut World, url: &str, secret: Option<&str>) {
    let hook = &mut world.notion.hook;
    hook.url = (!url.is_empty()).then(|| url.to_owned());
    if let Some(secret) = secret {
        secret.clone_into(&mut hook.secret);
    }
}
