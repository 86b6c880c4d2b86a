//! What befalls the machine: processes are killed, the disk is full or slow, the clock jumps.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use active_learning_core::random::Random;
use tokio::{task::spawn_blocking, time::sleep};

use super::{
    Failure, Options,
    stack::{CLOCK_FILE, Stack},
};

/// One kill in so many is of the whole stack, the others of a function.
const KILLS_PER_STACK_KILL: u64 = 3;
/// Furthest that the clock is off, either way. What is due then may wait for twice as long: less than the patience of a run.
const MOST_SECONDS_OFF: u64 = 60;
/// How long a disk stays full.
const FULL_FOR: Duration = Duration::from_secs(2);
/// A disk with more room is not filled.
const MOST_FREE_KILOBYTES: u64 = 4 << 20;
/// Longest that a disk does not answer.
const LONGEST_STILL: Duration = Duration::from_secs(3);
const FILLER_BYTES: usize = 1 << 20;

/// A trouble that a machine may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Kill,
    FullDisk,
    SlowDisk,
    ClockJump,
}

/// The troubles of a run, and how often each came.
pub(super) struct Troubles {
    kinds: Vec<Trouble>,
    random: Random,
    /// Seconds between two of them, on average; 0: none.
    every: u32,
    folder: PathBuf,
    kills: u64,
    function_kills: u64,
    full_disks: u64,
    slow_disks: u64,
    clock_jumps: u64,
}

impl Troubles {
    /// Chooses them by the options of a run.
    ///
    /// # Errors
    ///
    /// When the disk is to be filled and has more than 4 GB free, or the clock's file cannot be written.
    pub(super) fn new(options: &Options, seed: u64, folder: &Path) -> Result<Self, Failure> {
        let mut kinds = vec![Trouble::Kill];
        if options.full_disk {
            let free = free_kilobytes(folder)?;
            if free > MOST_FREE_KILOBYTES {
                return Err(format!(
                    "the disk of {} has {} GB free, too much to be filled; give a --state-dir on a small one, such as a \
                     tmpfs",
                    folder.display(),
                    free >> 20
                )
                .into());
            }
            kinds.push(Trouble::FullDisk);
        }
        if options.slow_disk {
            kinds.push(Trouble::SlowDisk);
        }
        if options.clock.is_some() {
            set_clock(folder, 0)?;
            kinds.push(Trouble::ClockJump);
        }
        Ok(Self {
            kinds,
            random: Random::new(!seed),
            every: options.kill_every,
            folder: folder.to_owned(),
            kills: 0,
            function_kills: 0,
            full_disks: 0,
            slow_disks: 0,
            clock_jumps: 0,
        })
    }

    /// Lets them befall the stack again and again, until it is over; the stack runs then.
    pub(super) async fn befall(mut self, stack: Arc<Stack>, is_over: Arc<AtomicBool>) -> Self {
        if self.every == 0 {
            return self;
        }
        loop {
            let pause = 2.0 * f64::from(self.every) * self.random.next_f64();
            sleep(Duration::from_secs_f64(pause)).await;
            if is_over.load(Ordering::Relaxed) {
                return self;
            }
            let choice = self.random.next_u64() as usize % self.kinds.len();
            match self.kinds[choice] {
                Trouble::Kill => self.kill(&stack).await,
                Trouble::FullDisk => self.fill_disk(&stack).await,
                Trouble::SlowDisk => self.stand_still(&stack).await,
                Trouble::ClockJump => self.jump(),
            }
        }
    }

    /// Returns the rows of the table that tell how often each came.
    pub(super) fn counts(&self, stack: &Stack) -> Vec<(String, u64)> {
        let own = [
            ("kills of the stack", self.kills),
            ("kills of functions", self.function_kills),
            ("times the disk was full", self.full_disks),
            ("times the disk was slow", self.slow_disks),
            ("jumps of the clock", self.clock_jumps),
        ];
        let own = own.into_iter().map(|(name, count)| (name.to_owned(), count));
        own.chain(stack.faults()).collect()
    }

    async fn kill(&mut self, stack: &Stack) {
        if self.random.next_u64().is_multiple_of(KILLS_PER_STACK_KILL) {
            stack.kill().await;
            self.kills += 1;
            stack.start_again().await;
        } else if stack.kill_function(self.random.next_u64()).await {
            self.function_kills += 1;
        }
    }

    /// Fills the disk for a while. A stack that ends by itself, since it cannot write, is started again.
    async fn fill_disk(&mut self, stack: &Stack) {
        let filler = self.folder.join("filler");
        let file = filler.clone();
        let filled = spawn_blocking(move || fill(&file)).await;
        sleep(FULL_FOR).await;
        if let Err(error) = fs::remove_file(&filler) {
            eprintln!("{} could not be removed: {error}", filler.display());
        }
        match filled {
            Ok(Ok(())) => self.full_disks += 1,
            Ok(Err(error)) => eprintln!("the disk could not be filled: {error}"),
            Err(error) => eprintln!("the disk could not be filled: {error}"),
        }
        if stack.has_ended().await {
            stack.start_again().await;
        }
    }

    /// Lets the stack stand still for a while, as where its disk does not answer.
    async fn stand_still(&mut self, stack: &Stack) {
        let still = LONGEST_STILL.mul_f64(self.random.next_f64());
        if stack.stand_still(still).await {
            self.slow_disks += 1;
        }
    }

    /// Sets the clock right.
    pub(super) fn end(&self) -> io::Result<()> {
        match self.kinds.contains(&Trouble::ClockJump) {
            true => set_clock(&self.folder, 0),
            false => Ok(()),
        }
    }

    fn jump(&mut self) {
        let seconds = (self.random.next_u64() % (2 * MOST_SECONDS_OFF)) as i64 - MOST_SECONDS_OFF as i64;
        match set_clock(&self.folder, seconds) {
            Ok(()) => self.clock_jumps += 1,
            Err(error) => eprintln!("the clock could not be set: {error}"),
        }
    }
}

/// Sets how many seconds the stack's clock is ahead.
fn set_clock(folder: &Path, seconds: i64) -> io::Result<()> {
    // Whole at any time: the stack may read it meanwhile.
    let new = folder.join("clock.new");
    fs::write(&new, format!("{seconds:+}\n"))?;
    fs::rename(new, folder.join(CLOCK_FILE))
}

/// Writes a file until there is no room.
fn fill(file: &Path) -> io::Result<()> {
    let mut file = fs::File::create(file)?;
    let zeros = vec![0; FILLER_BYTES];
    loop {
        match file.write_all(&zeros) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
            written => written?,
        }
    }
}

fn free_kilobytes(folder: &Path) -> Result<u64, Failure> {
    let df = Command::new("df")
        .args(["--output=avail", "-k"])
        .arg(folder)
        .output()?;
    let text = String::from_utf8_lossy(&df.stdout);
    let free = text.lines().nth(1).map(str::trim);
    free.and_then(|free| free.parse().ok())
        .ok_or_else(|| format!("df does not tell how much of {} is free", folder.display()).into())
}
