//! A run from its first phase to its last: start, setup, gate, load and faults, settle, stop.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::Value;
use squall_record::{Backend, FactSink, OperationId, Outcome, Phase, RunOpened, RunPhase, SCHEMA, Source, What};
use squall_scenario::{Loaded, expression, model::Setup};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use crate::{
    EngineError, Interrupt, Options, RunLeft,
    backend::{Entry, Failed, System},
    canary::Canary,
    container::system::Containers,
    faults::{self, Scene},
    folder::RunFolder,
    gate,
    hold::{Hold, Up},
    journal::{Journal, Writer},
    load::{self, Arrivals},
    operation::{Client, Done},
    plan::{Course, plan},
    process::services::Processes,
    progress::{Event, Progress},
    reads::Reader,
    settle::{Settling, settle},
    stand::{self, Boards},
};

/// What is asked of a run.
pub(crate) struct Job {
    pub system: Source,
    pub scenario: Source,
    pub loaded: Loaded,
    pub options: Options,
    pub progress: Arc<dyn Progress>,
    pub interrupts: [Interrupt; 2],
    /// If the system is only to be held up.
    pub hold: Option<Hold>,
}

/// Plays a job on a thread and a runtime of its own. What is handed back resolves when all is down.
pub(crate) fn on_its_own_thread(job: Job) -> Result<oneshot::Receiver<Result<RunLeft, EngineError>>, EngineError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(EngineError::Threads)?;
    let (tell, left) = oneshot::channel();
    std::thread::Builder::new()
        .name("squall-run".to_owned())
        .spawn(move || {
            // Nobody waits for a run whose future was dropped.
            let _ = tell.send(runtime.block_on(run(job)));
        })
        .map_err(EngineError::Threads)?;
    Ok(left)
}

/// Why a run ended before its last phase.
enum Halt {
    /// The environment failed.
    Environment(String),
    /// Someone interrupted it.
    Interrupted,
    /// The gate was not met: there is nothing to learn from the rest.
    NotWell,
}

impl From<Failed> for Halt {
    fn from(failed: Failed) -> Halt {
        Halt::Environment(failed.0)
    }
}

/// What was started and must be taken down, however the run ends.
#[derive(Default)]
struct Started {
    system: OnceLock<Arc<dyn System>>,
    ready_after: OnceLock<Duration>,
    late_starts: OnceLock<u64>,
    too_busy: OnceLock<()>,
}

/// One run.
struct Run {
    job: Job,
    course: Course,
    folder: Arc<RunFolder>,
    journal: Arc<Journal>,
    started: Started,
}

/// Plays the scenario and leaves its record.
pub(crate) async fn run(job: Job) -> Result<RunLeft, EngineError> {
    let course = plan(&job.loaded, job.options.seed, job.options.backend).map_err(EngineError::NotRun)?;
    let Options { runs, keep, .. } = &job.options;
    let folder = RunFolder::make(runs, &job.loaded.scenario.name, course.plan.seed, *keep)?;
    let record = folder.record();
    let failed = |why| EngineError::Record { path: record.clone(), why };
    let (journal, writer) = Journal::open(&record, held_back(job.options.backend)).map_err(failed)?;
    let (folder, journal) = (Arc::new(folder), Arc::new(journal));
    job.progress.report(Event::FolderMade { folder: folder.path().to_owned() });
    journal.observe(What::RunOpened(Box::new(RunOpened {
        schema: SCHEMA,
        squall: env!("CARGO_PKG_VERSION").to_owned(),
        system: job.system.clone(),
        scenario: job.scenario.clone(),
        pacts: job.options.pacts.clone(),
        resilience: job.options.resilience.clone(),
        plan: course.plan.clone(),
    })));
    let run = Run { job, course, folder, journal, started: Started::default() };
    let [one, other] = &run.job.interrupts;
    let halt = tokio::select! {
        biased;
        _ = one.stopped() => Err(Halt::Interrupted),
        _ = other.stopped() => Err(Halt::Interrupted),
        why = run.journal.failed() => Err(Halt::Environment(format!("the record could not be written: {why}"))),
        played = run.phases() => played,
    };
    run.close(halt.err(), writer).await
}

/// How long a fact may be on its way from the proxy that saw it.
fn held_back(backend: Backend) -> Duration {
    match backend {
        Backend::Container => Duration::from_millis(500),
        Backend::Process | Backend::Simulation => Duration::ZERO,
    }
}

impl Run {
    /// The phases, for as long as what they stand on is there.
    async fn phases(&self) -> Result<(), Halt> {
        self.began(RunPhase::Start, None);
        let system = self.system().await?;
        tokio::select! {
            biased;
            why = system.lost() => Err(Halt::Environment(why)),
            played = self.play(&system) => played,
        }
    }

    /// The phases, as the design has them.
    async fn play(&self, system: &Arc<dyn System>) -> Result<(), Halt> {
        let stage = self.start(system).await?;
        if let Some(hold) = &self.job.hold {
            self.setup(&stage.client).await?;
            self.held(&stage, hold).await;
            return Ok(());
        }
        let mut done = self.setup(&stage.client).await?;
        done.extend(self.gate(&stage.client).await?);
        done.extend(self.load(&stage).await?);
        self.settle(&stage, &done).await?;
        Ok(())
    }

    /// Tells where everything is, and waits until it is let go. Meanwhile it plays what it is asked to.
    async fn held(&self, stage: &Stage, hold: &Hold) {
        let system = &stage.system;
        let services = self.job.loaded.system.services.iter();
        let first = |name: &String| Some((name.clone(), *system.addresses(name).first()?));
        let addresses: BTreeMap<_, _> = services.filter_map(|service| first(&service.name)).collect();
        let kept_here = self.job.options.backend == Backend::Process;
        let data = |name: &String| Some((name.clone(), self.folder.data(name).ok()?));
        let data = addresses.keys().filter(|_| kept_here).filter_map(data).collect();
        let plan = Some(Arc::new(self.course.plan.clone()));
        hold.up.send_replace(Some(Up { addresses, data, plan }));
        let Some(asked) = &hold.asked else { return hold.until.stopped().await };
        let mut asked = asked.lock().await;
        let boards = Boards {
            course: &self.course,
            links: &stage.entry.links,
            client: &stage.client,
            reader: &stage.reader,
            system: system.as_ref(),
            journal: &self.journal,
            late_at_most: held_back(self.job.options.backend),
        };
        tokio::select! {
            biased;
            () = hold.until.stopped() => {}
            () = stand::serve(&boards, &mut asked) => {}
        }
    }

    fn began(&self, phase: RunPhase, lasts: Option<Duration>) {
        self.journal.observe(What::PhaseBegan { phase });
        self.job.progress.report(Event::PhaseBegan { phase, lasts });
    }

    /// The system on its backend; nothing of it is started.
    async fn system(&self) -> Result<Arc<dyn System>, Failed> {
        let Job { loaded, options, progress, .. } = &self.job;
        let (folder, journal) = (Arc::clone(&self.folder), Arc::clone(&self.journal));
        let (course, loaded, progress) = (self.course.clone(), loaded.clone(), Arc::clone(progress));
        let (root, within) = (self.root()?, options.ready_within);
        let system: Arc<dyn System> = match options.backend {
            Backend::Container => {
                Arc::new(Containers::new(course, loaded, root, folder, journal, progress, within).await?)
            }
            Backend::Process | Backend::Simulation => {
                Arc::new(Processes::new(course, loaded, root, folder, journal, progress, within).await?)
            }
        };
        Ok(Arc::clone(self.started.system.get_or_init(|| system)))
    }

    /// Builds what must be built, and starts everything.
    async fn start(&self, system: &Arc<dyn System>) -> Result<Stage, Halt> {
        system.build().await?;
        let began = Instant::now();
        let entry = system.start().await?;
        let took = *self.started.ready_after.get_or_init(|| began.elapsed());
        self.job.progress.report(Event::SystemReady { took });
        let model = &self.job.loaded.system;
        let client = Client::new(model, self.course.plan.seed, &entry.client, Arc::clone(&self.journal))?;
        let reader = Reader::new(model, Arc::clone(system), Arc::clone(&self.journal))?;
        Ok(Stage { system: Arc::clone(system), entry, client: Arc::new(client), reader })
    }

    /// The folder that the system file's relative paths count from.
    fn root(&self) -> Result<PathBuf, Failed> {
        let root = self.job.options.system_folder.join(&self.job.loaded.system.root);
        std::fs::canonicalize(&root).map_err(|why| {
            Failed(format!(
                "the system's root `{}` cannot be entered: {why}; correct `root` in the system file",
                root.display()
            ))
        })
    }

    /// Each preparing operation after the other; one that does not succeed ends the run.
    async fn setup(&self, client: &Client) -> Result<Vec<Done>, Halt> {
        let steps = &self.job.loaded.scenario.setup;
        let mut all = Vec::new();
        if steps.is_empty() {
            return Ok(all);
        }
        self.began(RunPhase::Setup, None);
        for (stream, step) in (0..).zip(steps) {
            for (ordinal, bound) in (0..).zip(self.bound_by(step)?) {
                let id = OperationId { phase: Phase::Setup, stream, ordinal };
                let ready = client.render(id, &step.operation, &bound, &step.with)?;
                let done = client.perform(ready, Instant::now()).await;
                if done.outcome != Outcome::Succeeded {
                    return Err(Halt::Environment(not_set_up(&done)));
                }
                all.push(done);
            }
        }
        Ok(all)
    }

    /// The values that each operation of a step binds: one mapping for each operation.
    fn bound_by(&self, step: &Setup) -> Result<Vec<BTreeMap<String, Value>>, Failed> {
        let Some((name, list)) = &step.each else { return Ok(vec![BTreeMap::new()]) };
        let wrong =
            |why: String| Failed(format!("setup `{}`: `each: {{ {name}: {} }}`: {why}", step.operation, list.0));
        let compiled = expression::compile(list).map_err(|why| wrong(why.to_string()))?;
        match compiled.eval(&self.job.loaded.system.vars).map_err(|why| wrong(why.to_string()))? {
            Value::Array(items) => Ok(items.into_iter().map(|item| BTreeMap::from([(name.clone(), item)])).collect()),
            other => Err(wrong(format!("a list is due, and it is {other}"))),
        }
    }

    /// The load that shows the system well before the faults.
    async fn gate(&self, client: &Arc<Client>) -> Result<Vec<Done>, Halt> {
        let Some(gate) = &self.job.loaded.scenario.gate else { return Ok(Vec::new()) };
        self.began(RunPhase::Gate, Some(gate.lasts));
        let arrivals = Arrivals {
            phase: Phase::Gate,
            stream: 0,
            operation: gate.of.clone(),
            rate: gate.rate,
            from: Duration::ZERO,
            lasts: gate.lasts,
            in_flight_at_most: load::IN_FLIGHT_AT_MOST,
            given: gate.with.clone(),
        };
        let canary = Canary::start();
        let tally = self.start_load(client, vec![arrivals], Instant::now(), u64::MAX)?.over().await?;
        if gate::is_met(gate, &tally) {
            return Ok(tally.done);
        }
        match canary.busy() {
            // Whether the system was well cannot be known of a machine that was not.
            Some(late) if !self.job.options.tolerate_late_starts => {
                Err(self.too_busy(format!("the gate was not met while {}", wake_ups(late))))
            }
            _ => Err(Halt::NotWell),
        }
    }

    fn too_busy(&self, how: String) -> Halt {
        self.started.too_busy.get_or_init(|| ());
        Halt::Environment(format!(
            "the machine was too busy: {how}; run fewer scenarios at once (`--jobs 1`), or on an idle machine"
        ))
    }

    fn start_load(
        &self,
        client: &Arc<Client>,
        streams: Vec<Arrivals>,
        zero: Instant,
        late_at_most: u64,
    ) -> Result<load::Running, Failed> {
        load::start(Arc::clone(client), Arc::clone(&self.journal), streams, zero, late_at_most).map_err(|why| {
            Failed(format!("the load could not be started: {why}; see `ulimit -a` for limits on threads"))
        })
    }

    /// The load and the faults, from time zero until both are over.
    async fn load(&self, stage: &Stage) -> Result<Vec<Done>, Halt> {
        let scenario = &self.job.loaded.scenario;
        // Reading long pacts takes a while, which must not be the load's.
        let pacts = faults::contracted::read(&self.job.options.pacts).map_err(Failed)?;
        self.began(RunPhase::Load, Some(scenario.load_ends()));
        let zero = Instant::now();
        let streams = (0..).zip(&scenario.load).map(|(number, stream)| Arrivals::of(stream, number));
        let streams: Vec<Arrivals> = streams.collect();
        let is_tolerated = self.job.options.tolerate_late_starts;
        let late_at_most = if is_tolerated { u64::MAX } else { load::late_at_most(&streams) };
        let scene = Arc::new(Scene {
            loaded: self.job.loaded.clone(),
            pacts,
            course: self.course.clone(),
            links: stage.entry.links.clone(),
            system: Arc::clone(&stage.system),
            journal: Arc::clone(&self.journal),
            folder: Arc::clone(&self.folder),
            progress: Arc::clone(&self.job.progress),
        });
        let canary = Canary::start();
        let (bring, end) = faults::End::new();
        let faults = async { faults::play(scene, zero, end).await.map_err(Halt::from) };
        let load = async {
            // The faults come first in the poll, so their triggers are set before the first operation is sent.
            let tally = self.start_load(&stage.client, streams, zero, late_at_most)?.over().await?;
            self.started.late_starts.get_or_init(|| tally.late);
            if tally.too_busy {
                return Err(self.too_busy(format!(
                    "{} operations started more than {:?} late, more than 1 % of them",
                    tally.late,
                    load::LATE
                )));
            }
            Ok(tally)
        };
        let clock = async {
            sleep_until(zero + scenario.load_ends()).await;
            bring.send_replace(true);
            Ok(())
        };
        let ((), tally, ()) = tokio::try_join!(biased; faults, load, clock)?;
        match canary.choked() {
            // The load comes before everything else on the machine; databases, proxies and services do not.
            Some(late) if !is_tolerated => Err(self.too_busy(format!("under load {}", wake_ups(late)))),
            _ => Ok(tally.done),
        }
    }

    /// Waits until nothing goes on, and takes the final reads.
    async fn settle(&self, stage: &Stage, done: &[Done]) -> Result<(), Halt> {
        let plan = &self.course.plan;
        self.began(RunPhase::Settle, Some(self.job.loaded.scenario.settle_within));
        let settling = Settling {
            client: &stage.client,
            reader: &stage.reader,
            system: stage.system.as_ref(),
            journal: &self.journal,
            quiet: Duration::from_micros(plan.quiet_us),
            bound: Duration::from_micros(plan.settle_bound_us),
        };
        settle(&settling, done).await;
        Ok(())
    }

    /// Takes everything down and closes the record.
    async fn close(self, halt: Option<Halt>, writer: Writer) -> Result<RunLeft, EngineError> {
        let environment_failed = match &halt {
            Some(Halt::Environment(why)) => Some(why.clone()),
            _ => None,
        };
        let interrupted = matches!(halt, Some(Halt::Interrupted));
        if let Some(why) = environment_failed.clone() {
            self.journal.observe(What::EnvironmentFailed { why });
        }
        self.began(RunPhase::Stop, None);
        if let Some(system) = self.started.system.into_inner() {
            let began = Instant::now();
            system.stop().await;
            self.job.progress.report(Event::SystemRemoved { took: began.elapsed() });
        }
        let late_starts = self.started.late_starts.into_inner().unwrap_or_default();
        let last = What::RunEnded { dropped_facts: self.journal.dropped(), late_starts, interrupted };
        let record = self.folder.record();
        self.journal.close(last, writer).map_err(|why| EngineError::Record { path: record.clone(), why })?;
        if let Err(why) = self.folder.close() {
            let text = format!("`{}` could not be tidied: {why}", self.folder.path().display());
            self.job.progress.report(Event::Note { text });
        }
        Ok(RunLeft {
            folder: self.folder.path().to_owned(),
            record,
            ready_after: self.started.ready_after.into_inner(),
            environment_failed,
            too_busy: self.started.too_busy.get().is_some(),
            interrupted,
        })
    }
}

/// What runs once the system has started.
struct Stage {
    system: Arc<dyn System>,
    entry: Entry,
    client: Arc<Client>,
    reader: Reader,
}

/// How late the harness woke up, in words.
fn wake_ups((late, all): (u64, u64)) -> String {
    format!("{late} of {all} wake-ups of the harness came more than {:?} late", load::LATE)
}

fn not_set_up(done: &Done) -> String {
    let answer = match &done.answer {
        Ok(answer) => {
            let body = answer.body.json.as_ref().map(Value::to_string).or_else(|| answer.body.text.clone());
            format!("answered {} {}", answer.status, body.unwrap_or_default())
        }
        Err(why) => format!("had no answer: {why}"),
    };
    let (id, name) = (done.id, &done.name);
    format!("setup operation `{name}` ({id}) did not succeed, so there is nothing to run the scenario on: it {answer}")
}
