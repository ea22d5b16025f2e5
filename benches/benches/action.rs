//! One action from the frame's bytes to the last outbox: read, decoded, applied, published, encoded
//! and queued for everyone in the room, with the response. What it allocates is in `allocations`.

use std::cell::RefCell;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use parlor_bench::{ACTION, Move, Table};
use parlor_protocol::limits::FrameLimits;
use parlor_protocol::{Codec, Request, read_frame};
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
    let limits = FrameLimits::default();
    bencher.counter(ItemsCount::new(BURST)).bench(|| {
        for _ in 0..BURST {
            let frame = read_frame(Codec::Json, black_box(ACTION), &limits);
            let request = frame.ok().and_then(|frame| frame.requests().next()?.ok());
            let request = request.and_then(|envelope| match Request::parse(&envelope) {
                Ok(Request::GameAction(data)) => data.decode::<Move>().ok(),
                _ => None,
            });
            black_box(request);
        }
    });
}

/// Below the bound of an outbox: the actor's responses wait.
const BURST: usize = 64;
