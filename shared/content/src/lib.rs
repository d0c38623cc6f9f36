#![doc = include_str!("../README.md")]

mod charset;
mod delimited;
mod docx;
mod error;
mod guard;
mod html;
mod kind;
mod limits;
mod odf;
mod office;
mod output;
mod package;
mod pdf;
mod plain;
mod pptx;
mod xlsx;
mod xml;

use std::fs::File;
use std::path::Path;

pub use error::{Error, Exceeded};
pub use kind::{Support, support};
pub use limits::Limits;

use kind::Format;
use limits::Budget;
use output::Output;

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text in normal form: `\n` line ends, no other control character than tab, no blank ends, at most two blank
    /// lines in a row.
    pub text: String,
    /// There was more, and it was left out: the file's text is longer than [`Limits::text_bytes`].
    pub truncated: bool,
}

/// Reads the text of `file`.
///
/// `mime_type` is what the provider says it is, `name` the file's name there; what the file's first bytes say outranks
/// both. Blocks for at most [`Limits::time`] and a moment: call it where blocking is allowed.
///
/// # Errors
/// See [`Error`]; all but [`Error::Io`] are facts about the file, which another attempt would meet again.
pub fn extract(file: &Path, mime_type: Option<&str>, name: &str, limits: &Limits) -> Result<Text, Error> {
    let handle = File::open(file)?;
    let bytes = handle.metadata()?.len();
    if bytes > limits.file_bytes {
        return Err(Error::TooLarge(Exceeded::FileBytes(limits.file_bytes)));
    }
    let (mime_type, name, limits) = (mime_type.map(str::to_owned), name.to_owned(), limits.clone());
    guard::run(limits.time, move || read(&handle, mime_type.as_deref(), &name, &limits))
}

/// Tells the format and reads it, on the guarded thread.
fn read(file: &File, mime_type: Option<&str>, name: &str, limits: &Limits) -> Result<Text, Error> {
    let budget = Budget::new(limits);
    let mut out = Output::new(limits.text_bytes);
    let result = kind::detect(file, mime_type, name, &budget).and_then(|format| match format {
        Format::Plain => plain::read(file, mime_type, &budget, &mut out),
        Format::Html => html::read(file, mime_type, &budget, &mut out),
        Format::Delimited(delimiter) => delimited::read(file, mime_type, delimiter, &budget, &mut out),
        Format::Office => office::read(file, &budget, &mut out),
        Format::Pdf => pdf::read(file, &budget, &mut out),
    });
    // A limit that a reader hit deep inside a decoder is the true reason, whatever the decoder made of it.
    match (budget.into_tripped(), result) {
        (Some(reason), _) | (None, Err(reason)) => Err(reason),
        (None, Ok(())) => Ok(out.finish()),
    }
}

#[cfg(test)]
mod tests;
