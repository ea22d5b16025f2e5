//! Rooms found by their codes while others look for theirs, and made while many wait for their deadlines.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use divan::{Bencher, black_box};
use parlor_bench::Marker;
use parlor_core::CloseReason;
use parlor_gateway::{Gateway, GatewayConfig, NewRoom};
use parlor_protocol::RoomCode;
use tokio::runtime::Builder;

fn main() {
    divan::main();
}

/// A gateway with so many rooms, each of which has a deadline: by then a player must have come.
fn with_rooms(rooms: usize) -> (Arc<Gateway>, Vec<RoomCode>) {
    let mut config = GatewayConfig::default();
    config.rooms_max = usize::MAX;
    let gateway = Gateway::builder(config).game(Marker).start();
    let codes = (0..rooms).map(|_| create(&gateway)).collect();
    (gateway, codes)
}

fn create(gateway: &Arc<Gateway>) -> RoomCode {
    let rooms = gateway.rooms();
    let created = pin!(rooms.create(NewRoom::of("marker")));
    // On its own node a room is made at once.
    let Poll::Ready(created) = created.poll(&mut Context::from_waker(Waker::noop())) else {
        unreachable!("nothing is waited for");
    };
    created.expect("there is room").room_id
}

/// By the number of threads that look.
#[divan::bench(threads = [1, 2, 4], sample_count = 100, sample_size = 1000)]
fn find(bencher: Bencher<'_, '_>) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let _inside = runtime.enter();
    let (gateway, codes) = with_rooms(1000);
    let rooms = gateway.rooms();
    let next = AtomicUsize::new(0);
    bencher.bench(|| {
        let place = next.fetch_add(1, Ordering::Relaxed) % codes.len();
        black_box(rooms.find(codes[place]))
    });
}

/// A room made and closed, and with it its deadline, by the number of others.
#[divan::bench(args = [0, 1000, 100_000], sample_count = 20, sample_size = 100)]
fn create_and_close(bencher: Bencher<'_, '_>, others: usize) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let _inside = runtime.enter();
    let (gateway, _codes) = with_rooms(others);
    bencher.bench_local(|| {
        let code = create(&gateway);
        gateway.rooms().close(code, CloseReason::Admin)
    });
}
