//! Sample content: one workspace of two people, with pages in pages, every kind of block, a database, comments, and something in the trash.

use anyhow::{Result, anyhow};
use serde_json::{Map, Value, json};

use super::{
    change::NewPage,
    outline::{Draft, rich_text},
    state::{Notion, What},
};
use crate::control::Wrong;

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";

const HANDBOOK: &str = "# Welcome\n\nThe Lighthouse team keeps the lamp burning.\n\n- Core hours are ten to three.\n- \
                        Releases go out on Tuesdays.\n  - [x] never on a Friday\n  - [ ] not before noon\n\n> A lamp unseen is no lamp.";
const ONBOARDING: &str = "## First week\n\n1. Meet the team.\n2. Climb the tower.\n3. Light the lamp.";
const FIRST_DAY: &str = "Bring good shoes; the tower has 217 steps.";
const OPERATIONS: &str = "| Part | Count |\n| --- | --- |\n| Lamp | 3 |\n| Lens | 2 |\n\n```bash\nmake light\n```\n\n---\n\nCall the harbour if the fog comes.";
const EVERYTHING: &str = "> Careful, the lens is hot.\n\n- Details\n  - Inside the toggle.\n\nLeft column.\n\nRight column.\n\n\
                          Shared between pages.\n\nShared between pages.\n\n$$ P = I^2 R $$\n\n[Lighthouses](https://en.wikipedia.org/wiki/Lighthouse)\n\n\
                          [image: The lamp room]\n\n[file: plan.pdf](https://files.example.com/plan.pdf)\n\n[Block that cannot be read: form]";

/// Fills an empty Notion.
pub fn fill(notion: &mut Notion) -> Result<()> {
    let workspace = notion.add_workspace("Lighthouse");
    notion.add_person(ADA, "Ada Example", Some(&workspace));
    notion.add_person(BOB, "Bob Example", Some(&workspace));

    let handbook = page(notion, ADA, "Handbook", HANDBOOK, None)?;
    let onboarding = page(notion, ADA, "Onboarding", ONBOARDING, Some(&handbook))?;
    page(notion, BOB, "First day", FIRST_DAY, Some(&onboarding))?;
    page(notion, BOB, "Operations", OPERATIONS, None)?;
    if let Some(What::Page { icon, .. }) = notion.nodes.get_mut(&handbook).map(|node| &mut node.what) {
        *icon = Some("📘".to_owned());
    }
    notion.comment(BOB, &handbook, "Should we mention the fog horn?").map_err(wrong)?;
    notion.comment(ADA, &handbook, "Yes.\nI will add it.").map_err(wrong)?;

    everything(notion)?;

    let log: Vec<String> = (1..=250).map(|night| format!("Night {night}: all clear.")).collect();
    page(notion, BOB, "Log", &log.join("\n\n"), None)?;

    let columns = json!({
        "Status": { "type": "status", "status": { "options": [], "groups": [] } },
        "Due": { "type": "date", "date": {} },
        "Effort": { "type": "number", "number": { "format": "number" } },
        "Tags": { "type": "multi_select", "multi_select": { "options": [] } },
    });
    let (_, tasks) = notion.add_database(ADA, "Tasks", None, "What is to be done", object(columns)).map_err(wrong)?;
    row(notion, &tasks, "Clean the lens", "With vinegar, not with soap.", "In progress", Some("2026-12-01"))?;
    row(notion, &tasks, "Order wicks", "", "Open", None)?;
    row(notion, &tasks, "Paint the door", "Green, as it was.", "Done", Some("2026-11-02"))?;

    let old = page(notion, ADA, "Old plan", "Nobody needs this.", None)?;
    notion.trash(ADA, &old, true).map_err(wrong)?;
    notion.news.clear();
    Ok(())
}

/// A page with what the editor's text cannot express.
fn everything(notion: &mut Notion) -> Result<()> {
    let id = page(notion, ADA, "Every kind of block", "", None)?;
    let callout = json!({ "rich_text": rich_text("Careful, the lens is hot."), "icon": null, "color": "default" });
    let column = |text: &str| Draft::of("column", json!({})).with(vec![Draft::text("paragraph", text)]);
    let blocks = vec![
        Draft::of("callout", callout),
        Draft::text("toggle", "Details").with(vec![Draft::text("bulleted_list_item", "Inside the toggle.")]),
        Draft::of("column_list", json!({})).with(vec![column("Left column."), column("Right column.")]),
        Draft::of("synced_block", json!({ "synced_from": null }))
            .with(vec![Draft::text("paragraph", "Shared between pages.")]),
    ];
    let made = notion.add_blocks(ADA, &id, blocks).map_err(wrong)?;
    let original = made.last().ok_or_else(|| anyhow!("no block was made"))?;
    let image = json!({
        "type": "file",
        "file": { "url": "https://files.example.com/signed?until=soon", "expiry_time": "2026-01-01T00:00:00.000Z" },
        "caption": rich_text("The lamp room"),
    });
    let file = json!({
        "type": "external",
        "external": { "url": "https://files.example.com/plan.pdf" },
        "caption": [],
        "name": "plan.pdf",
    });
    let bookmark = json!({ "url": "https://en.wikipedia.org/wiki/Lighthouse", "caption": rich_text("Lighthouses") });
    let more = vec![
        Draft::of("synced_block", json!({ "synced_from": { "type": "block_id", "block_id": original } })),
        Draft::of("equation", json!({ "expression": "P = I^2 R" })),
        Draft::of("bookmark", bookmark),
        Draft::of("image", image),
        Draft::of("file", file),
        Draft::of("breadcrumb", json!({})),
        Draft::of("unsupported", json!({ "block_type": "form" })),
    ];
    notion.add_blocks(ADA, &id, more).map_err(wrong)?;
    if let Some(What::Page { text, .. }) = notion.nodes.get_mut(&id).map(|node| &mut node.what) {
        EVERYTHING.clone_into(text);
    }
    Ok(())
}

fn page(notion: &mut Notion, who: &str, title: &str, text: &str, parent: Option<&str>) -> Result<String> {
    notion.add_page(who, NewPage { title, text, parent, ..NewPage::default() }).map_err(wrong)
}

fn row(notion: &mut Notion, source: &str, title: &str, text: &str, status: &str, due: Option<&str>) -> Result<()> {
    let mut values = object(json!({
        "Status": { "type": "status", "status": { "id": "s1", "name": status, "color": "blue" } },
        "Effort": { "type": "number", "number": title.len() },
        "Tags": { "type": "multi_select", "multi_select": [{ "id": "t1", "name": "tower", "color": "red" }] },
    }));
    let date = due.map(|due| json!({ "start": due, "end": null, "time_zone": null }));
    values.insert("Due".to_owned(), json!({ "type": "date", "date": date }));
    notion.add_page(ADA, NewPage { title, text, parent: Some(source), values, ..NewPage::default() }).map_err(wrong)?;
    Ok(())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn wrong(wrong: Wrong) -> anyhow::Error {
    anyhow!("{wrong:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notion::truth::truth;

    #[test]
    fn the_sample_has_pages_rows_and_a_data_source_for_both_people() {
        let mut notion = Notion::default();
        fill(&mut notion).unwrap();
        let of = |who| {
            let mut titles: Vec<String> = truth(&notion, who).unwrap().into_iter().map(|page| page.title).collect();
            titles.sort();
            titles
        };
        let expected = [
            "Clean the lens",
            "Every kind of block",
            "First day",
            "Handbook",
            "Log",
            "Onboarding",
            "Operations",
            "Order wicks",
            "Paint the door",
            "Tasks",
        ];
        assert_eq!(of(ADA), expected);
        assert_eq!(of(BOB), expected);
        assert!(notion.news.is_empty());
    }
}
