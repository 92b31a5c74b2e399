//! Names that callers give to things: what one must look like to fit into a path, a header and a log line. Which names
//! there are is each service's own.
//!
//! ```
//! chassis::name! {
//!     /// What an article is called.
//!     pub struct Sku, "sku"
//! }
//!
//! assert_eq!(Sku::new("widget").unwrap().as_str(), "widget");
//! let mistake = Sku::new("").unwrap_err();
//! assert_eq!(mistake.to_string(), "`sku` is not a name: give 1 to 255 visible ASCII characters");
//! ```

use serde_json::{Value, json};

use crate::problem::Problem;

/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 255;

/// A text is empty, too long, or holds something else than visible ASCII characters. Answered with 422.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is not a name: give 1 to {NAME_CHARS_MAX} visible ASCII characters")]
pub struct NotAName {
    /// The field of the request.
    pub field: &'static str,
}

impl From<NotAName> for Problem {
    fn from(mistake: NotAName) -> Self {
        Problem::invalid(mistake.to_string())
    }
}

/// Whether the text is 1 to [`NAME_CHARS_MAX`] visible ASCII characters.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The schema of a name, for the description of an HTTP surface.
pub fn name_schema() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": NAME_CHARS_MAX, "pattern": "^[!-~]+$" })
}

/// A type for the names of one kind of thing, and the field that a request has them in.
#[macro_export]
macro_rules! name {
    ($(#[$doc:meta])* pub struct $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The name, if it is 1 to 255 visible ASCII characters.
            pub fn new(text: impl Into<String>) -> Result<Self, $crate::name::NotAName> {
                let text = text.into();
                if $crate::name::is_name(&text) { Ok(Self(text)) } else { Err($crate::name::NotAName { field: $field }) }
            }

            /// The text of the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_visible() {
        for good in ["a", "order/7?x=%2F", &"x".repeat(NAME_CHARS_MAX)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "a\n", "ä", "\u{7f}", &"x".repeat(NAME_CHARS_MAX + 1)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
