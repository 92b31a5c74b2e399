//! What is wrong with a file, in the words a user sees.

use std::fmt;

/// The most mistakes that are told of one file; a file with more is another kind of file.
pub const MISTAKES_MAX: usize = 50;

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where: a JSON path from the file's root, `$.interactions[0].request.path`, or `line 3, column 7`.
    pub place: String,
    /// What is wrong, as a fragment.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// Everything that is wrong with a file, at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    /// The file's name as it was given.
    pub file: String,
    /// In the order of the file, at most [`MISTAKES_MAX`].
    pub list: Vec<Mistake>,
}

impl Mistakes {
    /// A file with one mistake.
    pub fn one(file: &str, place: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let mistake = Mistake { place: place.into(), message: message.into(), remedy: Some(remedy.into()) };
        Mistakes { file: file.to_owned(), list: vec![mistake] }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.list.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "error: {}\n  --> {} at {}", mistake.message, self.file, mistake.place)?;
            if let Some(remedy) = &mistake.remedy {
                write!(f, "\n   = help: {remedy}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
