//! From the lobby to the end and back: starts, acting, the rematch.

use super::probe::{Action, Options};
use super::{P1, P2, P3, Table, act, add_bot, join, secs};
use crate::{Command, GameError, Phase, Refusal, StartRule, Viewer};

fn starting(start: StartRule) -> Options {
    Options { start, players_min: 2, players_max: 3, ..Options::default() }
}

#[test]
fn host_starts_once_there_are_enough_players_and_each_is_connected() {
    let mut table = Table::seated(starting(StartRule::Host), &["Ada"]);
    let refusal = Refusal::NotReady("at least 2 players are needed".into());
    assert_eq!(table.refused(Command::Start(P1)), refusal);
    table.join("Bob");
    assert_eq!(table.refused(Command::Start(P2)), Refusal::NotHost);
    table.must(Command::Disconnect(P2));
    let refusal = Refusal::NotReady("Bob is not connected".into());
    assert_eq!(table.refused(Command::Start(P1)), refusal);
    table.must(Command::Reconnect(P2));

    let done = table.must(Command::Start(P1));
    assert_eq!(done.told, ["started"]);
    assert!(done.whole_state, "everyone gets the state, whole");
    assert_eq!(table.refused(Command::Start(P1)), Refusal::AlreadyStarted);
    table.act(P1, Action::Finish);
    assert_eq!(table.refused(Command::Start(P1)), Refusal::Over);
}

#[test]
fn bots_count_as_players_and_are_always_there() {
    let mut table = Table::seated(starting(StartRule::Host), &["Ada"]);
    table.must(add_bot("waits"));
    table.must(Command::Start(P1));

    let mut table = Table::seated(starting(StartRule::AllReady), &["Ada"]);
    table.must(add_bot("waits"));
    assert!(table.told_within(secs(1)).is_empty());
    table.must(Command::SetReady(P1, true));
    assert_eq!(table.told_within(secs(0)), ["started"]);
}

#[test]
fn game_that_starts_by_itself_is_not_started_by_the_host() {
    for rule in [StartRule::WhenFull, StartRule::AllReady] {
        let mut table = Table::seated(starting(rule), &["Ada", "Bob"]);
        assert_eq!(table.refused(Command::Start(P1)), Refusal::StartsByItself);
    }
}

#[test]
fn full_room_starts_only_when_everyone_is_connected() {
    let mut table = Table::seated(starting(StartRule::WhenFull), &["Ada", "Bob"]);
    assert!(table.told_within(secs(0)).is_empty());
    table.must(Command::Disconnect(P2));
    table.join("Cid");
    assert!(table.told_within(secs(1)).is_empty());
    table.must(Command::Reconnect(P2));
    assert_eq!(table.told_within(secs(0)), ["started"]);
    assert_eq!(table.calls().last(), Some(&"on_start"));
}

#[test]
fn spectator_does_not_fill_a_room() {
    let mut table = Table::seated(starting(StartRule::WhenFull), &["Ada", "Bob"]);
    table.must(super::watch("Eve"));
    assert!(table.told_within(secs(0)).is_empty());
    table.must(Command::SetSpectator(P3, false));
    assert_eq!(table.told_within(secs(0)), ["started"]);
}

#[test]
fn all_ready_starts_only_when_everyone_is_ready_and_connected() {
    let mut table = Table::seated(starting(StartRule::AllReady), &["Ada"]);
    assert_eq!(table.must(Command::SetReady(P1, true)).told, ["ready 1 true"]);
    assert!(table.told_within(secs(0)).is_empty(), "one is not enough");
    table.join("Bob");
    assert!(table.told_within(secs(0)).is_empty(), "one is not ready");
    table.must(Command::SetReady(P2, true));
    table.must(Command::Disconnect(P1));
    assert!(table.told_within(secs(1)).is_empty(), "one is not connected");
    table.must(Command::Reconnect(P1));
    assert_eq!(table.told_within(secs(0)), ["started"]);
}

#[test]
fn bots_left_behind_do_not_begin_among_themselves() {
    let mut table = Table::seated(starting(StartRule::AllReady), &["Ada"]);
    table.must(add_bot("adds"));
    table.must(add_bot("adds"));
    table.must(Command::Leave(P1));
    assert_eq!(table.told_within(secs(10)), ["closed Empty"]);
}

#[test]
fn ready_is_a_word_for_the_lobby() {
    let mut table = Table::with(&["Ada"]);
    table.must(Command::SetReady(P1, true));
    assert!(table.must(Command::SetReady(P1, true)).told.is_empty(), "once is enough");
    table.must(super::watch("Eve"));
    assert_eq!(table.refused(Command::SetReady(P2, true)), Refusal::NotAPlayer);
    table.must(Command::Start(P1));
    assert_eq!(table.refused(Command::SetReady(P1, false)), Refusal::InProgress);
    table.act(P1, Action::Finish);
    assert_eq!(table.refused(Command::SetReady(P1, false)), Refusal::Over);
}

#[test]
fn only_players_act_and_only_during_play() {
    let mut table = Table::with(&["Ada"]);
    table.must(super::watch("Eve"));
    assert_eq!(table.refused(act(P1, Action::Add(1))), Refusal::NotStarted);
    table.must(Command::Start(P1));
    table.act(P1, Action::Add(1));
    assert_eq!(table.refused(act(P2, Action::Add(1))), Refusal::NotAPlayer);
    assert_eq!(table.refused(act(P3, Action::Add(1))), Refusal::NoSuchPlayer);
    let refusal = Refusal::Game(GameError::invalid_move("refused, as asked"));
    assert_eq!(table.refused(act(P1, Action::Refuse)), refusal);

    let done = table.act(P1, Action::Finish);
    assert_eq!(done.told, ["finished 1"]);
    assert!(done.whole_state);
    assert_eq!(table.refused(act(P1, Action::Add(1))), Refusal::Over);
}

#[test]
fn rematch_sets_up_anew_with_the_same_seats_and_numbers_that_go_on() {
    let mut table = Table::with(&["Ada", "Bob", "Cid"]);
    table.must(Command::SetReady(P1, true));
    table.must(add_bot("waits"));
    assert_eq!(table.refused(Command::Rematch(P1)), Refusal::NotStarted);
    table.must(Command::Start(P1));
    assert_eq!(table.refused(Command::Rematch(P1)), Refusal::InProgress);
    table.must(Command::Leave(P2));
    table.act(P1, Action::Add(5));
    table.act(P1, Action::Finish);
    assert_eq!(table.refused(Command::Rematch(P3)), Refusal::NotHost);
    let version = table.seen().version;

    let done = table.must(Command::Rematch(P1));
    assert_eq!(done.told, ["ready 1 false"], "the bot, ready by nature, is not announced");
    assert!(done.whole_state);
    assert_eq!(table.phase(), Phase::Lobby);
    assert_eq!(table.seen().version, version + 1);
    assert_eq!((table.state().total, table.ids()), (0, vec![1, 3, 4]));
    assert_eq!(table.calls(), ["setup", "on_join", "on_join", "on_join"]);
    assert_eq!(table.state().seats, [P1, P3, super::P4]);
    assert!(!table.seat(P1).is_ready() && table.seat(super::P4).is_ready());
    assert_eq!(table.must(join("Dan")).told, ["joined 5 Dan"], "no number is given twice");
}

#[test]
fn rematch_draws_other_numbers() {
    let mut table = Table::finished(&["Ada"]);
    let first: Vec<u32> = table.state().calls.iter().map(|call| call.drawn).collect();
    table.must(Command::Rematch(P1));
    table.must(Command::Start(P1));
    assert!(table.state().calls.iter().all(|call| !first.contains(&call.drawn)));
}

#[test]
fn rematch_of_a_game_that_starts_by_itself_starts_by_itself() {
    let options = Options { players_max: 2, ..starting(StartRule::WhenFull) };
    let mut table = Table::seated(options, &["Ada", "Bob"]);
    table.pass(secs(0));
    table.act(P1, Action::Finish);
    table.must(Command::Rematch(P1));
    assert_eq!(table.told_within(secs(0)), ["started"]);
}

#[test]
fn final_state_stays_as_it_was_when_players_leave() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    table.act(P1, Action::Finish);
    let state = std::sync::Arc::clone(&table.seen().state);
    table.must(Command::Leave(P2));
    assert!(std::sync::Arc::ptr_eq(&state, &table.seen().state));
}

/// Who watches sees more than who plays.
#[test]
fn what_spectators_say_during_play_is_an_aside_and_stays_one() {
    let mut table = Table::playing(&["Ada"]);
    table.must(super::watch("Eve"));
    table.must(super::chat(P2, "she has an ace"));
    table.must(super::chat(P1, "what?"));
    let heard = |table: &Table, viewer| -> Vec<String> {
        table.room.chat(viewer).map(|line| line.text.clone()).collect()
    };
    assert_eq!(heard(&table, Viewer::Player(P1)), ["what?"]);
    assert_eq!(heard(&table, Viewer::Spectator), ["she has an ace", "what?"]);

    table.act(P1, Action::Finish);
    table.must(super::chat(P2, "well played"));
    assert_eq!(heard(&table, Viewer::Player(P1)), ["what?", "well played"]);
}
