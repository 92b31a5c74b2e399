//! Strikes: answers on one edge, to one kind of call, made other than the callee would give them. Pure.

use std::collections::BTreeSet;

use squall_contract::{
    example::Sent,
    violation::{Broken, Violation},
};
use squall_proxy::{BodyChange, BodyEdit, CallMatch, Fault, Inject, Match, Respond, Then};
use squall_record::Edge;
use squall_scenario::model::Call;

use crate::{
    faults::contracted::{change, dotted},
    plan::Listener,
};

/// What is done to the answers to one kind of call: to every one of them, for as long as it is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Strike {
    /// Its name in the record.
    pub name: String,
    /// Who calls. The callee stands in the call.
    pub caller: String,
    /// Which calls.
    pub call: Call,
    /// What is done.
    pub does: Does,
}

/// What a strike does.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    /// The callee does its work, and its own answer of this status is broken.
    Breaks {
        /// The status.
        status: u16,
        /// The change of its body.
        edit: Edit,
    },
    /// The callee does its work, and the caller is given this in place of its answer.
    AnswersInstead(Sent),
    /// The callee never learns of the call, and the caller is given this.
    AnswersAs(Sent),
}

/// A change of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    violation: Violation,
    /// Where, dots between the levels; none for a body as a whole.
    field: Option<String>,
    /// The whole body that is sent in place of it.
    whole: String,
}

impl Edit {
    /// The change that makes a callee's own answer broken as this declared one is.
    ///
    /// # Errors
    /// In words, where the field's name cannot be told to the proxy.
    pub fn of(broken: &Broken) -> Result<Edit, String> {
        let told = |field: &String| {
            dotted(field).ok_or_else(|| format!("`{field}` has a name that cannot be told to the proxy"))
        };
        let field = broken.field.as_ref().map(told).transpose()?;
        Ok(Edit { violation: broken.violation, field, whole: text(&broken.sent)? })
    }

    fn body_edit(&self, status: u16) -> BodyEdit {
        let (field, change) = match (&self.field, self.violation) {
            (_, Violation::Empty | Violation::NotJson) | (None, _) => {
                (String::new(), BodyChange::Replace(self.whole.clone()))
            }
            (Some(field), violation) => (field.clone(), change(violation)),
        };
        BodyEdit { status: Some(status), field, change }
    }
}

impl Strike {
    /// What each link's proxy injects for it: the link's number, and the fault.
    ///
    /// # Errors
    /// In words, when no edge leads from the caller to the callee, or a body is no text.
    pub(crate) fn faults(&self, order: u32, listeners: &[Listener]) -> Result<Vec<(u32, Fault)>, String> {
        let inject = match &self.does {
            Does::Breaks { status, edit } => Inject::BreakBody { edits: vec![edit.body_edit(*status)] },
            Does::AnswersInstead(sent) => Inject::LoseResponse { then: Then::Respond(respond(sent)?) },
            Does::AnswersAs(sent) => Inject::Respond(respond(sent)?),
        };
        let call = CallMatch { method: self.call.method.clone(), path: self.call.path.clone() };
        let fault = |edge: Option<Edge>| Fault {
            name: self.name.clone(),
            order,
            edge,
            inject: inject.clone(),
            matching: Match { call: Some(call.clone()), ..Match::default() },
            keeps_live: true,
        };
        let mut faults = Vec::new();
        for listener in listeners {
            let leads: BTreeSet<&Edge> = listener.leads.iter().map(|lead| &lead.edge).collect();
            let is_struck = |edge: &Edge| edge.from == self.caller && edge.to == self.call.service;
            if leads.iter().all(|edge| is_struck(edge)) {
                faults.push((listener.id, fault(None)));
            } else if let Some(edge) = leads.iter().find(|edge| is_struck(edge)) {
                faults.push((listener.id, fault(Some((**edge).clone()))));
            }
        }
        match faults.is_empty() {
            true => Err(format!("no edge leads from `{}` to `{}`", self.caller, self.call.service)),
            false => Ok(faults),
        }
    }
}

fn respond(sent: &Sent) -> Result<Respond, String> {
    Ok(Respond { status: sent.status, headers: sent.headers.clone(), body: None, text: Some(text(sent)?) })
}

fn text(sent: &Sent) -> Result<String, String> {
    String::from_utf8(sent.body.clone()).map_err(|_| "its body is no text, which cannot be played yet".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::{Carries, Lead};

    fn listener(id: u32, edges: &[Edge]) -> Listener {
        let leads = edges.iter().map(|edge| Lead { edge: edge.clone(), prefix: String::new() }).collect();
        Listener { id, caller: 0, carries: Carries::Calls, leads }
    }

    fn broken(violation: Violation, field: Option<&str>, body: &str) -> Broken {
        let sent = Sent { status: 201, headers: Default::default(), body: body.as_bytes().to_vec() };
        Broken { name: String::new(), violation, field: field.map(str::to_owned), forbidden: true, sent }
    }

    fn strike(does: Does) -> Strike {
        let call = Call { method: "POST".into(), service: "payment".into(), path: "/payments".into() };
        Strike { name: "broken".into(), caller: "order".into(), call, does }
    }

    fn edit(violation: Violation, field: Option<&str>, body: &str) -> BodyEdit {
        Edit::of(&broken(violation, field, body)).unwrap().body_edit(201)
    }

    #[test]
    fn a_callees_own_answer_is_broken_at_the_same_place() {
        assert_eq!(
            edit(Violation::MissingField, Some("$.lines[0].sku"), "{}"),
            BodyEdit { status: Some(201), field: "lines.0.sku".into(), change: BodyChange::Remove }
        );
        let added = BodyChange::Add { name: "squall_extra".into(), value: json!("not in the contract") };
        assert_eq!(edit(Violation::ExtraField, Some("$"), "{}").change, added);
        assert_eq!(edit(Violation::Empty, None, "").change, BodyChange::Replace(String::new()));
        assert_eq!(edit(Violation::NotJson, None, "<p>").change, BodyChange::Replace("<p>".into()));
        let why = Edit::of(&broken(Violation::MissingField, Some("$['a b']"), "{}")).unwrap_err();
        assert!(why.contains("`$['a b']`"), "{why}");
    }

    #[test]
    fn every_edge_between_the_two_is_struck_and_no_other() {
        let (calls, events) = (Edge::calls("order", "payment"), Edge::events("order", "payment"));
        let listeners = [
            listener(0, &[Edge::calls("client", "payment")]),
            listener(1, std::slice::from_ref(&calls)),
            listener(2, &[Edge::calls("order", "stock"), calls.clone()]),
            listener(3, &[events]),
            listener(4, &[Edge::calls("order", "stock")]),
        ];
        let sent = broken(Violation::Empty, None, "{").sent;
        let faults = strike(Does::AnswersAs(sent)).faults(0, &listeners).unwrap();
        let on: Vec<_> = faults.iter().map(|(link, fault)| (*link, fault.edge.clone())).collect();
        assert_eq!(on, [(1, None), (2, Some(calls)), (3, None)]);
        assert!(matches!(&faults[0].1.inject, Inject::Respond(Respond { text: Some(text), .. }) if text == "{"));
        let why = strike(Does::AnswersAs(broken(Violation::Empty, None, "").sent)).faults(0, &listeners[..1]);
        assert_eq!(why.unwrap_err(), "no edge leads from `order` to `payment`");
    }
}
