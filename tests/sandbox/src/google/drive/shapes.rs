//! Which fields each answer can have, so that a selection of an unknown field is refused as Google refuses it.

/// What may be selected below a field.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A plain value: nothing below it.
    Leaf,
    /// An object with free keys.
    Map,
    /// An object, or a list of such: its fields without anything below, and those with.
    Object(&'static str, &'static [(&'static str, Shape)]),
}

impl Shape {
    /// The shape of a field; none when there is no such field.
    pub fn field(self, name: &str) -> Option<Self> {
        match self {
            Self::Leaf => None,
            Self::Map => Some(Self::Map),
            Self::Object(leaves, branches) => match branches.iter().find(|(branch, _)| *branch == name) {
                Some((_, shape)) => Some(*shape),
                None => leaves.split_ascii_whitespace().any(|leaf| leaf == name).then_some(Self::Leaf),
            },
        }
    }
}

const USER: Shape = Shape::Object("kind displayName photoLink me permissionId emailAddress", &[]);

const RESTRICTION: Shape = Shape::Object("restrictedForReaders restrictedForWriters", &[]);

pub const FILE: Shape = Shape::Object(
    "kind id name mimeType description starred trashed explicitlyTrashed trashedTime parents spaces version \
     webContentLink webViewLink iconLink hasThumbnail thumbnailLink thumbnailVersion viewedByMe viewedByMeTime createdTime \
     modifiedTime modifiedByMeTime modifiedByMe sharedWithMeTime teamDriveId driveId shared ownedByMe \
     viewersCanCopyContent copyRequiresWriterPermission writersCanShare permissionIds hasAugmentedPermissions \
     folderColorRgb originalFilename fullFileExtension fileExtension md5Checksum sha1Checksum sha256Checksum size \
     quotaBytesUsed headRevisionId isAppAuthorized resourceKey inheritedPermissionsDisabled",
    &[
        ("properties", Shape::Map),
        ("appProperties", Shape::Map),
        ("exportLinks", Shape::Map),
        ("owners", USER),
        ("trashingUser", USER),
        ("sharingUser", USER),
        ("lastModifyingUser", USER),
        ("capabilities", Shape::Map),
        ("contentHints", Shape::Object("indexableText", &[("thumbnail", Shape::Object("image mimeType", &[]))])),
        ("imageMediaMetadata", Shape::Map),
        ("videoMediaMetadata", Shape::Object("width height durationMillis", &[])),
        ("shortcutDetails", Shape::Object("targetId targetMimeType targetResourceKey", &[])),
        ("contentRestrictions", Shape::Map),
        ("labelInfo", Shape::Object("", &[("labels", Shape::Map)])),
        ("linkShareMetadata", Shape::Object("securityUpdateEligible securityUpdateEnabled", &[])),
        (
            "downloadRestrictions",
            Shape::Object(
                "",
                &[("itemDownloadRestriction", RESTRICTION), ("effectiveDownloadRestrictionWithContext", RESTRICTION)],
            ),
        ),
        ("clientEncryptionDetails", Shape::Map),
        ("permissions", Shape::Map),
    ],
);

pub const DRIVE: Shape = Shape::Object(
    "kind id name themeId colorRgb backgroundImageLink createdTime hidden orgUnitId",
    &[
        ("backgroundImageFile", Shape::Object("id xCoordinate yCoordinate width", &[])),
        ("capabilities", Shape::Map),
        ("restrictions", Shape::Map),
    ],
);

pub const FILE_LIST: Shape = Shape::Object("kind nextPageToken incompleteSearch", &[("files", FILE)]);
pub const DRIVE_LIST: Shape = Shape::Object("kind nextPageToken", &[("drives", DRIVE)]);
pub const START_PAGE_TOKEN: Shape = Shape::Object("kind startPageToken", &[]);
pub const CHANNEL: Shape =
    Shape::Object("kind id resourceId resourceUri token expiration type address payload", &[("params", Shape::Map)]);

pub const CHANGE_LIST: Shape = Shape::Object(
    "kind nextPageToken newStartPageToken",
    &[(
        "changes",
        Shape::Object(
            "kind type changeType time removed fileId teamDriveId driveId",
            &[("file", FILE), ("drive", DRIVE), ("teamDrive", DRIVE)],
        ),
    )],
);

pub const ABOUT: Shape = Shape::Object(
    "kind appInstalled canCreateDrives canCreateTeamDrives folderColorPalette maxUploadSize",
    &[
        ("user", USER),
        ("storageQuota", Shape::Object("limit usage usageInDrive usageInDriveTrash", &[])),
        ("importFormats", Shape::Map),
        ("exportFormats", Shape::Map),
        ("maxImportSizes", Shape::Map),
        ("driveThemes", Shape::Object("id backgroundImageLink colorRgb", &[])),
        ("teamDriveThemes", Shape::Object("id backgroundImageLink colorRgb", &[])),
    ],
);
