//! Where contracts are exchanged: a Pact Broker, or a folder. What can be asked of one can be asked of the other.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    answer::{Answer, Notice},
    broker::Broker,
    error::Error,
    folder::Folder,
    ledger::{ClauseResult, How, VerificationResult},
    origin::{Moment, Version},
    pact::{Pact, Publication},
};

/// A place where contracts are exchanged.
#[derive(Debug)]
pub enum Exchange {
    /// A Pact Broker.
    Broker(Broker),
    /// A folder, which may be a repository's.
    Folder(Folder),
}

impl Exchange {
    /// Publishes the pacts and the clauses of one version, all or none of them. A broker has no place for clauses, and
    /// says so.
    ///
    /// # Errors
    /// The version stands for other content already, or the exchange failed.
    pub async fn publish(&self, publication: &Publication, at: Moment) -> Result<Vec<Notice>, Error> {
        match self {
            Exchange::Broker(broker) => broker.publish(publication).await,
            Exchange::Folder(folder) => folder.publish(publication, &at),
        }
    }

    /// The last pact of each consumer with a provider: what its next version has to hold.
    pub async fn pacts_of_provider(&self, provider: &str, branch: Option<&str>) -> Result<Vec<Pact>, Error> {
        match self {
            Exchange::Broker(broker) => broker.pacts_of_provider(provider, branch).await,
            Exchange::Folder(folder) => folder.pacts_of_provider(provider),
        }
    }

    /// Records what a provider's version came to. The version's branch is recorded with it.
    pub async fn record_result(&self, result: &VerificationResult, version: &Version) -> Result<Vec<Notice>, Error> {
        match self {
            Exchange::Broker(broker) => broker.record_result(result, version).await,
            Exchange::Folder(folder) => folder.record_result(result, version),
        }
    }

    /// Records what a consumer's clauses came to. The version's branch is recorded with it. A broker has no place for it.
    pub async fn record_clause(&self, result: &ClauseResult, version: &Version) -> Result<Vec<Notice>, Error> {
        match self {
            Exchange::Broker(_) => Err(Error::Mistake(
                "a Pact Broker has no place for resilience clauses: record them in a folder, with `--to`".to_owned(),
            )),
            Exchange::Folder(folder) => folder.record_clause(result, version),
        }
    }

    /// The environments, by name.
    pub async fn environments(&self) -> Result<Vec<String>, Error> {
        match self {
            Exchange::Broker(broker) => broker.environments().await,
            Exchange::Folder(folder) => Ok(folder.ledger()?.environments.into_iter().collect()),
        }
    }

    /// Makes an environment; one of this name that is there stays as it is.
    pub async fn create_environment(&self, name: &str, production: bool, at: Moment) -> Result<Vec<Notice>, Error> {
        match self {
            Exchange::Broker(broker) => broker.create_environment(name, production).await,
            Exchange::Folder(folder) => folder.create_environment(name, production, &at),
        }
    }

    /// Records that a version was deployed or released.
    pub async fn record_presence(
        &self,
        participant: &str,
        version: &str,
        environment: &str,
        how: How,
        at: Moment,
    ) -> Result<Vec<Notice>, Error> {
        match self {
            Exchange::Broker(broker) => broker.record_presence(participant, version, environment, how).await,
            Exchange::Folder(folder) => folder.record_presence(participant, version, environment, how, &at),
        }
    }

    /// Records that a version is gone: undeployed, or no longer supported.
    pub async fn record_absence(
        &self,
        participant: &str,
        version: &str,
        environment: &str,
        how: How,
        at: Moment,
    ) -> Result<Vec<Notice>, Error> {
        match self {
            Exchange::Broker(broker) => broker.record_absence(participant, version, environment, how).await,
            Exchange::Folder(folder) => folder.record_absence(participant, version, environment, how, &at),
        }
    }

    /// Whether a version may go to an environment.
    pub async fn can_deploy(&self, participant: &str, version: &str, environment: &str) -> Result<Answer, Error> {
        match self {
            Exchange::Broker(broker) => broker.can_deploy(participant, version, environment).await,
            Exchange::Folder(folder) => folder.ledger()?.can_deploy(participant, version, environment),
        }
    }
}

/// Asks again and again until the answer is a yes or a no, for as long as `within`; then the last answer is given.
pub async fn wait_until_known<F>(within: Duration, every: Duration, mut ask: impl FnMut() -> F) -> Result<Answer, Error>
where
    F: Future<Output = Result<Answer, Error>>,
{
    let latest = Instant::now() + within;
    loop {
        let answer = ask().await?;
        if answer.deployable.is_some() || Instant::now() + every > latest {
            return Ok(answer);
        }
        sleep(every).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(deployable: Option<bool>) -> Answer {
        Answer { deployable, reason: String::new(), rows: Vec::new(), notices: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_a_yes_a_no_or_the_bound() {
        let began = Instant::now();
        let mut left = 3;
        let every = Duration::from_secs(2);
        let ask = || {
            left -= 1;
            let known = (left == 0).then_some(false);
            async move { Ok(answer(known)) }
        };
        assert_eq!(wait_until_known(Duration::from_secs(60), every, ask).await.unwrap().deployable, Some(false));
        assert_eq!(began.elapsed(), 2 * every);

        let began = Instant::now();
        let never = wait_until_known(Duration::from_secs(9), every, async || Ok(answer(None))).await.unwrap();
        assert_eq!((never.deployable, began.elapsed()), (None, 4 * every));
    }
}
