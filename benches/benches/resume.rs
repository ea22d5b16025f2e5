//! A player who comes back, from the first byte of its request to the last message: by replay of so many events that
//! it missed, or by a snapshot, when that is more than a room remembers. With its going, and what the others are told.

use std::cell::RefCell;

use divan::Bencher;
use parlor_bench::returning::Returning;
use tokio::runtime::Builder;

fn main() {
    divan::main();
}

#[divan::bench(args = [0, 10, 100, 10_000], sample_count = 100, sample_size = 10)]
fn come_back(bencher: Bencher<'_, '_>, missed: u64) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let _inside = runtime.enter();
    let returning = RefCell::new(Returning::new());
    bencher.bench_local(|| returning.borrow_mut().come_back(missed));
}
