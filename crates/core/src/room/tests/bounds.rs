//! Everything that someone could make grow, at its bound and one past it.

use super::probe::{Action, Options, Probe};
use super::{P1, P2, Table, act, chat, join, kick};
use crate::{
    BANS_MAX, CHAT_LINES_MAX, CreateError, EVENTS_PER_CALLBACK_MAX, Failure, Fault, NAME_CHARS_MAX,
    Refusal, Room, Seed, Setup, TIMERS_MAX, Time,
};

fn over(bound: &'static str) -> Refusal {
    Refusal::Failed(Failure { callback: "on_action", fault: Fault::OverBound(bound) })
}

#[test]
fn one_event_too_many_fails_the_callback() {
    let mut table = Table::playing(&["Ada"]);
    // The probe itself emits one more for each callback.
    let most = u32::try_from(EVENTS_PER_CALLBACK_MAX).unwrap() - 1;
    let done = table.act(P1, Action::Emit(most));
    assert_eq!(done.game_events.len(), EVENTS_PER_CALLBACK_MAX);
    assert_eq!(table.refused(act(P1, Action::Emit(most + 1))), over("too many events"));
}

#[test]
fn one_timer_too_many_fails_the_callback() {
    let mut table = Table::playing(&["Ada"]);
    let most = u32::try_from(TIMERS_MAX).unwrap();
    assert_eq!(table.refused(act(P1, Action::Timers(most + 1))), over("too many timers"));
    table.act(P1, Action::Timers(most));
    table.act(P1, Action::Timers(most));
    let one_more = act(P1, Action::Timer { id: most, after_ms: 5 });
    assert_eq!(table.refused(one_more), over("too many timers"));
}

#[test]
fn chat_keeps_its_last_lines() {
    let mut table = Table::with(&["Ada"]);
    for n in 0..=CHAT_LINES_MAX {
        table.must(chat(P1, &n.to_string()));
    }
    let lines: Vec<&str> =
        table.room.chat(crate::Viewer::Spectator).map(|line| line.text.as_str()).collect();
    assert_eq!(lines.len(), CHAT_LINES_MAX);
    assert_eq!((lines[0], lines[CHAT_LINES_MAX - 1]), ("1", "50"));
    assert_eq!(table.refused(chat(P2, "who am I")), Refusal::NoSuchPlayer);
}

#[test]
fn one_ban_too_many_lets_the_oldest_back_in() {
    let mut table = Table::with(&["Ada"]);
    let ban = |table: &mut Table, n: usize| {
        let player = table.join(&format!("troll {n}"));
        table.must(kick(player, true));
    };
    for n in 0..BANS_MAX {
        ban(&mut table, n);
    }
    assert_eq!(table.refused(join("troll 0")), Refusal::Banned);
    ban(&mut table, BANS_MAX);
    table.join("troll 0");
    assert_eq!(table.refused(join("troll 1")), Refusal::Banned);
}

#[test]
fn name_made_unique_stays_within_its_bound() {
    let long = "x".repeat(NAME_CHARS_MAX);
    let table = Table::with(&[&long, &long]);
    assert_eq!(table.seat(P2).name().chars().count(), NAME_CHARS_MAX);
}

#[test]
fn creator_may_ask_for_fewer_seats_within_what_the_game_offers() {
    let create = |wanted| {
        let options = Options { players_min: 2, players_max: 4, ..Options::default() };
        let setup = Setup::new(options, Seed([1; 32]), Time::from_millis(0));
        let setup = Setup { players_max: Some(wanted), ..setup };
        Room::create(std::sync::Arc::new(Probe::default()), setup)
    };
    for wanted in [1, 5] {
        assert_eq!(create(wanted).unwrap_err(), CreateError::PlayersMax { min: 2, max: 4 });
    }
    for wanted in [2, 4] {
        assert_eq!(create(wanted).unwrap().charter().rules.players_max, wanted);
    }
}
