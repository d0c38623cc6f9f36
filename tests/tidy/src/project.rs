//! Reads the project: its packages and its files.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

/// A package of the workspace, reduced to what the rules look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The folder of the workspace that it is in: `shared`, `functions` or `tests`.
    pub room: String,
    /// What it depends on as it ships; tests may need more.
    pub dependencies: Vec<String>,
    /// What only its tests depend on.
    pub test_dependencies: Vec<String>,
}

/// The root of the project.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or_else(|| Path::new(".")).to_path_buf()
}

/// The text of a file, by its path from the root.
///
/// # Errors
/// If it cannot be read.
pub fn text(path: &str) -> Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
}

/// All packages of the workspace.
///
/// # Errors
/// If cargo cannot describe the workspace.
pub fn packages() -> Result<Vec<Package>> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec()?;
    let names = |package: &cargo_metadata::Package, kind| {
        let of_kind = package.dependencies.iter().filter(|dependency| dependency.kind == kind);
        of_kind.map(|dependency| dependency.name.clone()).collect()
    };
    Ok(metadata
        .workspace_packages()
        .into_iter()
        .map(|package| Package {
            name: package.name.to_string(),
            room: package
                .manifest_path
                .strip_prefix(root())
                .ok()
                .and_then(|path| path.components().next())
                .map(|room| room.to_string())
                .unwrap_or_default(),
            dependencies: names(package, DependencyKind::Normal),
            test_dependencies: names(package, DependencyKind::Development),
        })
        .collect())
}

/// The texts of the Python files that run the project on this machine.
///
/// # Errors
/// If the folder or a file cannot be read.
pub fn scripts() -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(root().join("infra/local"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "py") {
            texts.push(std::fs::read_to_string(path)?);
        }
    }
    Ok(texts)
}

/// Every Rust file of the rooms: path from the root, and text.
///
/// # Errors
/// If a folder or file cannot be read.
pub fn sources() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for room in ["functions", "shared", "tests"] {
        collect(&root().join(room), &mut found)?;
    }
    Ok(found)
}

fn collect(folder: &Path, into: &mut Vec<(String, String)>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
            into.push((name, std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rooms_are_found() {
        let packages = packages().unwrap();
        let domain = packages.iter().find(|package| package.name == "domain").unwrap();
        assert_eq!(domain.room, "shared");
        assert!(domain.dependencies.contains(&"serde".to_owned()));
        assert!(sources().unwrap().iter().any(|(path, _)| path == "shared/domain/src/lib.rs"));
    }
}
