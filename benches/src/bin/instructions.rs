//! Walks one of the hottest paths so many times, for `scripts/instructions` to count what that takes.
//!
//! What comes before is the same however many times it is, so that the difference of two counts is the path's.

use std::error::Error;
use std::hint::black_box;

use parlor_bench::returning::Returning;
use parlor_bench::swarm::{Swarm, Sync};
use parlor_bench::{Table, read_action};
use tokio::runtime::Builder;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_default();
    let times: usize = arguments.next().unwrap_or_default().parse()?;

    // Nothing runs in it but what asks for it: time stands still between the calls.
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let _inside = runtime.enter();
    match path.as_str() {
        "read-action" => (0..times).for_each(|_| read_action()),
        "action-in-room-of-10" => act(10, times),
        "action-in-room-of-100" => act(100, times),
        "patch-for-ten" => {
            let mut swarm = Swarm::of(10, Sync::Patch, false);
            for _ in 0..times {
                swarm.act(10);
                black_box(swarm.drain());
            }
        }
        "return-with-50-missed" => {
            let mut returning = Returning::new();
            for _ in 0..times {
                black_box(returning.come_back(50));
            }
        }
        unknown => return Err(format!("no path is called {unknown:?}").into()),
    }
    Ok(())
}

fn act(seats: usize, times: usize) {
    let mut table = Table::of(seats);
    for _ in 0..times {
        table.act();
        table.drain();
    }
}
