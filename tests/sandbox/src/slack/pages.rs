//! A small Slack: the channels of a workspace, and what people and their administrators do there.

use std::collections::HashMap;

use axum::{
    Form, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};

use super::{
    change::{Post, escaped},
    state::{Channel, File, Kind, Message, Slack, Workspace, moment_of, new_id},
};
use crate::{
    clock,
    pages::html::{escape, in_query, page as frame},
    state::Shared,
};

type Fields = HashMap<String, String>;

/// Messages of a channel that are shown; it is a page for people.
const SHOWN: usize = 200;

/// The pages.
pub fn routes() -> Router<Shared> {
    Router::new().route("/slack-workspace", get(page)).route("/slack-workspace/do", post(act))
}

/// What the front page says.
pub fn front(sandbox: &Shared) -> String {
    let spaces: String = sandbox.read(|world| {
        let link = |workspace: &Workspace| {
            format!(
                "<li><a href=\"/slack-workspace?team={}\">{}</a></li>",
                in_query(&workspace.id),
                escape(&workspace.name)
            )
        };
        world.slack.workspaces.values().map(link).collect()
    });
    format!(
        "<p>Write, answer, edit and delete, invite the app and throw it out:</p><ul>{spaces}</ul>\
         <p class=quiet>Signing secret <code>sandbox-signing-secret</code> · <a href=\"/control/slack/app\">Where events go</a></p>"
    )
}

/// `GET /slack-workspace?team=&channel=`.
async fn page(State(sandbox): State<Shared>, Query(fields): Query<Fields>) -> Response {
    let shown = sandbox.read(|world| {
        let workspaces = &world.slack.workspaces;
        let workspace = fields.get("team").map_or_else(|| workspaces.values().next(), |team| workspaces.get(team))?;
        let channel = fields.get("channel").and_then(|id| workspace.channels.get(id));
        Some(shown(workspace, channel.or_else(|| workspace.channels.values().next())))
    });
    match shown {
        Some(html) => Html(html).into_response(),
        None => {
            let body = "<h1>Nothing here</h1><p>There is no such workspace.</p><p><a href=\"/\">Sandbox</a></p>";
            (StatusCode::NOT_FOUND, Html(frame("Slack (sandbox)", body))).into_response()
        }
    }
}

/// `POST /slack-workspace/do`: one action of the forms on the page.
async fn act(State(sandbox): State<Shared>, Form(fields): Form<Fields>) -> Response {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let back = format!("/slack-workspace?team={}&channel={}", in_query(field("team")), in_query(field("channel")));
    match sandbox.write(|world| perform(&mut world.slack, &fields)) {
        Ok(()) => Redirect::to(&back).into_response(),
        Err(message) => {
            let body = format!(
                "<h1>That did not work</h1><p>{}</p><p><a href=\"{}\">Back</a></p>",
                escape(&message),
                escape(&back)
            );
            (StatusCode::UNPROCESSABLE_ENTITY, Html(frame("Slack (sandbox)", &body))).into_response()
        }
    }
}

fn perform(slack: &mut Slack, fields: &Fields) -> Result<(), String> {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let (team, channel, ts) = (field("team"), field("channel"), field("ts"));
    let text = field("text").replace("\r\n", "\n");
    let people: Vec<String> = slack
        .workspaces
        .get(team)
        .into_iter()
        .flat_map(|workspace| workspace.users.values())
        .filter(|user| !user.is_bot)
        .map(|user| user.id.clone())
        .collect();
    let done = match field("action") {
        "post" => {
            let thread_ts = Some(ts.to_owned()).filter(|ts| !ts.is_empty());
            let user = Some(field("user").to_owned()).filter(|user| people.contains(user));
            let post = Post { channel: channel.to_owned(), user, text: escaped(&text), thread_ts, ..Post::default() };
            slack.post(post).map(|_| ())
        }
        "edit" => slack.edit(channel, ts, &escaped(&text), None),
        "delete" => slack.delete(channel, ts),
        "file" => {
            let now = clock::now();
            let name = Some(field("name").trim()).filter(|name| !name.is_empty()).ok_or("A file needs a name.")?;
            let file = File {
                id: new_id('F'),
                name: name.to_owned(),
                title: name.to_owned(),
                mime_type: "text/plain".to_owned(),
                mode: "hosted".to_owned(),
                user: people.first().cloned().unwrap_or_default(),
                created: now,
                updated: now,
                places: [channel.to_owned()].into(),
                size: text.len() as u64,
                text: Some(text),
            };
            slack.share(file, "").map(|_| ())
        }
        "channel" => {
            let name = field("name").trim();
            if name.is_empty() {
                return Err("A channel needs a name.".to_owned());
            }
            let kind = if field("kind") == "private" { Kind::Private } else { Kind::Public };
            slack.add_channel(team, None, name, kind, &people, true).map(|_| ())
        }
        "rename" => slack.rename_channel(channel, field("name").trim()),
        "invite" => slack.set_member(channel, None, true),
        "remove" => slack.set_member(channel, None, false),
        "archive" => slack.archive(channel, true),
        "unarchive" => slack.archive(channel, false),
        "drop" => slack.delete_channel(channel),
        "uninstall" => slack.uninstall(team),
        other => return Err(format!("Unknown action: {other}")),
    };
    done.map_err(|refused| refused.to_string())
}

fn shown(workspace: &Workspace, channel: Option<&Channel>) -> String {
    let links: String = workspace
        .channels
        .values()
        .take(500)
        .map(|one| {
            let here = channel.is_some_and(|channel| channel.id == one.id);
            let app =
                if one.members.contains(&workspace.bot) { "" } else { " <span class=quiet>(without the app)</span>" };
            format!(
                "<li><a href=\"/slack-workspace?team={}&amp;channel={}\"{}>{}</a>{app}</li>",
                in_query(&workspace.id),
                in_query(&one.id),
                if here { " style=\"font-weight:bold\"" } else { "" },
                escape(&title(workspace, one)),
            )
        })
        .collect();
    let app = match workspace.installed {
        true => format!(
            "<p class=quiet>The app is installed. <form class=inline method=post action=\"/slack-workspace/do\">\
             <input type=hidden name=team value=\"{}\"><button name=action value=uninstall>Uninstall it</button></form></p>",
            escape(&workspace.id)
        ),
        false => "<p class=quiet>The app is not installed.</p>".to_owned(),
    };
    let body = channel.map(|channel| room(workspace, channel)).unwrap_or_default();
    frame(
        "Slack (sandbox)",
        &format!(
            "<p class=quiet><a href=\"/\">Sandbox</a></p><h1>{}</h1>{app}<ul>{links}</ul>\
             <form method=post action=\"/slack-workspace/do\"><input type=hidden name=team value=\"{team}\">\
             <input name=name placeholder=\"new-channel\" required> <select name=kind><option>public<option>private</select> \
             <button name=action value=channel>Make a channel</button></form>{body}",
            escape(&workspace.name),
            team = escape(&workspace.id),
        ),
    )
}

fn title(workspace: &Workspace, channel: &Channel) -> String {
    match channel.kind {
        Kind::Public => format!("#{}", channel.name),
        Kind::Private => format!("🔒 {}", channel.name),
        Kind::Im | Kind::Mpim => {
            let people: Vec<String> = channel.members.iter().map(|member| workspace.name_of(member)).collect();
            people.join(", ")
        }
    }
}

fn room(workspace: &Workspace, channel: &Channel) -> String {
    let hidden = format!(
        "<input type=hidden name=team value=\"{}\"><input type=hidden name=channel value=\"{}\">",
        escape(&workspace.id),
        escape(&channel.id)
    );
    let button = |action: &str, label: &str| format!("<button name=action value={action}>{label}</button> ");
    let is_in = channel.members.contains(&workspace.bot);
    let membership = if is_in { button("remove", "Throw the app out") } else { button("invite", "Invite the app") };
    let life = if channel.archived { button("unarchive", "Open again") } else { button("archive", "Archive") };
    let people: String = channel
        .members
        .iter()
        .filter_map(|id| workspace.users.get(id).filter(|user| !user.is_bot))
        .map(|user| format!("<option value=\"{}\">{}</option>", escape(&user.id), escape(&user.name)))
        .collect();
    let heads = channel.messages.values().filter(|it| it.thread_ts.as_ref().is_none_or(|thread| *thread == it.ts));
    let messages: String = heads
        .rev()
        .take(SHOWN)
        .map(|head| {
            let replies: String =
                channel.replies(&head.ts).map(|reply| message(workspace, reply, &hidden, &people, true)).collect();
            message(workspace, head, &hidden, &people, false) + &replies
        })
        .collect();
    format!(
        "<h2>{}</h2><form method=post action=\"/slack-workspace/do\">{hidden}{membership}{life}{}\
         <input name=name value=\"{}\"> {}</form>\
         <form method=post action=\"/slack-workspace/do\">{hidden}<p><select name=user>{people}</select> says</p>\
         <textarea name=text required></textarea><p><button class=main name=action value=post>Post</button></p></form>\
         <details><summary>Share a text file</summary><form method=post action=\"/slack-workspace/do\">{hidden}\
         <input name=name placeholder=\"notes.txt\" required><textarea name=text></textarea>\
         <p><button name=action value=file>Share</button></p></form></details><table>{messages}</table>",
        escape(&title(workspace, channel)),
        button("drop", "Delete"),
        escape(&channel.name),
        button("rename", "Rename"),
    )
}

fn message(workspace: &Workspace, message: &Message, hidden: &str, people: &str, is_reply: bool) -> String {
    let plain = message.text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let said = message.plain.as_ref().unwrap_or(&plain);
    let files: String = message
        .files
        .iter()
        .filter_map(|id| workspace.files.get(id))
        .map(|file| format!(" <span class=quiet>[{}]</span>", escape(&file.title)))
        .collect();
    let name = message.username.clone().unwrap_or_else(|| workspace.name_of(&message.user));
    let id = format!("{hidden}<input type=hidden name=ts value=\"{}\">", escape(&message.ts));
    let forms = match message.tombstone {
        true => "<span class=quiet>deleted</span>".to_owned(),
        false => format!(
            "<details><summary>…</summary><form method=post action=\"/slack-workspace/do\">{id}<textarea name=text>\n{}</textarea>\
             <button name=action value=edit>Save</button> <button name=action value=delete>Delete</button></form>{}</details>",
            escape(&plain),
            match is_reply {
                true => String::new(),
                false => format!(
                    "<form method=post action=\"/slack-workspace/do\">{id}<select name=user>{people}</select> \
                     <input name=text placeholder=\"Reply\" required> <button name=action value=post>Reply</button></form>"
                ),
            }
        ),
    };
    let said = if message.tombstone { "" } else { said.as_str() };
    format!(
        "<tr><td style=\"padding-left:{}rem\"><b>{}</b> <span class=quiet>{}{}</span><br>{}{files}</td><td>{forms}</td></tr>",
        if is_reply { "2.5" } else { ".5" },
        escape(&name),
        moment_of(&message.ts).format("%Y-%m-%d %H:%M:%S"),
        if message.edited.is_some() { ", edited" } else { "" },
        escape(said).replace('\n', "<br>"),
    )
}
