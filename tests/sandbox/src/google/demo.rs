//! Sample content: two people, a shared drive, and files of every kind that the product reads, each with its known text.

use anyhow::{Result, anyhow};

use super::{
    change::NewFile,
    file::{Body, DOCUMENT, DOCX, FOLDER, PDF, PPTX, PRESENTATION, SHORTCUT, SPREADSHEET, XLSX},
    material,
    state::Google,
};

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";

const HANDBOOK: &str = "# Handbook\n\nWelcome to the **Lighthouse** team.\n\n- Core hours are ten to three.\n- \
                        Releases go out on Tuesdays.";
const ROADMAP: &str = "# Roadmap\n\nThe first quarter is for connections, the second for search.\n\n\
                       Nothing ships on a Friday.";
const BUDGET: &str = "Item,Cost\nHosting,1200\nLicences,450\nCoffee,96";
const KICKOFF: &str = "Kick-off\nGoals for the year\n---\nMilestones\nConnect, sync, search";
const CONTACTS: &str = "name,role,city\nAda,engineer,London\nBob,designer,Oslo\nGrace,admiral,Arlington\n";
const NOTES: &str = "Meeting notes\nAttendees: Ada, Bob\nDecision: the archive moves on Monday.\n";
const README: &str = "# Lighthouse\n\nA small project with a long beam.\n\n## Setup\n\nRun `make up` and wait.\n";
const CONTRACT: &str = "Service agreement\nThe supplier keeps the lamp burning.\nThe term is twelve months.";
const REPORT: &str = "Annual report\nRevenue grew by seven percent.\nThe lamp burned every night.";
const TALK: &str = "Why lighthouses\nThey are seen from afar\n---\nHow they work\nA lamp and a lens";
const INVENTORY: &str = "Part,Count,Shelf\nLamp,3,A1\nLens,2,A2\nWick,40,B7";
const PAGE: &str = "<!doctype html>\n<html><head><title>Visit</title><style>p { color: red }</style></head>\n\
                    <body><h1>Visit us</h1>\n<p>The tower is open on Sundays.</p>\n\
                    <script>var hidden = 'not text';</script></body></html>\n";
const PAGE_TEXT: &str = "# Visit us\n\nThe tower is open on Sundays.";

/// Fills an empty Google.
pub fn fill(google: &mut Google) -> Result<()> {
    google.add_account(ADA, "Ada Example");
    google.add_account(BOB, "Bob Example");
    let drive = google.add_drive(None, "Lighthouse team", &[ADA.to_owned(), BOB.to_owned()]).map_err(refused)?;

    let projects = add(google, ADA, "Projects", FOLDER, "", None)?;
    let lighthouse = add(google, ADA, "Lighthouse", FOLDER, "", Some(&projects))?;
    let archive = add(google, ADA, "Archive", FOLDER, "", Some(&lighthouse))?;

    let handbook = add(google, ADA, "Handbook", DOCUMENT, HANDBOOK, None)?;
    add(google, ADA, "Budget", SPREADSHEET, BUDGET, Some(&projects))?;
    add(google, ADA, "Kick-off", PRESENTATION, KICKOFF, Some(&projects))?;
    add(google, ADA, "notes.txt", "text/plain", NOTES, None)?;
    add(google, ADA, "README.md", "text/markdown", README, Some(&lighthouse))?;
    add(google, ADA, "contacts.csv", "text/csv", CONTACTS, None)?;
    add(google, ADA, "contract.docx", DOCX, CONTRACT, Some(&lighthouse))?;
    add(google, ADA, "report.pdf", PDF, REPORT, Some(&archive))?;
    add(google, ADA, "talk.pptx", PPTX, TALK, Some(&archive))?;
    add(google, ADA, "inventory.xlsx", XLSX, INVENTORY, Some(&archive))?;
    add(google, ADA, "Shortcut to the handbook", SHORTCUT, &handbook, Some(&lighthouse))?;
    put(google, "visit.html", "text/html", Body::blob(PAGE), Some(PAGE_TEXT.to_owned()), Some(&projects))?;
    put(google, "tower.png", "image/png", Body::blob(material::png::picture()), None, Some(&projects))?;
    put(google, "cut.pdf", PDF, Body::blob(material::pdf::broken()), None, None)?;

    let (body, text) = material::of_text(DOCUMENT, ROADMAP)?;
    let roadmap =
        NewFile { id: None, name: "Roadmap", mime_type: DOCUMENT, body, text, parent: None, drive_id: Some(&drive) };
    google.create(ADA, roadmap).map_err(refused)?;

    add(google, BOB, "bob.txt", "text/plain", "Only Bob reads this.\n", None)?;
    Ok(())
}

fn add(
    google: &mut Google,
    who: &str,
    name: &str,
    mime_type: &str,
    text: &str,
    parent: Option<&str>,
) -> Result<String> {
    let (body, text) = material::of_text(mime_type, text)?;
    let new = NewFile { id: None, name, mime_type, body, text, parent, drive_id: None };
    google.create(who, new).map_err(refused)
}

fn put(
    google: &mut Google,
    name: &str,
    mime_type: &str,
    body: Body,
    text: Option<String>,
    parent: Option<&str>,
) -> Result<()> {
    let new = NewFile { id: None, name, mime_type, body, text, parent, drive_id: None };
    google.create(ADA, new).map_err(refused)?;
    Ok(())
}

fn refused(refused: super::change::Refused) -> anyhow::Error {
    anyhow!("{refused}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_every_kind_and_bob_sees_only_his_own_and_the_shared_drive() {
        let mut google = Google::empty();
        fill(&mut google).unwrap();
        let kinds: std::collections::BTreeSet<&str> =
            google.files_of(ADA).map(|file| file.mime_type.as_str()).collect();
        for kind in [
            FOLDER,
            SHORTCUT,
            DOCUMENT,
            SPREADSHEET,
            PRESENTATION,
            DOCX,
            XLSX,
            PPTX,
            PDF,
            "text/plain",
            "text/markdown",
            "text/csv",
            "text/html",
            "image/png",
        ] {
            assert!(kinds.contains(kind), "{kind}");
        }
        let mut bobs: Vec<&str> = google.files_of(BOB).map(|file| file.name.as_str()).collect();
        bobs.sort_unstable();
        assert_eq!(bobs, ["Roadmap", "bob.txt"]);
    }
}
