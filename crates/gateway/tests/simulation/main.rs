//! Everything at once: seeded schedules of joining, acting, talking, leaving, losing and coming back, over
//! a gateway whose time is moved by hand.
//!
//! Clients are in memory and speak either codec; some read slowly or not at all, and in many schedules
//! outboxes and histories are small. An independent model of a room says how each request must be
//! answered and who sits where. After each step everything is compared.
//!
//! A schedule follows from its seed alone. One that fails prints its seed and its last steps;
//! `PARLOR_SIM_SEED=… cargo test -p parlor-gateway --test simulation -- --nocapture` runs that one and
//! prints all of it. `PARLOR_SIM_SCHEDULES` says how many there are, `PARLOR_SIM_FIRST` the first seed.

mod ask;
mod game;
mod invariants;
mod mirror;
mod model;
mod reading;
mod schedule;
mod store;
mod world;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use world::{Complaints, Counts, Journal, World};

/// Schedules in every run of the tests.
const SCHEDULES: u64 = 200;

/// Lines of a failing schedule's journal that are printed.
const LINES_MAX: usize = 60;

#[test]
fn seeded_schedules_break_no_promise() {
    if let Some(seed) = number("PARLOR_SIM_SEED") {
        let text = Arc::new(Mutex::new(String::new()));
        let outcome = catch_unwind(AssertUnwindSafe(|| run(seed, Some(&text))));
        eprintln!("{}", text.lock().unwrap());
        match outcome {
            Ok(counts) => eprintln!("seed {seed} breaks no promise: {counts:?}"),
            Err(panic) => resume_unwind(panic),
        }
        return;
    }

    let (first, schedules) = (
        number("PARLOR_SIM_FIRST").unwrap_or(1),
        number("PARLOR_SIM_SCHEDULES").unwrap_or(SCHEDULES),
    );
    let (next, end) = (AtomicU64::new(first), first + schedules);
    let started = Instant::now();
    let all = Mutex::new(Counts::default());
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || failed.lock().unwrap().is_some() {
                        return;
                    }
                    match catch_unwind(AssertUnwindSafe(|| run(seed, None))) {
                        Ok(counts) => all.lock().unwrap().add(counts),
                        Err(_) => *failed.lock().unwrap() = Some(seed),
                    }
                }
            });
        }
    });

    let failed = *failed.lock().unwrap();
    if let Some(seed) = failed {
        // The same again, this time with a journal.
        let text = Arc::new(Mutex::new(String::new()));
        let outcome = catch_unwind(AssertUnwindSafe(|| run(seed, Some(&text))));
        let text = text.lock().unwrap();
        let lines: Vec<&str> = text.lines().collect();
        eprintln!("{}", lines[lines.len().saturating_sub(LINES_MAX)..].join("\n"));
        eprintln!("schedule {} fails; PARLOR_SIM_SEED={seed} replays it", seed - first + 1);
        resume_unwind(outcome.expect_err("a schedule that failed once and not again"));
    }
    let (counts, seconds) = (all.into_inner().unwrap(), started.elapsed().as_secs_f64());
    eprintln!(
        "seeds {first} to {}: {:.0} schedules a second, {counts:?}",
        end - 1,
        schedules as f64 / seconds,
    );
    // Without these there would be nothing to break.
    if schedules >= 100 {
        let Counts { replays, snapshots, takeovers, slow, repeats, .. } = counts;
        assert!([replays, snapshots, takeovers, slow, repeats].iter().all(|count| *count > 50));
    }
}

#[test]
fn same_seed_twice_gives_the_same_journal_byte_for_byte() {
    for seed in 1..=10 {
        let [one, two] = [(); 2].map(|()| {
            let text = Arc::new(Mutex::new(String::new()));
            run(seed, Some(&text));
            text.lock().unwrap().clone()
        });
        assert!(one.len() > 10_000, "a journal of {} bytes", one.len());
        assert!(one == two, "seed {seed} gives two journals");
    }
}

/// Runs one schedule, of which a journal is kept if there is one.
fn run(seed: u64, text: Option<&Arc<Mutex<String>>>) -> Counts {
    let journal = Journal { text: text.cloned().unwrap_or_default(), is_kept: text.is_some() };
    let complaints = Complaints::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .with_writer(complaints.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed, journal, complaints);
        world.run().await;
        world.counts
    })
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.messages += other.messages;
        self.replays += other.replays;
        self.snapshots += other.snapshots;
        self.takeovers += other.takeovers;
        self.slow += other.slow;
        self.repeats += other.repeats;
        self.closed_rooms += other.closed_rooms;
    }
}
