//! Watches over an input that is tried: one that never ends, or takes all memory, leaves itself behind.

use std::{
    env, fs, io,
    io::Write,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, MutexGuard,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// Longest that one input may take, unless [`LONGEST`] says otherwise.
const LONGEST_SECONDS: u64 = 60;

/// Environment variable with the seconds that one input may take.
pub const LONGEST: &str = "FUZZ_INPUT_SECONDS";

/// The file of the input that is tried, and since when it is.
pub(crate) struct Watch {
    file: PathBuf,
    since: Arc<Mutex<Option<Instant>>>,
    /// Its end ends the thread that watches.
    _running: Sender<()>,
}

impl Watch {
    /// Begins to watch the target of this thread. The process ends, with the path of the file, once an input takes too long.
    pub(crate) fn begin() -> Self {
        let seconds = env::var(LONGEST).ok().and_then(|seconds| seconds.parse().ok());
        let longest = Duration::from_secs(seconds.unwrap_or(LONGEST_SECONDS));
        let target = thread::current().name().unwrap_or("target").replace("::", "-");
        let file = env::temp_dir().join(format!("fuzz-{}-{target}", process::id()));
        Self::of(file, longest, move |file| {
            let message = format!(
                "an input takes longer than {longest:?}: it is in {}\n",
                file.display()
            );
            // Not by a macro: what these print in a test is shown when it ends.
            drop(io::stderr().write_all(message.as_bytes()));
            process::exit(101);
        })
    }

    fn of(file: PathBuf, longest: Duration, late: impl Fn(&Path) + Send + 'static) -> Self {
        let since = Arc::new(Mutex::new(None::<Instant>));
        let (running, ended) = mpsc::channel();
        let (watched, watched_file) = (Arc::clone(&since), file.clone());
        thread::spawn(move || {
            while ended.recv_timeout(longest / 4) == Err(RecvTimeoutError::Timeout) {
                let is_late = locked(&watched).is_some_and(|since| since.elapsed() > longest);
                if is_late {
                    late(&watched_file);
                }
            }
        });
        Self {
            file,
            since,
            _running: running,
        }
    }

    /// Tries an input, which is in the file meanwhile, and after a failure.
    pub(crate) fn watched(&self, input: &[u8], tried: impl FnOnce()) {
        fs::write(&self.file, input).expect("the folder for temporary files can be written to");
        *locked(&self.since) = Some(Instant::now());
        tried();
        *locked(&self.since) = None;
    }

    /// Removes the file: no input failed.
    pub(crate) fn end(self) {
        drop(fs::remove_file(&self.file));
    }
}

/// A target that fails holds no lock.
fn locked(since: &Mutex<Option<Instant>>) -> MutexGuard<'_, Option<Instant>> {
    since.lock().expect("nothing panics while it holds the lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        env::temp_dir().join(format!("fuzz-test-{}-{name}", process::id()))
    }

    #[test]
    fn an_input_that_takes_too_long_is_found_in_the_file() {
        let (report, late) = mpsc::channel();
        let tell = move |file: &Path| drop(report.send(fs::read(file).ok()));
        let watch = Watch::of(file("late"), Duration::from_millis(40), tell);

        watch.watched(b"never ends", || {
            let input = late.recv_timeout(Duration::from_secs(60)).expect("it is told");
            assert_eq!(input.as_deref(), Some(&b"never ends"[..]));
        });

        let file = watch.file.clone();
        watch.end();
        assert!(!file.exists());
    }

    #[test]
    fn each_input_has_a_time_of_its_own() {
        let watch = Watch::of(file("quick"), Duration::from_secs(3_600), |_| ());
        let since = || locked(&watch.since).expect("an input is tried");
        let (mut first, mut second) = (None, None);

        watch.watched(b"one", || first = Some(since()));
        assert_eq!(*locked(&watch.since), None);
        watch.watched(b"two", || second = Some(since()));

        assert!(first < second, "{first:?} {second:?}");
        watch.end();
    }
}
