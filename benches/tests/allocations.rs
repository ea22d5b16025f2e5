//! How much memory an action asks for: a bound that holds on every machine. `cargo bench --bench allocations` says
//! more.

use std::alloc::System;

use parlor_bench::Table;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The only test here: allocations are counted for the whole process.
#[tokio::test]
async fn an_action_asks_for_memory_six_times_whatever_the_room() {
    for seats in [2, 10, 100] {
        let mut table = Table::of(seats);
        // What is kept and used again is there after a while.
        for _ in 0..100 {
            table.act();
            table.drain();
        }
        let mut asked = 0;
        for _ in 0..100 {
            let region = Region::new(ALLOCATOR);
            table.act();
            asked += region.change().allocations;
            table.drain();
        }
        assert!(asked <= 600, "{asked} times in 100 actions in a room of {seats}");
    }
}
