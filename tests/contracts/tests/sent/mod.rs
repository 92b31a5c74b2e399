//! A contract's request as its example has it, sent to a service.

use chassis_testing::Answer;
use squall_contract::model::Http;
use squall_contract_tests::provider::Running;

/// Sends it, and hands the answer back.
pub(crate) async fn to(provider: &Running, http: &Http) -> Answer {
    let call = format!("{} {}", http.request.method, target(http));
    provider.send(&call, &headers(http), &body(http)).await
}

/// Its path and query.
pub(crate) fn target(http: &Http) -> String {
    let pairs = http.request.query.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let query: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    if query.is_empty() { http.request.path.clone() } else { format!("{}?{}", http.request.path, query.join("&")) }
}

fn headers(http: &Http) -> Vec<(&str, &str)> {
    let headers = http.request.headers.iter();
    headers.flat_map(|(name, values)| values.iter().map(move |value| (name.as_str(), value.as_str()))).collect()
}

fn body(http: &Http) -> String {
    http.request.body.json().map(ToString::to_string).unwrap_or_default()
}
