//! What an example and its rules allow, as a tree that a value is walked along.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::cursor::Cursor;
use crate::model::{Combine, Rule, RuleList, RulePath, Step, Variant};

/// How many parts a shape may have: rules that name elements of lists in lists multiply.
const PARTS_MAX: usize = 200_000;
/// The greatest index that a rule may name.
const INDEX_MAX: usize = 1000;

/// The rules of an interaction multiply beyond what can be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the example with its rules unfolds to more than {PARTS_MAX} parts")]
pub struct TooLarge;

/// What is allowed at one part of a body.
#[derive(Debug)]
pub struct Shape {
    /// The value that the contract gives as an example.
    pub example: Value,
    /// What a value must be in its place.
    pub kind: Kind,
}

/// What a value must be.
#[derive(Debug)]
pub enum Kind {
    /// Whatever the rules say of a value; none: equal to the example.
    Scalar(Option<Arc<RuleList>>),
    /// A mapping.
    Object(Tests<ObjectCheck>),
    /// A list.
    List(Tests<ListCheck>),
}

/// Checks, of which all or one must hold.
#[derive(Debug)]
pub struct Tests<T> {
    /// Whether all must hold or one.
    pub combine: Combine,
    /// At least one.
    pub checks: Vec<T>,
}

/// A check of a collection as a whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Whole {
    /// Between so many parts.
    Length {
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
    /// At least one part.
    NotEmpty,
    /// Equal to the example.
    Equal,
    /// A rule that no collection can meet.
    Unfit(Rule),
}

/// A check of a mapping.
#[derive(Debug)]
pub struct ObjectCheck {
    /// Of the mapping as a whole.
    pub whole: Option<Whole>,
    /// Whether every field of the example must be there.
    pub all_fields: bool,
    /// Whether no other field may be there.
    pub no_others: bool,
    /// What each key must be.
    pub each_key: Vec<Rule>,
    /// The example's fields.
    pub fields: BTreeMap<String, Arc<Shape>>,
    /// What any other field must be.
    pub others: Option<Arc<Shape>>,
}

/// A check of a list.
#[derive(Debug)]
pub enum ListCheck {
    /// The elements one by one, and no more.
    Exactly(Vec<Arc<Shape>>),
    /// Any number of elements.
    Any {
        /// Of the list as a whole.
        whole: Option<Whole>,
        /// The first ones.
        items: Vec<Arc<Shape>>,
        /// The others; none where the example is empty.
        rest: Option<Arc<Shape>>,
    },
    /// Somewhere an element for each of these; `None` stands for one that the example lacks.
    Contains(Vec<Option<Arc<Shape>>>),
}

/// Compiles an example with its rules. `strict`: fields that it does not name are refused.
///
/// # Errors
/// When rules and example multiply beyond reason.
pub(super) fn compile(
    example: &Value,
    rules: &[(RulePath, Arc<RuleList>)],
    strict: bool,
) -> Result<Arc<Shape>, TooLarge> {
    Compiler { strict, parts: 0 }.shape(example, &Cursor::new(rules))
}

type Elements = (Vec<Arc<Shape>>, Option<Arc<Shape>>);

struct Compiler {
    strict: bool,
    parts: usize,
}

impl Compiler {
    fn shape(&mut self, example: &Value, cursor: &Cursor) -> Result<Arc<Shape>, TooLarge> {
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(TooLarge);
        }
        let kind = match example {
            Value::Object(map) => Kind::Object(self.object(map, cursor)?),
            Value::Array(items) => Kind::List(self.list(items, cursor)?),
            _ => Kind::Scalar(cursor.rules().map(|(list, _)| list.clone())),
        };
        Ok(Arc::new(Shape { example: example.clone(), kind }))
    }

    fn object(
        &mut self,
        map: &serde_json::Map<String, Value>,
        cursor: &Cursor,
    ) -> Result<Tests<ObjectCheck>, TooLarge> {
        let Some((list, cascaded)) = cursor.rules() else {
            let check = self.fields(map, cursor, None, true)?;
            return Ok(Tests { combine: Combine::And, checks: vec![check] });
        };
        let for_keys = |rule: &Rule| matches!(rule, Rule::Values | Rule::EachKey(_) | Rule::EachValue(_));
        let all_fields = cascaded || !list.rules.iter().any(for_keys);
        let each_key: Vec<Rule> = match cascaded {
            true => Vec::new(),
            false => list.rules.iter().filter_map(keys_rules).flatten().cloned().collect(),
        };
        let mut checks = Vec::new();
        // The fields are the same under each rule: compiled once, for they would multiply from level to level.
        let mut fields = None;
        for rule in &list.rules {
            checks.push(match rule {
                Rule::EachValue(each) if !cascaded => self.values(map, &Cursor::each(each.clone()))?,
                rule if rule.is_for_values() && !cascaded => self.values(map, cursor)?,
                rule => {
                    let whole = whole_mapping(rule, cascaded);
                    let mut check = match fields.take() {
                        Some(fields) => ObjectCheck { whole, ..self.around(fields, map, all_fields) },
                        None => self.fields(map, cursor, whole, all_fields)?,
                    };
                    fields = Some(check.fields.clone());
                    // Whichever rule is checked, the keys are.
                    check.each_key = each_key.clone();
                    check
                }
            });
        }
        Ok(Tests { combine: list.combine, checks })
    }

    /// The example's own fields.
    fn fields(
        &mut self,
        map: &serde_json::Map<String, Value>,
        cursor: &Cursor,
        whole: Option<Whole>,
        all_fields: bool,
    ) -> Result<ObjectCheck, TooLarge> {
        let mut fields = BTreeMap::new();
        for (name, value) in map {
            fields.insert(name.clone(), self.shape(value, &cursor.step(Step::Field(name)))?);
        }
        Ok(ObjectCheck { whole, ..self.around(fields, map, all_fields) })
    }

    fn around(
        &self,
        fields: BTreeMap<String, Arc<Shape>>,
        map: &serde_json::Map<String, Value>,
        all_fields: bool,
    ) -> ObjectCheck {
        let no_others = self.strict && (all_fields || map.is_empty());
        ObjectCheck { whole: None, all_fields, no_others, each_key: Vec::new(), fields, others: None }
    }

    /// Values of a mapping whatever its keys: those that the example lacks are like its first by name.
    fn values(&mut self, map: &serde_json::Map<String, Value>, cursor: &Cursor) -> Result<ObjectCheck, TooLarge> {
        let no_others = self.strict && map.is_empty();
        let mut check = ObjectCheck {
            whole: None,
            all_fields: false,
            no_others,
            each_key: Vec::new(),
            fields: BTreeMap::new(),
            others: None,
        };
        let sorted: BTreeMap<_, _> = map.iter().collect();
        let Some((_, first)) = sorted.first_key_value() else { return Ok(check) };
        for (name, value) in &sorted {
            check.fields.insert((*name).clone(), self.shape(value, &cursor.step(Step::Field(name)))?);
        }
        let named: BTreeSet<&str> = cursor.fields().filter(|name| !map.contains_key(*name)).collect();
        for name in named {
            check.fields.insert(name.to_owned(), self.shape(first, &cursor.step(Step::Field(name)))?);
        }
        check.others = Some(self.shape(first, &cursor.step(Step::OtherField))?);
        Ok(check)
    }

    fn list(&mut self, items: &[Value], cursor: &Cursor) -> Result<Tests<ListCheck>, TooLarge> {
        let Some((list, cascaded)) = cursor.rules() else {
            let items = self.items(items, items.len(), cursor)?;
            return Ok(Tests { combine: Combine::And, checks: vec![ListCheck::Exactly(items)] });
        };
        let mut checks = Vec::new();
        let mut elements = None;
        for rule in &list.rules {
            checks.push(match rule {
                Rule::ArrayContains(variants) => ListCheck::Contains(self.variants(items, variants)?),
                Rule::EachValue(_) if cascaded => ListCheck::Any { whole: None, items: Vec::new(), rest: None },
                Rule::EachValue(each) => {
                    let (items, rest) = self.elements(items, &Cursor::each(each.clone()))?;
                    ListCheck::Any { whole: None, items, rest }
                }
                rule => {
                    if elements.is_none() {
                        elements = Some(self.elements(items, cursor)?);
                    }
                    let (items, rest) = elements.clone().unwrap_or_default();
                    ListCheck::Any { whole: whole(rule, cascaded), items, rest }
                }
            });
        }
        Ok(Tests { combine: list.combine, checks })
    }

    /// The first elements, and what the others are like.
    fn elements(&mut self, items: &[Value], cursor: &Cursor) -> Result<Elements, TooLarge> {
        let Some(first) = items.first() else { return Ok((Vec::new(), None)) };
        let named = cursor.indexes().filter(|index| *index <= INDEX_MAX).map(|index| index + 1).max().unwrap_or(0);
        let shapes = self.items(items, items.len().max(named), cursor)?;
        let rest = match shapes.first() {
            // No rule names the first: the others are like it.
            Some(shape) if !cursor.indexes().any(|index| index == 0) => shape.clone(),
            _ => self.shape(first, &cursor.step(Step::OtherIndex))?,
        };
        Ok((shapes, Some(rest)))
    }

    /// The first elements; those that the example lacks are like its first.
    fn items(&mut self, items: &[Value], count: usize, cursor: &Cursor) -> Result<Vec<Arc<Shape>>, TooLarge> {
        let named: BTreeSet<usize> = cursor.indexes().collect();
        let other = cursor.step(Step::OtherIndex);
        let mut like_first: Option<Arc<Shape>> = None;
        let mut shapes = Vec::with_capacity(count);
        for index in 0..count {
            let example = items.get(index).or(items.first()).unwrap_or(&Value::Null);
            shapes.push(if named.contains(&index) {
                self.shape(example, &cursor.step(Step::Index(index)))?
            } else if index < items.len() {
                self.shape(example, &other)?
            } else {
                match &like_first {
                    Some(shape) => shape.clone(),
                    None => like_first.insert(self.shape(example, &other)?).clone(),
                }
            });
        }
        Ok(shapes)
    }

    fn variants(&mut self, items: &[Value], variants: &[Variant]) -> Result<Vec<Option<Arc<Shape>>>, TooLarge> {
        if variants.is_empty() {
            let equal = Cursor::each(Arc::new(RuleList { combine: Combine::And, rules: vec![Rule::Equality] }));
            return items.iter().map(|item| self.shape(item, &equal).map(Some)).collect();
        }
        let shape = |variant: &Variant| match items.get(variant.index) {
            Some(item) => self.shape(item, &Cursor::new(&variant.rules)).map(Some),
            None => Ok(None),
        };
        variants.iter().map(shape).collect()
    }
}

fn keys_rules(rule: &Rule) -> Option<&Vec<Rule>> {
    match rule {
        Rule::EachKey(rules) => Some(rules),
        _ => None,
    }
}

/// What a rule asks of a list or a mapping as a whole; at a list, a rule for scalars is for its elements.
fn whole(rule: &Rule, cascaded: bool) -> Option<Whole> {
    match rule {
        // Bounds are for the collection they were written for, not for those within it.
        Rule::Type { min, max } if !cascaded && (min.is_some() || max.is_some()) => {
            Some(Whole::Length { min: min.unwrap_or(0), max: max.unwrap_or(usize::MAX) })
        }
        Rule::NotEmpty => Some(Whole::NotEmpty),
        Rule::Equality => Some(Whole::Equal),
        Rule::Null | Rule::Status(_) => Some(Whole::Unfit(rule.clone())),
        _ => None,
    }
}

/// What a rule asks of a mapping: it cannot be a number or a date.
fn whole_mapping(rule: &Rule, cascaded: bool) -> Option<Whole> {
    match rule {
        Rule::Include(_) | Rule::Integer | Rule::Decimal | Rule::Number | Rule::Boolean => {
            Some(Whole::Unfit(rule.clone()))
        }
        Rule::DateTime(_) | Rule::Semver | Rule::ContentType(_) => Some(Whole::Unfit(rule.clone())),
        rule => whole(rule, cascaded),
    }
}
