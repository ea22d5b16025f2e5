//! One action from the frame's bytes to the last outbox: read, decoded, applied, published, encoded
//! and queued for everyone in the room, with the response. What it allocates is in `allocations`.

use std::cell::RefCell;

use divan::Bencher;
use divan::counter::ItemsCount;
use parlor_bench::{Table, read_action};
use tokio::runtime::Builder;

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
                table.act();
            }
        });
}

/// The part of it that ends with the decoded request.
#[divan::bench(sample_count = 500)]
fn reading(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(BURST)).bench(|| (0..BURST).for_each(|_| read_action()));
}

/// Below the bound of an outbox: the actor's responses wait.
const BURST: usize = 64;
