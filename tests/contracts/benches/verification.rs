//! How long it takes to verify every interaction of a provider, each on a service of its own: what starting that service
//! takes, what verifying takes, and what a whole contract takes one by one and side by side.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use squall_contract_tests::{
    contract::{self, Interaction},
    files, prepare, verify,
};
use tokio::time::Instant;

/// How often each interaction is verified one by one.
const ROUNDS: usize = 5;

fn main() {
    prepare();
    let mut providers: BTreeMap<String, Vec<Interaction>> = BTreeMap::new();
    for text in files::read(&files::folder()).expect("contracts").values() {
        for interaction in contract::interactions(text).expect("a contract") {
            if !interaction.is_message {
                providers.entry(interaction.provider.clone()).or_default().push(interaction);
            }
        }
    }
    let side = format!("all on {} cores", cores());
    println!("{:24}{:>18}{:>18}{:>18}{:>17}", "ms an interaction", "start", "verify", "whole", side);
    let column = format!("{:>9}{:>9}", "median", "max");
    println!("{:12}{:>12}{column}{column}{column}", "provider", "number");
    for (provider, interactions) in &providers {
        // The first pays for what all share.
        in_runtime(one(&interactions[0]));
        let mut times = [vec![], vec![], vec![]];
        for _ in 0..ROUNDS {
            for interaction in interactions {
                let (start, verify, whole) = in_runtime(one(interaction));
                times.iter_mut().zip([start, verify, whole]).for_each(|(times, time)| times.push(time));
            }
        }
        let columns = times.map(|mut times| {
            times.sort();
            format!("{:9.2}{:9.2}", ms(times[times.len() / 2]), ms(times[times.len() - 1]))
        });
        let each = ms(side_by_side(interactions)) / interactions.len() as f64;
        println!("{provider:12}{:12}{}{each:17.2}", interactions.len(), columns.concat());
    }
}

/// How long starting the provider took, verifying the interaction, and both with stopping it.
async fn one(interaction: &Interaction) -> (Duration, Duration, Duration) {
    let begun = Instant::now();
    let started = verify::start(&interaction.provider, &interaction.states, |app| app).await;
    let provider = started.expect("a provider");
    let start = begun.elapsed();
    let broken = verify::ask(interaction, provider.address()).await.expect("an answer");
    let verify = begun.elapsed() - start;
    assert!(broken.is_empty(), "{}: {broken:?}", interaction.title());
    provider.stop().await;
    (start, verify, begun.elapsed())
}

/// How long all take, as many at once as there are cores.
fn side_by_side(interactions: &[Interaction]) -> Duration {
    let (begun, next) = (Instant::now(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                while let Some(interaction) = interactions.get(next.fetch_add(1, Ordering::Relaxed)) {
                    in_runtime(one(interaction));
                }
            });
        }
    });
    begun.elapsed()
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
