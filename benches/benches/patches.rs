//! What it costs to show a state to ten who look at it: a hundred entities of an arena, of which some
//! have moved since the last time. Whole or as a patch; with one view for all, or one for each.

use std::cell::RefCell;

use divan::Bencher;
use parlor_bench::swarm::{Swarm, Sync};
use tokio::runtime::Builder;

fn main() {
    divan::main();
}

/// Moves so many of the hundred, and lets the writers take what comes of it.
fn show(bencher: Bencher<'_, '_>, sync: Sync, own_views: bool, moving: usize) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let _inside = runtime.enter();
    let swarm = RefCell::new(Swarm::of(10, sync, own_views));
    bencher
        .with_inputs(|| {
            swarm.borrow_mut().drain();
        })
        .bench_local_values(|()| swarm.borrow_mut().act(moving));
}

#[divan::bench(args = [0, 1, 10, 100], sample_count = 300)]
fn whole(bencher: Bencher<'_, '_>, moving: usize) {
    show(bencher, Sync::Whole, false, moving);
}

#[divan::bench(args = [0, 1, 10, 100], sample_count = 300)]
fn patch(bencher: Bencher<'_, '_>, moving: usize) {
    show(bencher, Sync::Patch, false, moving);
}

#[divan::bench(args = [1, 10, 100], sample_count = 300)]
fn patch_of_own_views(bencher: Bencher<'_, '_>, moving: usize) {
    show(bencher, Sync::Patch, true, moving);
}
