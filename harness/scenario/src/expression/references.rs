//! What an expression asks for: names, fields of names, functions.

use std::collections::BTreeSet;

use cel::{
    IdedExpr,
    common::ast::{EntryExpr, Expr, LiteralValue},
};

/// Names that an expression uses and does not declare itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    /// `stock` in `stock.all(s, s.sold > 0)`.
    pub(crate) names: BTreeSet<String>,
    /// `("http", "order")` in `http.order == 200`: a name and the first field taken of it.
    pub(crate) fields: BTreeSet<(String, String)>,
    /// Names of which something else than a field is taken.
    pub(crate) whole: BTreeSet<String>,
    /// `size`, and operators by their internal names: `_==_`.
    pub(crate) functions: BTreeSet<String>,
    /// The arguments of `calls(route, class)` that stand there as texts.
    pub(crate) counted: Vec<(String, String)>,
    /// How deep the expression's tree is.
    pub(crate) depth: usize,
    /// How deep its loops (`all`, `map`, …) nest.
    pub(crate) loops: usize,
}

impl References {
    pub(crate) fn of(expression: &IdedExpr) -> References {
        let mut references = References::default();
        references.walk(expression, &mut Vec::new(), 1);
        references
    }

    fn walk<'e>(&mut self, expression: &'e IdedExpr, declared: &mut Vec<&'e str>, depth: usize) {
        self.depth = self.depth.max(depth);
        let depth = depth + 1;
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                if let Some(name) = free(name, declared) {
                    self.names.insert(name.to_owned());
                    self.whole.insert(name.to_owned());
                }
            }
            Expr::Select(select) => {
                if let Expr::Ident(name) = &select.operand.expr
                    && let Some(name) = free(name, declared)
                {
                    self.names.insert(name.to_owned());
                    self.fields.insert((name.to_owned(), select.field.clone()));
                    self.depth = self.depth.max(depth);
                } else {
                    self.walk(&select.operand, declared, depth);
                }
            }
            Expr::Call(call) => {
                self.functions.insert(call.func_name.clone());
                if let ("calls", [route, class]) = (call.func_name.as_str(), call.args.as_slice())
                    && let (Some(route), Some(class)) = (literal(route), literal(class))
                {
                    self.counted.push((route, class));
                }
                for part in call.target.as_deref().into_iter().chain(&call.args) {
                    self.walk(part, declared, depth);
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.walk(element, declared, depth)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr, declared, depth)),
            Expr::Struct(fields) => fields.entries.iter().for_each(|entry| self.entry(&entry.expr, declared, depth)),
            Expr::Comprehension(comprehension) => {
                self.walk(&comprehension.iter_range, declared, depth);
                self.walk(&comprehension.accu_init, declared, depth);
                let before = declared.len();
                declared.push(&comprehension.accu_var);
                declared.push(&comprehension.iter_var);
                declared.extend(comprehension.iter_var2.as_deref());
                // Each loop declares its result, its variable and, rarely, a second one.
                self.loops = self.loops.max(declared.iter().filter(|name| name.starts_with('@')).count());
                for part in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
                    self.walk(part, declared, depth);
                }
                declared.truncate(before);
            }
        }
    }

    fn entry<'e>(&mut self, entry: &'e EntryExpr, declared: &mut Vec<&'e str>, depth: usize) {
        match entry {
            EntryExpr::StructField(field) => self.walk(&field.value, declared, depth),
            EntryExpr::MapEntry(entry) => {
                self.walk(&entry.key, declared, depth);
                self.walk(&entry.value, declared, depth);
            }
        }
    }
}

fn literal(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        _ => None,
    }
}

/// A name that the expression itself does not declare. Those of macros begin with `@`.
fn free<'n>(name: &'n str, declared: &[&str]) -> Option<&'n str> {
    let name = name.strip_prefix('.').unwrap_or(name);
    (!name.starts_with('@') && !declared.contains(&name)).then_some(name)
}
