//! What the program around the rooms brings into one: signals, profiles, a room kept for someone.

use std::sync::Arc;

use super::probe::{Action, Options, Probe};
use super::{P1, Table, join, newcomer, secs, watch};
use crate::{
    CloseReason, Command, GameError, Join, Profile, Refusal, Room, Scalar, Seed, Setup, Signal,
    Time,
};

fn signal(by: i64) -> Command {
    let data = [("by".to_owned(), Scalar::Int(by))].into_iter().collect();
    Command::Signal(Signal { name: "add".to_owned(), data })
}

#[test]
fn signal_reaches_the_game_before_its_end_and_not_after() {
    let mut table = Table::with(&["Ada"]);
    table.must(signal(2));
    table.must(Command::Start(P1));
    let done = table.must(signal(3));
    assert!(done.shows_state);
    assert_eq!(table.state().total, 5);

    table.act(P1, Action::Finish);
    assert_eq!(table.refused(signal(1)), Refusal::Over);
}

#[test]
fn signal_that_the_game_refuses_changes_nothing_and_is_told_to_its_sender() {
    let mut table = Table::playing(&["Ada"]);
    table.room.game().arm("on_signal", super::probe::How::Errs);
    let refused = table.refused(signal(1));
    assert!(matches!(refused, Refusal::Game(error) if error.code() == "TRAPPED"));
    table.room.game().arm("on_signal", super::probe::How::Panics);
    assert!(matches!(table.refused(signal(1)), Refusal::Failed(_)));
}

#[test]
fn game_without_signals_says_so() {
    let mut room = super::refusals::without_bots::room();
    let refused = room.apply(Time::from_millis(0), signal(1)).unwrap_err();
    let unknown = GameError::new("UNKNOWN_SIGNAL", "this game knows no signals");
    assert_eq!(refused, Refusal::Game(unknown));
}

#[test]
fn profile_stays_with_its_seat_through_losses_and_bytes() {
    let mut table = Table::with(&["Ada"]);
    let profile: Profile = [("rank".to_owned(), Scalar::Int(7))].into_iter().collect();
    table.must(Command::Join(Join { profile: profile.clone(), ..newcomer("Bob") }));
    table.must(Command::Disconnect(super::P2));
    table.must(Command::Reconnect(super::P2));
    let saved = rmp_serde::from_slice(&table.bytes()).unwrap();
    let restored = Room::restore(Arc::clone(table.room.game()), saved);
    let seat = restored.head().roster.seat(super::P2).unwrap();
    assert_eq!(seat.profile(), Some(&profile));
    assert_eq!(table.seat(P1).profile(), None);
}

fn kept_for_a_minute() -> Table {
    let now = Time::from_millis(1_000_000);
    let setup = Setup::new(Options::default(), Seed([7; 32]), now);
    let setup = Setup { kept_for: Some(secs(60)), ..setup };
    Table { room: Room::create(Arc::new(Probe::default()), setup).unwrap(), now }
}

#[test]
fn room_kept_for_someone_who_never_comes_expires() {
    let mut table = kept_for_a_minute();
    table.must(watch("Eve"));
    assert!(table.pass(secs(59)).is_empty(), "a spectator does not change that");
    table.pass(secs(1));
    assert_eq!(table.closed(), Some(CloseReason::Expired));
}

#[test]
fn room_that_was_kept_is_like_any_other_once_its_first_player_has_come() {
    let mut table = kept_for_a_minute();
    table.pass(secs(50));
    let ada = table.must(join("Ada")).seated.unwrap();
    assert_eq!(table.host(), Some(ada));
    assert!(table.pass(secs(100)).is_empty());
    table.must(Command::Leave(ada));
    table.pass(secs(10));
    assert_eq!(table.closed(), Some(CloseReason::Empty));
}
