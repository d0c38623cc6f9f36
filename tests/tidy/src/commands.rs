//! What the documents tell people to type exists, and what CI runs is what people run.

use crate::Complaint;

/// Complains about `make` commands in a document that the Makefile lacks.
#[must_use]
pub fn check_document(name: &str, document: &str, makefile: &str) -> Vec<Complaint> {
    let known = targets(makefile);
    let unknown = mentioned(document).into_iter().filter(|target| !known.contains(target));
    unknown.map(|target| format!("{name} says `make {target}`, which the Makefile does not have")).collect()
}

/// Complains if CI does not run `make test`.
#[must_use]
pub fn check_ci(script: &str) -> Vec<Complaint> {
    let runs = script.lines().map(str::trim).any(|line| line == "make test" || line == "exec make test");
    if runs { Vec::new() } else { vec![".ci/run does not run `make test`".to_owned()] }
}

fn targets(makefile: &str) -> Vec<&str> {
    let rules = makefile.lines().filter(|line| !line.starts_with(['\t', ' ', '#', '.']));
    rules
        .filter_map(|line| line.split_once(':'))
        .filter(|(_, rest)| !rest.starts_with('='))
        .map(|(name, _)| name.trim())
        .collect()
}

/// The targets after `make` in code: between backquotes, or at the beginning of a line of a block.
fn mentioned(document: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        let pieces: Vec<&str> = if in_block {
            line.split("&&").collect()
        } else {
            // Every second piece between backquotes is code.
            line.split('`').skip(1).step_by(2).collect()
        };
        let commands = pieces
            .into_iter()
            .map(|piece| piece.trim().trim_start_matches("$ "))
            .filter_map(|piece| piece.strip_prefix("make "));
        found.extend(commands.filter_map(|rest| rest.split_whitespace().next()).filter(|word| !word.contains('=')));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{assert_none, project};

    const MAKEFILE: &str = "X := 1\nup: tools ## Up.\n\t@run\n.PHONY: up down\n";

    #[test]
    fn documented_commands_exist() {
        let makefile = project::text("Makefile").unwrap();
        for name in ["README.md", "ARCHITECTURE.md"] {
            let document = project::text(name).unwrap();
            assert_none(&check_document(name, &document, &makefile));
        }
        assert!(!mentioned(&project::text("README.md").unwrap()).is_empty(), "README.md names no command");
    }

    #[test]
    fn ci_runs_what_people_run() {
        assert_none(&check_ci(&project::text(".ci/run").unwrap()));
        assert_eq!(check_ci("#!/bin/sh\ncargo test\n").len(), 1);
        assert_eq!(check_ci("# make test\n").len(), 1);
    }

    #[test]
    fn an_unknown_command_is_refused() {
        assert_none(&check_document("d", "Type `make up PORT=1`.\n```sh\n$ make up\n```\nmake sure", MAKEFILE));
        assert_eq!(check_document("d", "Type `make down`.", MAKEFILE).len(), 1);
        assert_eq!(check_document("d", "```\nmake up && make it\n```", MAKEFILE).len(), 1);
        assert_eq!(check_document("d", "`make X`", MAKEFILE).len(), 1);
    }
}
