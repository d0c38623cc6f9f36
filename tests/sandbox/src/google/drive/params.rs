//! Query parameters and what is wrong with them.

use std::collections::HashMap;

use super::fields::Selection;
use super::shapes::Shape;
use crate::google::error::ApiError;

/// The parameters of one request.
#[derive(Debug, Clone)]
pub struct Params(pub HashMap<String, String>);

impl Params {
    /// A parameter, absent when empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A switch with its default.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        match self.text(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(ApiError::invalid_parameter(name, format!("Invalid value '{other}'."))),
        }
    }

    /// A page size from 1 to `max`. A larger one is cut to `max` where the API does that (`coerced`), else refused.
    pub fn page_size(&self, default: usize, max: usize, coerced: bool) -> Result<usize, ApiError> {
        let Some(text) = self.text("pageSize") else { return Ok(default) };
        match text.parse::<usize>() {
            Ok(size) if (1..=max).contains(&size) => Ok(size),
            Ok(size) if size > max && coerced => Ok(max),
            _ => {
                let message = format!("Invalid value '{text}'. Values must be within the range: [1, {max}]");
                Err(ApiError::invalid_parameter("pageSize", message))
            }
        }
    }

    /// `supportsAllDrives` under its present or its former name.
    pub fn supports_all_drives(&self) -> Result<bool, ApiError> {
        Ok(self.flag("supportsAllDrives", false)? || self.flag("supportsTeamDrives", false)?)
    }

    /// `includeItemsFromAllDrives` under its present or its former name. It needs the other switch.
    pub fn includes_all_drives(&self) -> Result<bool, ApiError> {
        let includes = self.flag("includeItemsFromAllDrives", false)? || self.flag("includeTeamDriveItems", false)?;
        if includes && !self.supports_all_drives()? {
            let message =
                "The supportsAllDrives parameter must be set to true when includeItemsFromAllDrives is set to true.";
            return Err(ApiError::invalid_parameter("supportsAllDrives", message));
        }
        Ok(includes)
    }

    /// `driveId` under its present or its former name.
    pub fn drive_id(&self) -> Option<&str> {
        self.text("driveId").or_else(|| self.text("teamDriveId"))
    }

    /// The partial answer asked for, or the default one.
    pub fn selection(&self, shape: Shape, default: &str) -> Result<Selection, ApiError> {
        Selection::parse(self.text("fields").unwrap_or(default), shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn page_sizes_are_bounded() {
        for (text, coerced, expected) in [
            ("1", true, Some(1)),
            ("1000", true, Some(1000)),
            ("5000", true, Some(1000)),
            ("5000", false, None),
            ("0", true, None),
            ("-1", true, None),
            ("many", true, None),
        ] {
            let found = params(&[("pageSize", text)]).page_size(100, 1000, coerced).ok();
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(params(&[]).page_size(100, 1000, true), Ok(100));
    }

    #[test]
    fn including_all_drives_needs_support_for_all_drives() {
        assert!(params(&[("includeItemsFromAllDrives", "true")]).includes_all_drives().is_err());
        let both = params(&[("includeItemsFromAllDrives", "true"), ("supportsAllDrives", "true")]);
        assert_eq!(both.includes_all_drives(), Ok(true));
    }
}
