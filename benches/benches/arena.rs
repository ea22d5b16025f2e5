//! One step of a room of the arena, at 30 of which a second it lives: everyone moved and, at two of three,
//! the view made. By the number of bots, beside whom the host stands in the field.

use divan::Bencher;
use parlor_bench::arena::Round;

fn main() {
    divan::main();
}

/// Nobody decides anything.
#[divan::bench(args = [4, 15], sample_count = 500, sample_size = 100)]
fn step(bencher: Bencher<'_, '_>, bots: usize) {
    let mut round = Round::of(bots);
    bencher.bench_local(|| round.step());
}

/// With the decisions of all bots, each of which is asked at every third or fourth step, and their actions.
#[divan::bench(args = [4, 15], sample_count = 500, sample_size = 100)]
fn step_with_bots(bencher: Bencher<'_, '_>, bots: usize) {
    let mut round = Round::of(bots);
    bencher.bench_local(|| round.step_with_bots());
}

/// An action between two steps.
#[divan::bench(args = [4, 15], sample_count = 500, sample_size = 100)]
fn action(bencher: Bencher<'_, '_>, bots: usize) {
    let mut round = Round::of(bots);
    bencher.bench_local(|| round.act());
}
