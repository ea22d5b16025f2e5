//! What one action allocates, from the frame's bytes to the last outbox. Counting takes time, so
//! times are taken in `action`.

use std::cell::RefCell;

use divan::{AllocProfiler, Bencher};
use parlor_bench::Table;
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// By the number of players in the room.
#[divan::bench(args = [2, 10, 100], sample_count = 200, sample_size = 1)]
fn action(bencher: Bencher<'_, '_>, seats: usize) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let _inside = runtime.enter();
    let table = RefCell::new(Table::of(seats));
    bencher
        .with_inputs(|| table.borrow_mut().drain())
        .bench_local_values(|()| table.borrow_mut().act());
}
