//! What is put to the test: each answer that a pact declares to a consumer, and every way to break it. Pure.

use squall_contract::{
    book::Book,
    example::{self, Sent},
    matching,
    model::{Interaction, Pact},
    violation::{self, Broken},
};
use squall_record::Seed;
use squall_scenario::{
    model::{Call, System},
    route,
};

/// One declared answer.
#[derive(Clone, Debug)]
pub struct Target {
    /// Who promises it.
    pub provider: String,
    /// As the pact has it.
    pub interaction: Interaction,
    /// The calls that it is for, as a pattern; none where only a call that is seen can tell.
    pub call: Option<Call>,
    /// The answer as it is declared.
    pub declared: Sent,
    /// Every way to break it.
    pub broken: Vec<Broken>,
    /// Whether it was asked for. Others only lead there.
    pub wanted: bool,
}

/// Every HTTP interaction of the consumer, in the order of the pacts. `only`: just those that have this text are wanted.
///
/// # Errors
/// When an answer's example and rules multiply beyond reason, with its name.
pub fn all(
    consumer: &str,
    pacts: &[Pact],
    system: &System,
    only: Option<&str>,
    seed: Seed,
) -> Result<Vec<Target>, String> {
    let mut targets = Vec::new();
    for pact in pacts.iter().filter(|pact| pact.consumer == consumer) {
        for interaction in &pact.interactions {
            let Some(http) = interaction.http() else { continue };
            let broken = violation::all(&http.response, seed).map_err(|why| format!("`{interaction}`: {why}"))?;
            let (method, path) = (&http.request.method, &http.request.path);
            targets.push(Target {
                provider: pact.provider.clone(),
                interaction: interaction.clone(),
                call: route::find(calls_of(system), method, &pact.provider, path).cloned(),
                declared: example::answer(&http.response, seed),
                broken,
                wanted: only.is_none_or(|text| interaction.to_string().contains(text)),
            });
        }
    }
    Ok(targets)
}

/// The calls between services that the system file names.
fn calls_of(system: &System) -> impl Iterator<Item = &Call> {
    let steps = system.sagas.iter().flat_map(|saga| &saga.steps);
    let of_steps = steps.flat_map(|step| std::iter::once(&step.does).chain(step.undo.iter().map(|undo| &undo.call)));
    let of_events = system.services.iter().flat_map(|service| service.events.iter().map(|route| &route.call));
    of_steps.chain(of_events).chain(system.operations.iter().map(|operation| &operation.call))
}

impl Target {
    /// Finds out which calls it is for by one that was seen and that its contract takes for such a call.
    pub fn learn(&mut self, book: &Book, method: &str, target: &str) {
        let Some(http) = self.interaction.http().filter(|_| self.call.is_none()) else { return };
        let asked = matching::Call { method, target };
        let is_meant = book.candidates(&self.provider, &asked).iter().any(|of| of.interaction == self.interaction);
        if is_meant {
            let path = pattern(&http.request.path, target.split('?').next().unwrap_or_default());
            self.call = path.map(|path| Call { method: method.to_owned(), service: self.provider.clone(), path });
        }
    }

    /// The words that tell its call to a reader.
    pub fn call_in_words(&self) -> String {
        match (&self.call, self.interaction.http()) {
            (Some(call), _) => format!("{} {}", call.method, call.path),
            (None, Some(http)) => format!("{} {}", http.request.method, http.request.path),
            (None, None) => String::new(),
        }
    }
}

/// The pattern of two paths of one kind: what differs is a parameter.
fn pattern(one: &str, other: &str) -> Option<String> {
    let (one, other): (Vec<&str>, Vec<&str>) = (one.split('/').collect(), other.split('/').collect());
    if one.len() != other.len() {
        return None;
    }
    let segment = |(n, (one, other)): (usize, (&&str, &&str))| match one == other {
        true => (*one).to_owned(),
        false => format!("{{part_{n}}}"),
    };
    let segments: Vec<String> = one.iter().zip(&other).enumerate().map(segment).collect();
    Some(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use squall_contract::model;
    use squall_record::Source;

    use super::*;

    const PACTS: [(&str, &str); 2] = [
        ("order-payment.json", include_str!("../../../../contracts/order-payment.json")),
        ("order-inventory.json", include_str!("../../../../contracts/order-inventory.json")),
    ];

    fn pacts() -> Vec<Pact> {
        PACTS.iter().map(|(name, text)| model::read(name, text).unwrap()).collect()
    }

    fn system() -> System {
        let text = include_str!("../../../../services/system.yaml").to_owned();
        squall_scenario::load_system(&Source { name: "system.yaml".to_owned(), text }).unwrap()
    }

    #[test]
    fn every_declared_answer_is_a_target_and_its_calls_are_known_from_the_system_file() {
        let targets = all("order", &pacts(), &system(), None, Seed(7)).unwrap();
        let interactions = pacts().iter().map(|pact| pact.interactions.len()).sum::<usize>();
        assert_eq!(targets.len(), interactions);
        assert!(targets.iter().all(|target| target.call.is_some()));
        let refund = targets.iter().find(|target| target.interaction.description == "a refund of a charge").unwrap();
        assert_eq!(refund.call_in_words(), "POST /api/v1/payments/{order_id}/refunds");
        assert!(refund.broken.iter().any(|broken| broken.name == "missing-field $.status"));
    }

    #[test]
    fn some_can_be_asked_for_and_others_have_none() {
        let of = |consumer, only| {
            let targets = all(consumer, &pacts(), &system(), only, Seed(7)).unwrap();
            targets.iter().filter(|target| target.wanted).count()
        };
        assert_eq!(of("order", Some("a refund of a charge")), 1);
        assert_eq!(of("order", Some("the moon")), 0);
        assert_eq!(of("storefront", None), 0);
    }

    #[test]
    fn a_call_that_no_file_names_is_known_once_it_is_seen() {
        let mut system = system();
        system.sagas.clear();
        let pacts = pacts();
        let book = Book::new(pacts.iter().map(|pact| ("a pact", pact))).unwrap();
        let mut targets = all("order", &pacts, &system, Some("a refund of a charge"), Seed(7)).unwrap();
        let target = targets.iter_mut().find(|target| target.wanted).unwrap();
        assert_eq!(target.call, None);
        target.learn(&book, "POST", "/api/v1/payments");
        assert_eq!(target.call, None, "another call");
        target.learn(&book, "POST", "/api/v1/payments/019a-7/refunds?x=1");
        assert_eq!(target.call_in_words(), "POST /api/v1/payments/{part_4}/refunds");
    }
}
