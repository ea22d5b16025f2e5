//! One action from the frame's bytes to the last outbox: read, decoded, applied, published, encoded
//! and queued for everyone in the room, with the response. Allocations are counted as well.

use std::cell::RefCell;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use parlor_bench::{ACTION, Table};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// By the number of players in the room. Actions come in bursts, so that the clock's own cost does not
/// count; each is a whole one, whose state takes the undelivered one's place.
#[divan::bench(args = [2, 10, 100, 1000], sample_count = 500)]
fn action(bencher: Bencher<'_, '_>, seats: usize) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let _inside = runtime.enter();
    let table = RefCell::new(Table::of(seats));
    bencher
        .counter(ItemsCount::new(BURST))
        .with_inputs(|| table.borrow_mut().drain())
        .bench_local_values(|()| {
            let mut table = table.borrow_mut();
            for _ in 0..BURST {
                table.act(ACTION);
            }
        });
}

/// Below the bound of an outbox: the actor's responses wait.
const BURST: usize = 64;
