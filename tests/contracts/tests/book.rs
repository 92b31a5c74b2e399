//! The contracts in Squall's own hands: it reads them, and what each service really answers is held by its book, as by
//! the verifier.

mod sent;

use std::collections::BTreeMap;

use squall_contract::{
    book::{Book, Judged},
    matching::{Answer, Call, Found},
    model::{self, Pact},
};
use squall_contract_tests::{contract, files, verify};

fn pacts() -> Vec<(String, Pact)> {
    let texts = files::read(&files::folder()).expect("contracts");
    let read = |(name, text): (String, String)| {
        let pact = model::read(&name, &text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        (name, pact)
    };
    texts.into_iter().map(read).collect()
}

#[tokio::test]
async fn what_the_services_answer_is_held() {
    let pacts = pacts();
    let book = Book::new(pacts.iter().map(|(name, pact)| (name.as_str(), pact))).expect("a book");
    let texts = files::read(&files::folder()).expect("contracts");
    let interactions = texts.values().flat_map(|text| contract::interactions(text).expect("a contract"));
    let mut held = 0;
    for interaction in interactions.filter(|interaction| !interaction.is_message) {
        let title = interaction.title();
        let of_the_pact = pacts.iter().flat_map(|(_, pact)| {
            let of_the_pair = pact.consumer == interaction.consumer && pact.provider == interaction.provider;
            pact.interactions.iter().filter(move |_| of_the_pair)
        });
        let mut found =
            of_the_pact.filter_map(|read| read.http().filter(|_| read.description == interaction.description));
        let http = found.next().unwrap_or_else(|| panic!("{title}: it is not read"));
        let provider = verify::start(&interaction.provider, &interaction.states, |app| app).await.expect("a provider");
        let (target, answer) = (sent::target(http), sent::to(&provider, http).await);
        let headers: BTreeMap<String, String> = answer.headers.iter().cloned().collect();
        let body = if answer.body.is_null() { Found::Nothing } else { Found::Json(&answer.body) };
        let call = Call { method: &http.request.method, target: &target };
        let judged =
            book.judge(&interaction.provider, &call, &Answer { status: answer.status, headers: &headers, body });
        assert!(matches!(judged, Judged::Held(_)), "{title}: {judged:?}");
        held += 1;
        provider.stop().await;
    }
    assert!(held > 80, "{held} answers were judged");
}
