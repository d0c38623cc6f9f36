//! Kinds of files, told by their endings: which are synced, and how they are read.

use std::collections::BTreeSet;

/// A named group of endings.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Its name in the config.
    pub name: &'static str,
    /// Its endings, in lower case; of a file without one its whole name counts.
    pub endings: &'static str,
    /// Whether it is synced where nothing else is said.
    is_default: bool,
}

/// The groups that a config may name.
pub const GROUPS: &[Group] = &[
    Group { name: "markdown", endings: "md markdown mdx", is_default: true },
    Group {
        name: "text",
        endings: "txt text rst adoc asciidoc org tex readme license licence notice authors contributing changelog codeowners",
        is_default: true,
    },
    Group {
        name: "source",
        endings: "js mjs cjs jsx ts mts cts tsx vue svelte py pyi rb php pl pm lua r jl java kt kts scala groovy gradle clj cljs c h cc \
            cpp cxx hpp hh m mm cs fs vb go rs swift dart zig nim ex exs erl hrl hs ml mli elm lisp el scm rkt sql graphql gql \
            proto thrift sh bash zsh fish ps1 bat cmd awk tf hcl nix cmake mk css scss sass less dockerfile makefile rakefile \
            gemfile jenkinsfile",
        is_default: true,
    },
    Group {
        name: "data",
        endings: "json jsonl yaml yml toml ini cfg conf properties xml csv tsv ipynb",
        is_default: false,
    },
    Group { name: "web", endings: "html htm xhtml", is_default: false },
    Group { name: "document", endings: "pdf docx pptx xlsx odt odp ods", is_default: false },
];

/// Folders whose content others wrote or machines made.
const GENERATED_FOLDERS: &[&str] =
    &["node_modules", "vendor", "third_party", "bower_components", "__pycache__", ".git"];
/// Ends of names that machines write.
const GENERATED_NAMES: &[&str] = &[".min.js", ".min.css", ".map", "-lock.json", ".lock", ".snap"];

/// The endings that are synced where nothing else is said.
pub fn default_endings() -> BTreeSet<String> {
    let groups = GROUPS.iter().filter(|group| group.is_default);
    groups.flat_map(|group| group.endings.split_whitespace()).map(str::to_owned).collect()
}

/// A file's ending in lower case; the whole name, if it has none.
pub fn ending(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?.trim_start_matches('.');
    let ending = name.rsplit('.').next()?;
    (!ending.is_empty() && ending.len() <= 40).then(|| ending.to_ascii_lowercase())
}

/// Whether a file was written by a machine or by somebody else.
pub fn is_generated(path: &str) -> bool {
    let is_folder = |part: &str| GENERATED_FOLDERS.contains(&part);
    path.rsplit_once('/').is_some_and(|(folders, _)| folders.split('/').any(is_folder))
        || GENERATED_NAMES.iter().any(|end| path.ends_with(end))
}

/// The media type that a file is read by.
pub fn media_type(path: &str) -> &'static str {
    match ending(path).as_deref() {
        Some("md" | "markdown" | "mdx") => "text/markdown",
        Some("html" | "htm" | "xhtml") => "text/html",
        Some("json" | "ipynb") => "application/json",
        Some("xml") => "application/xml",
        Some("csv") => "text/csv",
        Some("tsv") => "text/tab-separated-values",
        Some("pdf") => "application/pdf",
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Some("pptx") => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Some("odt") => "application/vnd.oasis.opendocument.text",
        Some("odp") => "application/vnd.oasis.opendocument.presentation",
        Some("ods") => "application/vnd.oasis.opendocument.spreadsheet",
        _ => "text/plain",
    }
}

/// Whether a file of this type is one in which zeros and bytes that are no text belong.
pub fn is_document(media_type: &str) -> bool {
    media_type == "application/pdf" || media_type.starts_with("application/vnd.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_an_ending_count_whole() {
        let check = |path: &str, expected: &str| assert_eq!(ending(path).as_deref(), Some(expected), "{path}");
        check("a/README", "readme");
        check("a.b/Makefile", "makefile");
        check("x.TAR.GZ", "gz");
        check(".gitignore", "gitignore");
        assert_eq!(ending("a."), None);
    }

    #[test]
    fn what_machines_write_is_told_by_folder_and_name() {
        for path in ["node_modules/a/b.md", "x/vendor/y.go", "package-lock.json", "Cargo.lock", "a/app.min.js"] {
            assert!(is_generated(path), "{path}");
        }
        assert!(!is_generated("vendor.md") && !is_generated("src/vendors/x.rs"));
    }
}
