//! One writer publishes, readers look: the real [`Room`] under all orders of a small script.
//!
//! What is tried: that a draft, made in the memory of a retired state, is never one that a reader
//! still holds; that a reader's versions never go back; that what was put back is never seen. The
//! game exchanges threads in the middle of copying its state and in the middle of changing it, so
//! every look falls into every such gap.
//!
//! What is not: the order of memory accesses inside the swapped pointer and the counted one. These
//! are libraries' and each of their operations is one step here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parlor_core::{
    About, Command, Ctx, Digest, Game, GameError, Join, Never, Origin, PlayerId, Refusal, Room,
    RoomView, Rules, Seed, Setup, Snapshot, StartRule, Time, Viewer,
};
use serde::{Deserialize, Serialize};
use shuttle::scheduler::DfsScheduler;
use shuttle::{Config, Runner, thread};

/// A game whose state has two halves, always equal when nobody is at work on it.
#[derive(Default)]
struct Halves {
    copies: Arc<Copies>,
}

/// How drafts were made, over all orders tried.
#[derive(Debug, Default)]
struct Copies {
    in_new_memory: AtomicUsize,
    in_a_retired_state: AtomicUsize,
}

#[derive(Debug, Serialize, Deserialize)]
struct State {
    left: u64,
    right: u64,
    #[serde(skip)]
    copies: Arc<Copies>,
}

impl Clone for State {
    fn clone(&self) -> Self {
        self.copies.in_new_memory.fetch_add(1, Ordering::Relaxed);
        Self { left: self.left, right: self.right, copies: Arc::clone(&self.copies) }
    }

    fn clone_from(&mut self, source: &Self) {
        self.copies.in_a_retired_state.fetch_add(1, Ordering::Relaxed);
        self.left = source.left;
        thread::yield_now();
        self.right = source.right;
    }
}

impl Game for Halves {
    const GAME_TYPE: &'static str = "halves";
    type Options = ();
    type State = State;
    type Action = u64;
    type Event = Never;
    type View = ();
    type Timer = Never;
    type Outcome = ();

    fn about(&self) -> About {
        About::new("Halves", 1, 1)
    }

    fn rules(&self, (): &()) -> Rules {
        let mut rules = Rules::seats(1, 1);
        rules.start = StartRule::Host;
        rules
    }

    fn setup(&self, (): &(), _: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        Ok(State { left: 0, right: 0, copies: Arc::clone(&self.copies) })
    }

    fn on_action(
        &self,
        state: &mut State,
        _: PlayerId,
        add: u64,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.left += add;
        thread::yield_now();
        state.right += add;
        // The game's refusal comes last: what it did to its draft must be gone without a trace.
        if add == REFUSED { Err(GameError::invalid_move("too much")) } else { Ok(()) }
    }

    fn view(&self, _: &State, _: Viewer) {}
}

const REFUSED: u64 = 1_000_000;

/// A room in play, with nothing added yet.
fn room(copies: &Arc<Copies>) -> Room<Halves> {
    let setup = Setup::new((), Seed([1; 32]), NOW);
    let mut room = Room::create(Arc::new(Halves { copies: Arc::clone(copies) }), setup).unwrap();
    let ada = Join::new("Ada", Digest([1; 32]));
    for command in [Command::Join(ada), Command::Start(PlayerId::FIRST)] {
        let commit = room.apply(NOW, command).unwrap();
        room.publish(commit);
    }
    room
}

fn add(room: &mut Room<Halves>, n: u64) {
    let commit = room.act(NOW, PlayerId::FIRST, n, Origin::Request(None)).unwrap();
    thread::yield_now();
    room.publish(commit);
}

/// Looks `looks` times, each time twice at the same snapshot.
fn look(view: &RoomView<Halves>, looks: usize, may_see: &[u64]) {
    let mut last = None;
    for _ in 0..looks {
        let snapshot = view.snapshot();
        let seen = assert_whole(&snapshot);
        assert!(may_see.contains(&seen.1), "{seen:?} was never published");
        assert!(last <= Some(seen), "{seen:?} after {last:?}");
        last = Some(seen);
        thread::yield_now();
        assert_eq!(assert_whole(&snapshot), seen, "a held snapshot has moved");
        drop(snapshot);
        thread::yield_now();
    }
}

fn assert_whole(snapshot: &Snapshot<Halves>) -> (u64, u64) {
    let State { left, right, .. } = *snapshot.state;
    assert_eq!(left, right, "halves of two states");
    (snapshot.version, left)
}

const NOW: Time = Time::from_millis(0);

/// Runs `script` in every order there is; gives their number.
fn in_every_order(script: impl Fn() + Send + Sync + 'static) -> usize {
    let all = Some(ORDERS_MAX);
    let orders = Runner::new(DfsScheduler::new(all, false), Config::default()).run(script);
    assert!(orders < ORDERS_MAX, "the script is too long to try whole");
    orders
}

/// Far above what the scripts here need, and far below what would take minutes.
const ORDERS_MAX: usize = 200_000;

/// Fewer orders than this would mean that the threads never meet.
const ORDERS_MIN: usize = 100;

/// Readers on threads of their own look `looks` times each while `write` is at work. Every draft is made in
/// new memory in some orders and in a retired state in others, or the script would prove little.
fn try_every_order(
    readers: usize,
    looks: usize,
    may_see: &'static [u64],
    write: impl Fn(&mut Room<Halves>) + Send + Sync + 'static,
) {
    let copies = Arc::new(Copies::default());
    let counted = Arc::clone(&copies);
    let orders = in_every_order(move || {
        let mut room = room(&counted);
        let reading: Vec<_> = (0..readers)
            .map(|_| {
                let view = room.view();
                thread::spawn(move || look(&view, looks, may_see))
            })
            .collect();
        write(&mut room);
        for reader in reading {
            reader.join().unwrap();
        }
        let last = assert_whole(&room.view().snapshot()).1;
        assert_eq!(Some(&last), may_see.last(), "the last change is there for all");
    });
    assert!(orders >= ORDERS_MIN, "only {orders} orders");
    let ways = [&copies.in_new_memory, &copies.in_a_retired_state];
    assert!(ways.iter().all(|way| way.load(Ordering::Relaxed) > 0), "{copies:?}");
}

#[test]
fn reader_sees_whole_published_states_in_every_order() {
    try_every_order(1, 2, &[0, 1, 2, 3], |room| {
        for _ in 0..3 {
            add(room, 1);
        }
    });
}

#[test]
fn two_readers_see_whole_published_states_in_every_order() {
    try_every_order(2, 1, &[0, 1], |room| {
        add(room, 1);
    });
}

#[test]
fn refused_change_is_never_seen_in_any_order() {
    try_every_order(1, 2, &[0, 1, 2], |room| {
        add(room, 1);
        let refusal = room.act(NOW, PlayerId::FIRST, REFUSED, Origin::Request(None)).unwrap_err();
        assert_eq!(refusal, Refusal::Game(GameError::invalid_move("too much")));
        add(room, 1);
    });
}

#[test]
fn change_put_back_is_never_seen_in_any_order() {
    try_every_order(1, 2, &[0, 1, 2], |room| {
        let first = room.act(NOW, PlayerId::FIRST, 1, Origin::Request(None)).unwrap();
        let second = room.act(NOW, PlayerId::FIRST, 10, Origin::Request(None)).unwrap();
        room.put_back(second);
        room.publish(first);
        add(room, 1);
    });
}

/// That the looks fall into the gaps: two halves that are changed one after the other in one place,
/// as a room would have to do to go wrong, are caught.
#[test]
#[should_panic(expected = "halves of two states")]
fn halves_changed_in_place_are_caught() {
    in_every_order(|| {
        let halves = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let seen = Arc::clone(&halves);
        let reader = thread::spawn(move || {
            let [left, right] = seen.each_ref().map(|half| half.load(Ordering::Relaxed));
            assert_eq!(left, right, "halves of two states");
        });
        halves[0].fetch_add(1, Ordering::Relaxed);
        thread::yield_now();
        halves[1].fetch_add(1, Ordering::Relaxed);
        reader.join().unwrap();
    });
}
