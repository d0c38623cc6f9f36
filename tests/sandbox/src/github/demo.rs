//! Sample content: two people, an organization, and a repository with everything that the product reads.

use anyhow::{Result, anyhow};

use super::state::GitHub;
use crate::control::Wrong;

const ADA: &str = "ada";
const BOB: &str = "bob";
const TEAM: &str = "lighthouse";

const README: &str =
    "# Lamp\n\nThe lamp of the lighthouse, and what turns it.\n\n## Setup\n\nRun `make lamp` and wait for dusk.\n";
const GUIDE: &str = "# Keeper's guide\n\nTrim the wick each morning. Write down the weather each evening.\n";
const SOURCE: &str = "//! Turns the lamp.\n\n/// Seconds for one turn.\npub const TURN_SECONDS: u32 = 30;\n";
const NOTES: &str = "# Notes\n\nThings that Ada wants to remember.\n";
/// The beginning of a picture: no text.
const PICTURE: &[u8] = &[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d];

/// Fills an empty GitHub.
pub fn fill(github: &mut GitHub) -> Result<()> {
    sample(github).map_err(|wrong| anyhow!("{wrong:?}"))?;
    // What was there from the beginning is no news.
    github.outbox.clear();
    Ok(())
}

fn sample(github: &mut GitHub) -> Result<(), Wrong> {
    github.add_account(ADA, "Ada Example", false);
    github.add_account(BOB, "Bob Example", false);
    github.add_account(TEAM, "Lighthouse", true);

    let lamp = github.add_repo(TEAM, "lamp", true)?;
    github.repo_mut(lamp)?.people.extend([(ADA.to_owned(), true), (BOB.to_owned(), false)]);
    let file = |path: &str, text: &str| (path.to_owned(), Some(text.as_bytes().to_vec()));
    let files = vec![
        file("README.md", README),
        file("docs/guide.md", GUIDE),
        file("src/lamp.rs", SOURCE),
        ("logo.png".to_owned(), Some(PICTURE.to_vec())),
    ];
    github.push(lamp, ADA, "Light the lamp", files, false)?;

    let flicker = github.open_issue(
        lamp,
        BOB,
        "The lamp flickers",
        "It flickers whenever the wind turns west.\n\nSteps:\n1. Wait for wind.\n2. Look up.",
        false,
    )?;
    github.comment(lamp, flicker, ADA, "I saw it too, last night at ten.")?;
    github.comment(lamp, flicker, BOB, "A new glass may help. See #2.")?;
    github.change_issue(lamp, flicker, ADA, "labeled", |issue| {
        issue.labels = vec!["bug".to_owned(), "lamp".to_owned()]
    })?;
    let glass = github.open_issue(lamp, ADA, "Order a new glass", "The old one is cracked.", false)?;
    github.change_issue(lamp, glass, ADA, "closed", |issue| issue.open = false)?;
    github.open_issue(lamp, ADA, "Count the ships", "", false)?;

    let pull = github.open_issue(
        lamp,
        ADA,
        "Turn more slowly",
        "Thirty seconds are too short for the ships to count.",
        true,
    )?;
    github.comment(lamp, pull, BOB, "How slowly?")?;
    let lines = [("src/lamp.rs".to_owned(), "Say why it is thirty.".to_owned())];
    github.review(lamp, pull, BOB, "CHANGES_REQUESTED", "Nearly there.", &lines)?;
    github.review(lamp, pull, BOB, "APPROVED", "", &[])?;

    let talk = github.discuss(lamp, BOB, "Which oil burns best?", "We have whale, olive and none.")?;
    let first = github.comment_discussion(lamp, talk, ADA, "Olive, by far.", None)?;
    github.comment_discussion(lamp, talk, BOB, "And it smells better.", Some(first))?;

    github.publish(lamp, ADA, "v1.0.0", "First light", "The lamp burns, the lens turns.")?;

    let notes = github.add_repo(ADA, "notes", true)?;
    github.push(notes, ADA, "Begin", vec![file("notes.md", NOTES)], false)?;
    let own = github.add_repo(BOB, "secrets", true)?;
    github.open_issue(own, BOB, "Only Bob reads this", "Nobody else.", false)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_everything_and_ada_does_not_see_bobs_own() {
        let mut github = GitHub::empty();
        fill(&mut github).unwrap();
        assert!(github.outbox.is_empty());
        let names: Vec<String> = github.repos_of(ADA).map(|repo| repo.full_name()).collect();
        assert_eq!(names, ["lighthouse/lamp", "ada/notes"]);
        let lamp = github.named(TEAM, "lamp").unwrap();
        assert_eq!((lamp.issues.len(), lamp.discussions.len(), lamp.releases.len()), (4, 1, 1));
        assert!(lamp.issues.values().any(|issue| issue.pull.as_ref().is_some_and(|pull| pull.reviews.len() == 2)));
        assert_eq!(lamp.head().unwrap().files.len(), 4);
    }
}
