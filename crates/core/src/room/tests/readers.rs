//! Readers and the writer: whole snapshots, that stay as they were.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::probe::{Action, Options, Probe, Stage};
use super::{P1, Table, add_bot, join};
use crate::{Command, Phase, PlayerId, RoomView, SettingsChanges, Snapshot};

const ROOMS: usize = if cfg!(miri) { 2 } else { 30 };
const ROUNDS: usize = if cfg!(miri) { 8 } else { 200 };
const READERS: usize = if cfg!(miri) { 1 } else { 3 };

/// State, roster, phase and version all move, at different times; each snapshot that a reader takes
/// must be one of those that the writer made.
#[test]
fn reader_racing_a_writer_never_sees_mixed_halves() {
    for _ in 0..ROOMS {
        let options = Options { late_join: true, ..Options::default() };
        let mut table = Table::seated(options, &["Ada"]);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..READERS)
                .map(|_| {
                    let (view, over) = (table.room.view(), &over);
                    scope.spawn(move || read_until(&view, over))
                })
                .collect();
            // Set also when the writer panics: otherwise the readers, and the test, never end.
            let _ended = SetOnDrop(&over);
            write(&mut table);
            over.store(true, Ordering::Release);
            for reader in readers {
                let last = reader.join().expect("every snapshot was whole");
                assert_eq!(last, table.seen().version, "the last look sees the last change");
            }
        });
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn write(table: &mut Table) {
    for round in 0..ROUNDS {
        match round {
            _ if round == ROUNDS / 2 + 1 => drop(table.must(Command::Start(P1))),
            _ if round % 4 == 0 => drop(table.join("Bob")),
            _ if round % 4 == 1 && table.phase() == Phase::Playing => {
                drop(table.act(P1, Action::Add(1)));
            }
            _ if round % 4 == 2 => {
                let bob = PlayerId(table.ids()[1]);
                drop(table.must(Command::Leave(bob)));
            }
            _ => {
                let locked = Some(false);
                let changes = SettingsChanges { locked, ..SettingsChanges::default() };
                drop(table.must(super::update(changes)));
            }
        }
    }
    table.act(P1, Action::Finish);
}

/// Looks until the writer is done and once more; gives the version seen last.
fn read_until(view: &RoomView<Probe>, over: &AtomicBool) -> u64 {
    let mut last = 0;
    loop {
        let is_last_look = over.load(Ordering::Acquire);
        let snapshot = view.snapshot();
        assert_whole(&snapshot);
        assert!(snapshot.version >= last, "a reader never goes back");
        last = snapshot.version;
        if is_last_look {
            return last;
        }
    }
}

fn assert_whole(snapshot: &Snapshot<Probe>) {
    let state = &snapshot.state;
    assert_eq!(state.callbacks, state.callbacks_again, "the state is of one piece");
    // Each change of this game's runs one callback, after the one of the setup.
    assert_eq!(state.callbacks, snapshot.version + 1, "state and version belong together");
    let players: Vec<PlayerId> = snapshot.roster.players().map(|seat| seat.id()).collect();
    assert_eq!(state.seats, players, "state and roster belong together");
    let stage = match snapshot.phase {
        Phase::Lobby => Stage::Before,
        Phase::Playing => Stage::On,
        Phase::Finished => Stage::Over,
    };
    assert_eq!(state.stage, stage, "state and phase belong together");
}

#[test]
fn held_snapshot_does_not_move() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    let held: Vec<Arc<Snapshot<Probe>>> = (0..3)
        .map(|n| {
            table.act(P1, Action::Add(n));
            table.seen()
        })
        .collect();
    let write_down = |held: &[Arc<Snapshot<Probe>>]| {
        held.iter().map(|snapshot| rmp_serde::to_vec(&**snapshot).unwrap()).collect::<Vec<_>>()
    };
    let before = write_down(&held);

    for _ in 0..10 {
        table.act(P1, Action::Add(1));
    }
    table.must(Command::Leave(super::P2));
    table.act(P1, Action::Finish);
    assert_eq!(write_down(&held), before);
}

#[test]
fn retired_state_is_drafted_in_again_when_no_reader_holds_it() {
    let mut table = Table::playing(&["Ada"]);
    table.act(P1, Action::Add(1));
    let retired = Arc::as_ptr(&table.seen().state);
    table.act(P1, Action::Add(1));
    table.act(P1, Action::Add(1));
    assert_eq!(Arc::as_ptr(&table.seen().state), retired);
    assert_eq!(table.state().total, 3);
}

#[test]
fn retired_state_that_a_reader_holds_is_left_alone() {
    let mut table = Table::playing(&["Ada"]);
    table.act(P1, Action::Add(1));
    let held = table.seen();
    table.act(P1, Action::Add(1));
    assert!(table.room.spare.is_none());
    table.act(P1, Action::Add(1));
    assert_eq!((held.state.total, table.state().total), (1, 3));

    // Taken from a snapshot, the state alone is as safe.
    let state = Arc::clone(&table.seen().state);
    table.act(P1, Action::Add(1));
    table.act(P1, Action::Add(1));
    assert_eq!((state.total, table.state().total), (3, 5));
}

#[test]
fn chat_shows_readers_no_new_snapshot_and_a_roster_change_shares_the_state() {
    let mut table = Table::playing(&["Ada"]);
    let before = table.seen();
    let done = table.must(super::chat(P1, "hello"));
    assert_eq!(done.told, ["chat Ada: hello"]);
    assert!(Arc::ptr_eq(&before, &table.seen()));

    table.must(super::watch("Eve"));
    let after = table.seen();
    assert!(Arc::ptr_eq(&before.state, &after.state));
    assert_eq!(before.version, after.version);
    assert_eq!((before.roster.seats().len(), after.roster.seats().len()), (1, 2));
}

#[test]
fn views_are_made_once_for_each_group_that_is_present() {
    let options = Options { late_join: true, ..Options::default() };
    let mut table = Table::begun(options, &["Ada", "Bob"]);
    assert_eq!(table.act(P1, Action::Add(1)).views, 2, "each player's own");
    table.must(super::watch("Eve"));
    table.must(super::watch("Fay"));
    assert_eq!(table.act(P1, Action::Add(1)).views, 3, "spectators share one");
    table.must(add_bot("waits"));
    assert_eq!(table.act(P1, Action::Add(1)).views, 3, "a bot is sent nothing");
    table.must(Command::Disconnect(super::P2));
    assert_eq!(table.act(P1, Action::Add(1)).views, 2, "nor is who is away");
    assert_eq!(table.must(join("Gus")).views, 3, "who sits down is there");
}
