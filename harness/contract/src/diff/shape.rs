//! Two shapes compared, part by part.

use std::{collections::BTreeSet, mem::discriminant};

use serde_json::Value;

use super::{
    Moved,
    include::{self, Allowed},
    parts::Scope,
};
use crate::{
    matching::{Kind, ListCheck, ObjectCheck, Shape, Tests, Whole, short},
    model::{Rule, RuleList, rule_path_field},
};

/// Notes what has changed between two shapes. `request`: they are of a request.
pub(super) fn compare(scope: &mut Scope, request: bool, old: &Shape, new: &Shape) {
    Walk { scope, request }.shape("$", old, new);
}

struct Walk<'s> {
    scope: &'s mut Scope,
    request: bool,
}

impl Walk<'_> {
    fn add(&mut self, what: &str, moved: Moved, path: &str, text: String) {
        let side = if self.request { "request" } else { "response" };
        self.scope.add(self.request, &format!("{side}-{what}"), moved, &format!("{side} {path}"), text);
    }

    /// A matcher that moved.
    fn moved(&mut self, moved: Moved, path: &str, text: String) {
        let what = match moved {
            Moved::Narrower => "matcher-tightened",
            Moved::Wider => "matcher-loosened",
            Moved::Other => "matcher-changed",
        };
        self.add(what, moved, path, text);
    }

    fn shape(&mut self, path: &str, old: &Shape, new: &Shape) {
        match (&old.kind, &new.kind) {
            (Kind::Scalar(old_list), Kind::Scalar(new_list)) => {
                let old = Allowed { example: &old.example, list: old_list.as_deref() };
                let new = Allowed { example: &new.example, list: new_list.as_deref() };
                self.scalar(path, old, new);
            }
            (Kind::Object(old_tests), Kind::Object(new_tests)) => {
                self.tests(path, old_tests, new_tests, |walk, old_test, new_test| {
                    walk.object(path, (old, old_test), (new, new_test));
                });
            }
            (Kind::List(old_tests), Kind::List(new_tests)) => {
                self.tests(path, old_tests, new_tests, |walk, old_test, new_test| {
                    walk.list(path, (old, old_test), (new, new_test));
                });
            }
            _ => {
                let text = format!("{} became {}", short(&old.example), short(&new.example));
                self.add("type-changed", Moved::Other, path, text);
            }
        }
    }

    /// Checks, one by one. Their number and how they are put together must stay, else nothing can be shown.
    fn tests<T>(&mut self, path: &str, old: &Tests<T>, new: &Tests<T>, mut compare: impl FnMut(&mut Self, &T, &T)) {
        let alike = old.checks.len() == new.checks.len() && (old.checks.len() == 1 || old.combine == new.combine);
        if !alike {
            return self.moved(Moved::Other, path, "the rules are put together otherwise".to_owned());
        }
        for (old, new) in old.checks.iter().zip(&new.checks) {
            compare(self, old, new);
        }
    }

    fn scalar(&mut self, path: &str, old: Allowed<'_>, new: Allowed<'_>) {
        let Some(moved) = include::moved(old, new) else { return };
        let (before, after) = (words(old), words(new));
        let text = format!("it was {before}, and is {after}");
        if moved == Moved::Other && discriminant(old.example) != discriminant(new.example) {
            return self.add("type-changed", moved, path, text);
        }
        if old.is_exact() && new.is_exact() {
            return self.add("value-changed", moved, path, text);
        }
        if let (Some(before), Some(after)) = (old.values(), new.values()) {
            let only = |these: &[Value], those: &[Value]| -> Vec<String> {
                these.iter().filter(|value| !those.contains(value)).map(short).collect()
            };
            let (gone, came) = (only(&before, &after), only(&after, &before));
            let text = match (gone.is_empty(), came.is_empty()) {
                (false, true) => format!("{} went", gone.join(", ")),
                (true, false) => format!("{} came", came.join(", ")),
                _ => format!("{} went, {} came", gone.join(", "), came.join(", ")),
            };
            let what = match moved {
                Moved::Narrower => "enum-narrowed",
                Moved::Wider => "enum-widened",
                Moved::Other => "enum-changed",
            };
            return self.add(what, moved, path, text);
        }
        self.moved(moved, path, text);
    }

    fn object(&mut self, path: &str, old: (&Shape, &ObjectCheck), new: (&Shape, &ObjectCheck)) {
        let ((old_shape, old), (new_shape, new)) = (old, new);
        self.whole(path, (&old_shape.example, old.whole.as_ref()), (&new_shape.example, new.whole.as_ref()));
        if old.each_key != new.each_key {
            let moved = match (subset(&old.each_key, &new.each_key), subset(&new.each_key, &old.each_key)) {
                (true, _) => Moved::Narrower,
                (_, true) => Moved::Wider,
                _ => Moved::Other,
            };
            self.moved(moved, path, "the rules for keys changed".to_owned());
        }
        if (old.all_fields, old.others.is_some()) != (new.all_fields, new.others.is_some()) {
            return self.moved(Moved::Other, path, "whether the keys matter changed".to_owned());
        }
        if let (Some(old), Some(new)) = (&old.others, &new.others) {
            self.shape(&format!("{path}.*"), old, new);
        }
        let names: BTreeSet<&String> = old.fields.keys().chain(new.fields.keys()).collect();
        for name in names {
            let mut below = path.to_owned();
            rule_path_field(&mut below, name);
            let before = old.fields.get(name).or(old.others.as_ref());
            let after = new.fields.get(name).or(new.others.as_ref());
            match (before, after) {
                (Some(before), Some(after)) => self.shape(&below, before, after),
                (Some(before), None) => self.field(&below, "field-removed", name, before, old.all_fields),
                (None, Some(after)) => self.field(&below, "field-added", name, after, new.all_fields),
                (None, None) => {}
            }
        }
    }

    fn field(&mut self, path: &str, what: &str, name: &str, shape: &Shape, needed: bool) {
        // A request has no field that the contract does not name: old requests and new ones have nothing in common.
        let moved = match (self.request && needed, what) {
            (true, _) => Moved::Other,
            (false, "field-removed") => Moved::Wider,
            (false, _) => Moved::Narrower,
        };
        let text = match what {
            "field-removed" => format!("the field `{name}` ({}) is no longer in the contract", short(&shape.example)),
            _ => format!("the field `{name}` ({}) is now in the contract", short(&shape.example)),
        };
        self.add(what, moved, path, text);
    }

    fn list(&mut self, path: &str, old: (&Shape, &ListCheck), new: (&Shape, &ListCheck)) {
        let ((old_shape, old), (new_shape, new)) = (old, new);
        match (old, new) {
            (ListCheck::Exactly(before), ListCheck::Exactly(after)) => {
                if before.len() != after.len() {
                    let text = format!("the list had {} elements, and has {}", before.len(), after.len());
                    self.moved(Moved::Other, path, text);
                }
                for (n, (before, after)) in before.iter().zip(after).enumerate() {
                    self.shape(&format!("{path}[{n}]"), before, after);
                }
            }
            (
                ListCheck::Any { whole: old_whole, items: old_items, rest: old_rest },
                ListCheck::Any { whole: new_whole, items: new_items, rest: new_rest },
            ) => {
                self.whole(path, (&old_shape.example, old_whole.as_ref()), (&new_shape.example, new_whole.as_ref()));
                match (old_rest, new_rest) {
                    (None, None) => {}
                    (Some(_), None) => self.moved(Moved::Wider, path, "any elements are allowed".to_owned()),
                    (None, Some(_)) => self.moved(Moved::Narrower, path, "not any elements are allowed".to_owned()),
                    (Some(before), Some(after)) => {
                        self.shape(&format!("{path}[*]"), before, after);
                        let same = |items: &[std::sync::Arc<Shape>], rest, n: usize| {
                            items.get(n).is_none_or(|item| std::sync::Arc::ptr_eq(item, rest))
                        };
                        for n in 0..old_items.len().max(new_items.len()) {
                            // Like all others, it was compared with them.
                            if same(old_items, before, n) && same(new_items, after, n) {
                                continue;
                            }
                            let (old, new) = (old_items.get(n).unwrap_or(before), new_items.get(n).unwrap_or(after));
                            self.shape(&format!("{path}[{n}]"), old, new);
                        }
                    }
                }
            }
            (ListCheck::Exactly(before), ListCheck::Any { whole, items, rest }) => {
                let fits = length(whole.as_ref()).is_some_and(|(min, max)| (min..=max).contains(&before.len()));
                let moved = if fits { Moved::Wider } else { Moved::Other };
                self.moved(moved, path, format!("the list had {} elements, and may have another number", before.len()));
                for (n, before) in before.iter().enumerate() {
                    if let Some(after) = items.get(n).or(rest.as_ref()) {
                        self.shape(&format!("{path}[{n}]"), before, after);
                    }
                }
            }
            (ListCheck::Any { whole, items, rest }, ListCheck::Exactly(after)) => {
                let fits = length(whole.as_ref()).is_some_and(|(min, max)| (min..=max).contains(&after.len()));
                let moved = if fits { Moved::Narrower } else { Moved::Other };
                self.moved(moved, path, format!("the list must now have {} elements", after.len()));
                for (n, after) in after.iter().enumerate() {
                    if let Some(before) = items.get(n).or(rest.as_ref()) {
                        self.shape(&format!("{path}[{n}]"), before, after);
                    }
                }
            }
            (ListCheck::Contains(before), ListCheck::Contains(after)) if before.len() == after.len() => {
                for (n, pair) in before.iter().zip(after).enumerate() {
                    match pair {
                        (Some(before), Some(after)) => self.shape(&format!("{path}[{n}]"), before, after),
                        (None, None) => {}
                        // Without its example the variant can be met by nothing at all.
                        (Some(_), None) => {
                            self.moved(
                                Moved::Narrower,
                                path,
                                format!("the example lacks the element of variant {n} now"),
                            );
                        }
                        (None, Some(_)) => {
                            self.moved(Moved::Wider, path, format!("the example has the element of variant {n} now"));
                        }
                    }
                }
            }
            _ => self.moved(Moved::Other, path, "the list is matched otherwise".to_owned()),
        }
    }

    fn whole(&mut self, path: &str, old: (&Value, Option<&Whole>), new: (&Value, Option<&Whole>)) {
        let within =
            |big: (&Value, Option<&Whole>), small: (&Value, Option<&Whole>)| match (length(big.1), length(small.1)) {
                (Some((big_min, big_max)), Some((min, max))) => big_min <= min && max <= big_max,
                _ => match (big.1, small.1) {
                    (None, _) => true,
                    (Some(Whole::Equal), Some(Whole::Equal)) => big.0 == small.0,
                    (big, small) => big == small,
                },
            };
        let moved = match (within(new, old), within(old, new)) {
            (true, true) => return,
            (true, false) => Moved::Wider,
            (false, true) => Moved::Narrower,
            (false, false) => Moved::Other,
        };
        let say = |whole: Option<&Whole>| match whole {
            None => "anything".to_owned(),
            Some(Whole::Length { min, max: usize::MAX }) => format!("at least {min}"),
            Some(Whole::Length { min: 0, max }) => format!("at most {max}"),
            Some(Whole::Length { min, max }) => format!("{min} to {max}"),
            Some(Whole::NotEmpty) => "not empty".to_owned(),
            Some(Whole::Equal) => "exactly the example".to_owned(),
            Some(Whole::Unfit(rule)) => rule.to_string(),
        };
        self.moved(moved, path, format!("as a whole it was {}, and is {}", say(old.1), say(new.1)));
    }
}

/// The bounds of a collection's length, if that is all that is asked of it.
fn length(whole: Option<&Whole>) -> Option<(usize, usize)> {
    match whole {
        None => Some((0, usize::MAX)),
        Some(Whole::NotEmpty) => Some((1, usize::MAX)),
        Some(Whole::Length { min, max }) => Some((*min, *max)),
        Some(Whole::Equal | Whole::Unfit(_)) => None,
    }
}

fn subset(these: &[Rule], those: &[Rule]) -> bool {
    these.iter().all(|rule| those.contains(rule))
}

/// What is allowed, in words.
pub(super) fn words(allowed: Allowed<'_>) -> String {
    let Some(RuleList { combine, rules }) = allowed.list else { return short(allowed.example) };
    let each: Vec<String> = rules
        .iter()
        .map(|rule| match rule {
            Rule::Equality | Rule::Values => short(allowed.example),
            Rule::Type { .. } => format!("{rule} as {}", short(allowed.example)),
            rule => rule.to_string(),
        })
        .collect();
    each.join(match combine {
        crate::model::Combine::And => " and ",
        crate::model::Combine::Or => " or ",
    })
}
