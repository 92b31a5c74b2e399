//! The rules by which changes are known.

use std::fmt;

/// What a change does to one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What worked may fail.
    Breaking,
    /// What worked goes on working.
    Compatible,
}

/// Whose trouble counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// The provider's.
    Provider,
    /// The consumer's.
    Consumer,
    /// Either's.
    #[default]
    Both,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::Breaking => "breaking",
            Effect::Compatible => "compatible",
        })
    }
}

/// A kind of change, known by a stable name.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// `response-field-removed`
    pub id: &'static str,
    /// What it says of the provider: `breaking`, `compatible`, or when it is which.
    pub provider: &'static str,
    /// What it says of the consumer.
    pub consumer: &'static str,
    /// Why, in one sentence.
    pub why: &'static str,
}

const fn rule(id: &'static str, provider: &'static str, consumer: &'static str, why: &'static str) -> Rule {
    Rule { id, provider, consumer, why }
}

const YES: &str = "breaking";
const NO: &str = "compatible";

/// Every rule, in the order in which the documentation lists them.
pub static RULES: &[Rule] = &[
    rule("interaction-added", YES, NO, "a provider that met the old contract was never asked for this"),
    rule(
        "interaction-removed",
        "compatible, unless no other interaction for such calls allows as much",
        YES,
        "the consumer that is deployed may rely on what nobody verifies any more",
    ),
    rule("status-removed", YES, YES, "calls of this kind have a contract still, and this status is not in it"),
    rule("interaction-kind-changed", YES, YES, "a message is not a request"),
    rule(
        "provider-state-changed",
        YES,
        YES,
        "the promise holds under another condition, which the provider must be able to set up",
    ),
    rule("provider-state-value-changed", NO, NO, "the same condition with other values"),
    rule("response-status-changed", YES, YES, "the answer has another status"),
    rule("response-status-narrowed", YES, NO, "fewer statuses are allowed"),
    rule("response-status-widened", NO, YES, "the consumer may be given a status that it does not expect"),
    rule("response-field-removed", NO, YES, "the provider may leave the field out, and the consumer may need it"),
    rule("response-field-added", YES, NO, "the provider must now answer with the field"),
    rule("response-type-changed", YES, YES, "the value is of another type"),
    rule("response-value-changed", YES, YES, "exactly one value is allowed, and it is another"),
    rule("response-enum-narrowed", YES, NO, "the provider may say a word that is no longer allowed"),
    rule("response-enum-widened", NO, YES, "the consumer may be given a word that it does not know"),
    rule("response-enum-changed", YES, YES, "words went and words came"),
    rule("response-matcher-tightened", YES, NO, "fewer values are allowed"),
    rule("response-matcher-loosened", NO, YES, "more values are allowed"),
    rule(
        "response-matcher-changed",
        YES,
        YES,
        "other values are allowed, and neither set can be shown to hold the other",
    ),
    rule("response-body-added", YES, NO, "the contract speaks of the body now"),
    rule("response-body-removed", NO, YES, "the contract no longer speaks of the body"),
    rule("response-content-type-changed", YES, YES, "the body is of another media type"),
    rule("response-header-added", YES, NO, "the provider must now send the header"),
    rule("response-header-removed", NO, YES, "the provider may leave the header out"),
    rule(
        "response-header-changed",
        "as its values went",
        "as its values went",
        "other values of the header are allowed",
    ),
    rule("request-method-changed", YES, YES, "another method is another operation"),
    rule("request-path-changed", "as its values went", "as its values went", "other paths are called"),
    rule("request-query-added", YES, YES, "requests have this parameter now, and old ones do not"),
    rule("request-query-removed", YES, YES, "requests no longer have this parameter, and old ones do"),
    rule("request-query-changed", "as its values went", "as its values went", "other values of the parameter are sent"),
    rule("request-field-added", YES, YES, "requests must have this field now, and old ones do not"),
    rule("request-field-removed", YES, YES, "requests no longer have this field, which the provider may need"),
    rule("request-type-changed", YES, YES, "the value is of another type"),
    rule("request-value-changed", YES, YES, "exactly one value is sent, and it is another"),
    rule("request-enum-narrowed", NO, YES, "old consumers may send a word that is no longer in the contract"),
    rule("request-enum-widened", YES, NO, "the provider may be sent a word that it does not know"),
    rule("request-enum-changed", YES, YES, "words went and words came"),
    rule("request-matcher-tightened", NO, YES, "old consumers may send what is no longer in the contract"),
    rule("request-matcher-loosened", YES, NO, "the provider may be sent what it does not know"),
    rule("request-matcher-changed", YES, YES, "other values are sent, and neither set can be shown to hold the other"),
    rule("request-body-added", NO, YES, "the contract speaks of the body now, and old consumers may send another"),
    rule("request-body-removed", YES, NO, "the contract no longer speaks of the body: any may come"),
    rule("request-content-type-changed", YES, YES, "the body is of another media type"),
    rule("request-header-added", NO, YES, "old consumers do not send the header"),
    rule("request-header-removed", YES, NO, "the provider may need the header, which may now be left out"),
    rule("request-header-changed", "as its values went", "as its values went", "other values of the header are sent"),
    rule("metadata-added", YES, NO, "the message must now have this entry"),
    rule("metadata-removed", NO, YES, "the message may leave this entry out"),
    rule("metadata-changed", "as its values went", "as its values went", "other values of the entry are allowed"),
];

/// A rule by its name.
///
/// # Panics
/// If there is none: a bug of ours, seen by the first test that fires it.
pub(super) fn of(id: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.id == id).unwrap_or_else(|| panic!("no rule `{id}`"))
}
