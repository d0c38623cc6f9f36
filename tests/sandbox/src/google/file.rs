//! A file, folder, shortcut or native document, and what is in it.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::material::md5;

pub const FOLDER: &str = "application/vnd.google-apps.folder";
pub const SHORTCUT: &str = "application/vnd.google-apps.shortcut";
pub const DOCUMENT: &str = "application/vnd.google-apps.document";
pub const SPREADSHEET: &str = "application/vnd.google-apps.spreadsheet";
pub const PRESENTATION: &str = "application/vnd.google-apps.presentation";
pub const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
pub const PPTX: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
pub const PDF: &str = "application/pdf";

/// One sheet of a spreadsheet: its name and its rows of cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    pub name: String,
    pub rows: Vec<Vec<String>>,
}

/// What a file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Body {
    Folder,
    Shortcut {
        target: String,
    },
    Blob {
        bytes: Blob,
        md5: String,
        sha256: String,
    },
    Document {
        markdown: String,
    },
    Spreadsheet {
        sheets: Vec<Sheet>,
    },
    Presentation {
        slides: Vec<String>,
    },
    /// A native kind that has no content to export: a form, a site, a map.
    Opaque,
}

impl Body {
    /// Bytes with their checksums.
    pub fn blob(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let (md5, sha256) = (md5::hex(&bytes), hex::encode(sha2::Sha256::digest(&bytes)));
        Self::Blob { bytes: Blob(bytes), md5, sha256 }
    }

    /// The bytes, if there are any to download.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Blob { bytes, .. } => Some(&bytes.0),
            _ => None,
        }
    }
}

/// Bytes that are stored as base64.
#[derive(Debug, Clone)]
pub struct Blob(pub Bytes);

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine;
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine;
        let text = String::deserialize(deserializer)?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}

/// Anything that has a place in a drive.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct File {
    pub id: String,
    pub name: String,
    pub mime_type: String,
    /// Folder that it lies in; none for roots.
    pub parent: Option<String>,
    /// Shared drive that it belongs to; none in somebody's My Drive.
    pub drive_id: Option<String>,
    /// Owner in My Drive; in a shared drive whoever made it.
    pub owner: String,
    pub created: DateTime<Utc>,
    pub modified: DateTime<Utc>,
    pub modified_by: String,
    /// Trashed itself, not only through a folder above.
    pub trashed_at: Option<DateTime<Utc>>,
    pub trashed_by: Option<String>,
    /// Grows with every change, of content or not.
    pub version: u64,
    /// Grows with every change of content.
    pub revision: u64,
    pub body: Body,
    /// What a perfect extractor makes of it, when that is known.
    pub text: Option<String>,
    /// People whom the owner shared it with; of a folder: everything in it.
    pub shared_with: BTreeSet<String>,
    /// Members who opened or changed it; a shared-drive item is in the own view of these only.
    pub opened_by: BTreeSet<String>,
    /// Place in the order of making.
    pub made: u64,
    /// My Drive itself, or the root folder of a shared drive.
    pub root: bool,
    /// False: the owner forbids downloading, printing and copying.
    pub downloadable: bool,
}

impl File {
    /// An empty folder.
    pub fn folder(id: &str, name: &str, owner: &str, now: DateTime<Utc>) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            mime_type: FOLDER.to_owned(),
            parent: None,
            drive_id: None,
            owner: owner.to_owned(),
            created: now,
            modified: now,
            modified_by: owner.to_owned(),
            trashed_at: None,
            trashed_by: None,
            version: 1,
            revision: 1,
            body: Body::Folder,
            text: None,
            shared_with: BTreeSet::new(),
            opened_by: BTreeSet::new(),
            made: 0,
            root: false,
            downloadable: true,
        }
    }
}
