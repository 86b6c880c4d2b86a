//! What a step came to.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::services::Calls;

/// Marks, on standard output, where functions print what goes to the log.
pub const LOG_BEGINS: &str = "@log";
pub const LOG_ENDS: &str = "@end";

/// What a step came to, all its repetitions together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cost {
    /// What was done.
    pub step: String,
    /// Function that did it.
    pub function: String,
    /// Invocations of it.
    pub invocations: u64,
    /// Whether a client asks for it, through API Gateway.
    pub is_of_client: bool,
    /// How many of what one counts by, such as records, were done.
    pub units: u64,
    pub cpu: Duration,
    pub get: u64,
    pub put: u64,
    pub list: u64,
    pub delete: u64,
    /// Calls of other services, by operation.
    pub others: BTreeMap<String, u64>,
    /// Bytes of the log.
    pub logged: u64,
    /// Metrics that it counted.
    pub metrics: BTreeSet<String>,
}

impl Cost {
    pub fn of(step: &str, function: &str) -> Self {
        Self {
            step: step.to_owned(),
            function: function.to_owned(),
            ..Self::default()
        }
    }

    pub fn of_client(step: &str, function: &str) -> Self {
        Self {
            is_of_client: true,
            ..Self::of(step, function)
        }
    }

    /// Returns how many calls it made of services.
    pub fn calls(&self) -> u64 {
        let others = self.others.iter().filter(|(name, _)| *name != "records");
        self.get + self.put + self.list + self.delete + others.map(|(_, count)| count).sum::<u64>()
    }

    pub fn add(&mut self, calls: &Calls) {
        self.get += calls.s3.get as u64;
        self.put += calls.s3.put as u64;
        self.list += calls.s3.list as u64;
        self.delete += calls.s3.delete as u64;
        for (name, count) in &calls.others {
            *self.others.entry(name.clone()).or_default() += count;
        }
    }
}

/// Returns the time that the threads of this process have had a processor, those that have ended too.
pub fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("it counts from 0");
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}
