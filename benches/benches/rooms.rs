//! A change of a room without anyone to tell: the draft, the game's callback, the commit, its publication. By
//! the number of players.

use std::cell::RefCell;
use std::sync::Arc;

use divan::Bencher;
use parlor_bench::{Marker, Move, NoOptions};
use parlor_core::{Command, Digest, Join, Origin, PlayerId, Room, Seed, Setup, Time};

fn main() {
    divan::main();
}

fn room(players: u16) -> Room<Marker> {
    let mut setup = Setup::new(NoOptions {}, Seed([1; 32]), NOW);
    setup.players_max = Some(players);
    let mut room = Room::create(Arc::new(Marker), setup).expect("it sets up");
    (0..players).for_each(|number| join(&mut room, number));
    // The start, which is due once all are there.
    while let Some(commit) = room.advance(NOW) {
        room.publish(commit);
    }
    room
}

fn join(room: &mut Room<Marker>, number: u16) {
    let mut token = [0; 32];
    token[..2].copy_from_slice(&number.to_be_bytes());
    let join = Join::new(format!("Player {number}"), Digest(token));
    let commit = room.apply(NOW, Command::Join(join)).expect("there is a seat");
    room.publish(commit);
}

#[divan::bench(args = [2, 10, 100, 1000], sample_size = 100)]
fn act_and_publish(bencher: Bencher<'_, '_>, players: u16) {
    let room = RefCell::new(room(players));
    bencher.bench_local(|| {
        let mut room = room.borrow_mut();
        let action = Move { dx: 1, dy: -1 };
        let commit = room.act(NOW, PlayerId::FIRST, action, Origin::Request(None));
        let commit = commit.expect("it may act");
        room.publish(commit);
    });
}

/// All of them sit down.
#[divan::bench(args = [2, 10, 100, 1000], sample_count = 10)]
fn fill(players: u16) -> Room<Marker> {
    room(players)
}

const NOW: Time = Time::from_millis(0);
