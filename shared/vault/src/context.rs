//! Where a token belongs, and what is checked to keep it there.

use std::collections::HashMap;

use domain::{IntegrationId, Owner};

/// Where a token belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    /// The table it is stored in.
    pub table: &'a str,
    /// Whose it is.
    pub owner: &'a Owner,
    /// The integration it belongs to.
    pub integration_id: IntegrationId,
}

/// Which of an integration's two tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The access token.
    Access,
    /// The refresh token.
    Refresh,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

impl Context<'_> {
    /// The encryption context that KMS checks. It appears in the key's audit log, so it names and reveals nothing secret.
    pub(crate) fn for_kms(&self) -> HashMap<String, String> {
        HashMap::from([
            ("table".to_owned(), self.table.to_owned()),
            ("owner".to_owned(), self.owner.to_string()),
            ("integration".to_owned(), self.integration_id.to_string()),
        ])
    }

    /// The associated data that the cipher checks: the envelope's head, and each word with its length before it, so that no
    /// two contexts read alike.
    pub(crate) fn associated_data(&self, head: &[u8], purpose: Purpose) -> Vec<u8> {
        let (owner, integration_id) = (self.owner.to_string(), self.integration_id.to_string());
        let mut data = Vec::with_capacity(head.len() + 256);
        for part in
            [head, purpose.as_str().as_bytes(), self.table.as_bytes(), owner.as_bytes(), integration_id.as_bytes()]
        {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_do_not_run_into_each_other() {
        let owner: Owner = "user/ada".parse().unwrap();
        let integration_id = "01JD0000000000000000000000".parse().unwrap();
        let data = |table| Context { table, owner: &owner, integration_id }.associated_data(b"", Purpose::Access);
        assert_ne!(data("a"), data("au"));
        assert_eq!(data("a"), data("a"));
    }
}
