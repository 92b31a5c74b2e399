//! What a verification came to, recorded.

use std::io::{IsTerminal, Write};

use squall_publish::{Exchange, InteractionResult, Moment, Pact, VerificationResult, Version};

use super::failed::Failed;
use crate::{
    cli::contract::say,
    verify::{Finding, Outcome},
};

/// Records what each pact came to, unless nobody knows.
pub(super) async fn record(
    exchange: &Exchange,
    version: &Version,
    pacts: &[Pact],
    outcomes: &[Outcome],
    json: bool,
    out: &mut impl Write,
    err: &mut (impl Write + IsTerminal),
) -> Result<(), Failed> {
    for pact in pacts {
        let of_pact = |outcome: &&Outcome| outcome.consumer == pact.consumer && outcome.provider == pact.provider;
        let of_pact: Vec<&Outcome> = outcomes.iter().filter(of_pact).collect();
        let success = !of_pact.iter().any(|outcome| outcome.counts_as_violated());
        let unknown = of_pact.iter().filter(|outcome| outcome.is_inconclusive()).count();
        if success && unknown > 0 {
            writeln!(
                err,
                "not recorded: {} with {}: {unknown} of its interactions are inconclusive, so nobody knows",
                pact.consumer, pact.provider
            )?;
            continue;
        }
        let result = VerificationResult {
            provider: pact.provider.clone(),
            provider_version: version.number.clone(),
            consumer: pact.consumer.clone(),
            content: pact.content.clone(),
            success,
            verified_at: Moment::now(),
            build_url: version.build_url.clone(),
            interactions: of_pact.iter().map(|outcome| result_of(outcome)).collect(),
        };
        let notices = exchange.record_result(&result, version).await?;
        if !json {
            say::notices(&notices, out)?;
        }
    }
    Ok(())
}

fn result_of(outcome: &Outcome) -> InteractionResult {
    let mismatches = match &outcome.finding {
        Finding::Held => Vec::new(),
        Finding::Violated(all) => all.iter().map(|broken| format!("{}: {}", broken.place, broken.text)).collect(),
        Finding::Inconclusive { why, .. } => vec![format!("inconclusive: {why}")],
    };
    InteractionResult {
        description: outcome.description.clone(),
        success: outcome.finding == Finding::Held,
        mismatches,
    }
}
