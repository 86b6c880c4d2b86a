//! The stack of a run, a process that is killed and started again.

use std::{
    collections::BTreeMap,
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use local_aws::lambda::STDIN_OF_THE_SERVICE;
use tokio::{
    process::{Child, Command},
    sync::Mutex,
    time::sleep,
};

use super::{Failure, Options, files_of_faults};
use crate::outputs::StackOutputs;

/// A start takes seconds; the first one trains a model.
const START_TIMEOUT: Duration = Duration::from_secs(300);

/// Every prediction is doubtful, everything is delivered at once, and models are built and switched as labels come.
const PARAMETERS: [&str; 11] = [
    "ComprehendClassificationScoreThreshold=1",
    "TextEncoder=none",
    "FeedbackBufferSeconds=1",
    "NewLabelsToBuild=500",
    "MinMinutesBetweenBuilds=0",
    "MinMacroF1Gain=0",
    "MaxRecallLoss=1",
    "SelectionSignificance=0",
    "UsagePlanMonthlyQuota=1000000000",
    "UsagePlanRateLimit=10000",
    "UsagePlanBurstLimit=10000",
];

/// The process, and what was done to it.
pub(super) struct Stack {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    seed: u64,
    opinions: u8,
    clock: Option<PathBuf>,
    child: Mutex<Option<Child>>,
    outputs: RwLock<Option<Arc<StackOutputs>>>,
    starts: AtomicU64,
}

/// File in the stack's folder that says how far its clock is off, as libfaketime reads it.
pub(super) const CLOCK_FILE: &str = "clock";

impl Stack {
    /// Chooses a port; starts nothing.
    pub(super) fn new(folder: &Path, seed: u64, options: &Options) -> Result<Self, Failure> {
        Ok(Self {
            program: env::current_exe()?,
            folder: folder.to_owned(),
            port: TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
            seed,
            opinions: options.opinions,
            clock: options.clock.clone(),
            child: Mutex::default(),
            outputs: RwLock::default(),
            starts: AtomicU64::default(),
        })
    }

    /// Starts it and waits until it is ready.
    pub(super) async fn start(&self, with_faults: bool) -> Result<(), Failure> {
        StackOutputs::forget(&self.folder)?;
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let log = fs::File::create(self.folder.join(format!("stack-{number}.log")))?;
        let mut command = Command::new(&self.program);
        command
            .arg("--state-dir")
            .arg(&self.folder)
            .args(["run", "--port", &self.port.to_string()])
            .args(PARAMETERS.iter().flat_map(|parameter| ["--param", parameter]))
            .args(["--param", &format!("TaskCount={}", self.opinions)])
            // It ends with this process, however this one ends.
            .env(STDIN_OF_THE_SERVICE, "1")
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        if with_faults {
            let seed = self.seed.wrapping_add(number);
            command.args(["--faults", &seed.to_string()]);
        }
        if let Some(library) = &self.clock {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME_TIMESTAMP_FILE", self.folder.join(CLOCK_FILE))
                .env("FAKETIME_CACHE_DURATION", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let mut child = command.spawn()?;
        let begin = Instant::now();
        let outputs = loop {
            if let Ok(outputs) = StackOutputs::read(&self.folder) {
                break outputs;
            }
            if let Some(status) = child.try_wait()? {
                let log = self.folder.join(format!("stack-{number}.log"));
                return Err(format!("the stack ended by itself ({status}); see {}", log.display()).into());
            }
            if begin.elapsed() > START_TIMEOUT {
                return Err("the stack is not ready after five minutes".into());
            }
            sleep(Duration::from_millis(50)).await;
        };
        *self.child.lock().await = Some(child);
        *self.outputs.write().expect("nothing panics with it") = Some(Arc::new(outputs));
        Ok(())
    }

    /// Kills it without warning, as `kill -9` does; its functions end with it.
    pub(super) async fn kill(&self) {
        if let Some(mut child) = self.child.lock().await.take() {
            // It may have ended by itself, which is as good.
            let _ = child.kill().await;
        }
    }

    /// Starts it again after it was killed, or ended by itself; tries until it is ready.
    pub(super) async fn start_again(&self) {
        while let Err(error) = self.start(true).await {
            eprintln!("the stack did not start: {error}");
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Returns whether the process has ended.
    pub(super) async fn has_ended(&self) -> bool {
        let mut child = self.child.lock().await;
        child
            .as_mut()
            .is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Stops the process for a while, and lets it go on; returns whether it did so. Its functions go on, and wait for it.
    pub(super) async fn stand_still(&self, still: Duration) -> bool {
        // Held until it goes on: nobody takes it for one that has ended.
        let child = self.child.lock().await;
        let Some(id) = child.as_ref().and_then(Child::id) else {
            return false;
        };
        let stopped = signal("-STOP", id).await;
        sleep(still).await;
        // Also where it could not be stopped for sure.
        signal("-CONT", id).await && stopped
    }

    /// Kills one of the stack's child processes; returns whether there was one.
    pub(super) async fn kill_function(&self, choice: u64) -> bool {
        let Some(id) = self.child.lock().await.as_ref().and_then(Child::id) else {
            return false;
        };
        let children = children(id);
        let Some(child) = (!children.is_empty()).then(|| children[choice as usize % children.len()]) else {
            return false;
        };
        signal("-9", child).await
    }

    /// Returns where the stack answers, or answered before it was killed.
    pub(super) fn outputs(&self) -> Result<Arc<StackOutputs>, Failure> {
        let outputs = self.outputs.read().expect("nothing panics with it");
        outputs.clone().ok_or_else(|| "the stack has not started".into())
    }

    /// Returns the labelled rows, label and text.
    pub(super) async fn export(&self) -> Result<Vec<(String, String)>, Failure> {
        let file = self.folder.join("export.csv");
        let path = file.to_str().ok_or("the state folder's name is not UTF-8")?;
        self.command(&["export", "--format", "csv", "--output", path])
            .await?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(&file)?;
        Ok(reader.deserialize().collect::<Result<_, _>>()?)
    }

    /// Runs a command of this program on the stack; returns what it prints.
    pub(super) async fn command(&self, arguments: &[&str]) -> Result<String, Failure> {
        let ran = Command::new(&self.program)
            .arg("--state-dir")
            .arg(&self.folder)
            .args(arguments)
            .output()
            .await?;
        if !ran.status.success() {
            let reason = String::from_utf8_lossy(&ran.stderr);
            return Err(format!("{} failed: {reason}", arguments[0]).into());
        }
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    /// Returns how often each fault befell, over all starts; the last second before a kill is missing.
    pub(super) fn faults(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for file in files_of_faults(&self.folder) {
            let counts: Vec<(String, u64)> = fs::read(file)
                .ok()
                .and_then(|json| serde_json::from_slice(&json).ok())
                .unwrap_or_default();
            for (fault, count) in counts {
                *sums.entry(fault).or_default() += count;
            }
        }
        sums
    }
}

/// Sends a signal to a process; returns whether it was sent.
async fn signal(signal: &str, id: u32) -> bool {
    let sent = Command::new("kill")
        .args([signal, &id.to_string()])
        .status()
        .await;
    sent.is_ok_and(|status| status.success())
}

/// Returns the processes that a process has started, where the system tells (`/proc`).
fn children(id: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{id}/task"));
    let tasks = tasks.into_iter().flatten().filter_map(Result::ok);
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|children| {
            let ids = children.split_whitespace().map(str::parse);
            ids.filter_map(Result::ok).collect::<Vec<u32>>()
        })
        .collect()
}
