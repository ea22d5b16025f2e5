//! One action from the frame's bytes to the last outbox: read, decoded, applied, published, encoded
//! and queued for everyone in the room, with the response. Allocations are counted as well.

use divan::{AllocProfiler, Bencher};
use parlor_bench::{ACTION, Table};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// By the number of players in the room.
#[divan::bench(args = [2, 10, 100, 1000])]
fn action(bencher: Bencher<'_, '_>, seats: usize) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let _inside = runtime.enter();
    let table = std::cell::RefCell::new(Table::of(seats));
    bencher
        .with_inputs(|| table.borrow_mut().drain())
        .bench_local_values(|()| table.borrow_mut().act(ACTION));
}
