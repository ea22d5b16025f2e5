//! Processes that are measured: how they are started, and what Linux says of them.

use std::io::{self, BufRead as _, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::report::{Machine, Usage};

/// A program that serves until this is dropped.
#[derive(Debug)]
pub(super) struct Served {
    process: Child,
    address: SocketAddr,
}

/// What a process has used up to some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    at: Instant,
    user: Duration,
    kernel: Duration,
}

impl Served {
    /// Starts this program anew with other arguments, on these cores if that is asked for, and waits until it
    /// says where it listens.
    pub(super) fn start(arguments: &[&str], cores: Option<&str>) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = match cores {
            None => Command::new(program),
            Some(cores) => {
                let mut pinned = Command::new("taskset");
                pinned.args(["--cpu-list", cores]).arg(program);
                pinned
            }
        };
        let mut process = command.args(arguments).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix(LISTENING).and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| {
            io::Error::new(ErrorKind::InvalidData, format!("no address, but {:?}", line.trim()))
        })?;
        Ok(Self { process, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

impl Reading {
    /// Of a process by its id.
    pub(super) fn take(process: u32) -> io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        let [user, kernel] = times(&stat).ok_or(ErrorKind::InvalidData)?;
        Ok(Self { at: Instant::now(), user, kernel })
    }

    /// What was used from then up to now.
    pub(super) fn usage_since(&self, process: u32) -> io::Result<Usage> {
        let now = Self::take(process)?;
        let seconds = (now.at - self.at).as_secs_f64();
        Ok(Usage {
            user_cores: (now.user - self.user).as_secs_f64() / seconds,
            kernel_cores: (now.kernel - self.kernel).as_secs_f64() / seconds,
            memory_bytes: memory_bytes(process)?,
        })
    }
}

/// What a process has in memory.
pub(super) fn memory_bytes(process: u32) -> io::Result<u64> {
    kibibytes(Path::new(&format!("/proc/{process}/status")), "VmRSS:")
}

/// Lets this process run on some cores only.
pub(super) fn pin_self(cores: &str) -> io::Result<()> {
    let process = std::process::id().to_string();
    let pinned = Command::new("taskset")
        .args(["--cpu-list", "--pid", cores, &process])
        .stdout(Stdio::null())
        .status()?;
    if pinned.success() { Ok(()) } else { Err(io::Error::other("taskset failed")) }
}

/// Where this runs.
pub(super) fn machine() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let information = read("/proc/cpuinfo");
    let processor = information.lines().find_map(|line| line.strip_prefix("model name"));
    Machine {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: kibibytes(Path::new("/proc/meminfo"), "MemTotal:").unwrap_or(0),
        kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        processor: processor
            .map_or("unknown", |name| name.trim_start_matches(['\t', ' ', ':']))
            .to_owned(),
    }
}

fn kibibytes(path: &Path, name: &str) -> io::Result<u64> {
    let text = std::fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let figure = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    figure.map(|figure| figure * 1024).ok_or_else(|| ErrorKind::InvalidData.into())
}

/// The times that a line of `/proc/…/stat` has, in its own code and in the kernel.
fn times(stat: &str) -> Option<[Duration; 2]> {
    // The second field is the program's name, which may have anything in it, in parentheses.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut ticks = fields.split(' ').skip(11).map(|field| field.parse::<u64>().ok());
    let mut next = || Some(Duration::from_millis(ticks.next()?? * 1000 / CLOCK_TICKS_PER_SECOND));
    Some([next()?, next()?])
}

/// What a program that serves says first, before its address.
pub(super) const LISTENING: &str = "listening on ";

/// The unit that Linux counts processor time in, on all machines of our day.
const CLOCK_TICKS_PER_SECOND: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_whatever_the_program_is_called() {
        let stat = "12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 250 0 0";
        let times = times(stat).unwrap();
        assert_eq!(times, [Duration::from_millis(1500), Duration::from_millis(2500)]);
        assert_eq!(super::times("12 (a"), None);
        assert_eq!(super::times("12 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_memory_and_a_machine_to_run_on() {
        assert!(memory_bytes(std::process::id()).unwrap() > 1 << 20);
        assert!(Reading::take(std::process::id()).is_ok());
        let machine = machine();
        assert!(machine.cores > 0 && machine.memory_bytes > 1 << 30);
    }
}
