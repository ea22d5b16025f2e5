//! The same game, seed and commands at the same times: the same states, bit for bit.

use std::sync::Arc;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::probe::{Action, Options, Probe};
use super::{P1, Table, Wish, millis};
use crate::{
    Actions, AfterGrace, Command, PlayerId, Room, SavedRoom, SettingsChanges, StartRule, Sync, Tick,
};

const CASES: u32 = if cfg!(miri) { 2 } else { 96 };
const STEPS_MAX: usize = if cfg!(miri) { 12 } else { 80 };

/// What is asked for in one step of a script; `None` when only the bots do anything.
type Step = Option<Wish>;

fn player() -> impl Strategy<Value = PlayerId> {
    // Small numbers often: the first players are those who last.
    prop_oneof![3 => Just(P1), 4 => (1..=4u32).prop_map(PlayerId), 1 => (5..=12u32).prop_map(PlayerId)]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (-9..=9i64).prop_map(Action::Add),
        1 => Just(Action::Quiet),
        3 => (0..4u32, 0..9000u64).prop_map(|(id, after_ms)| Action::Timer { id, after_ms }),
        1 => (0..4u32).prop_map(|id| Action::Cancel { id }),
        1 => (0..5u32).prop_map(Action::Emit),
        1 => Just(Action::Refuse),
        1 => Just(Action::Finish),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let command = prop_oneof![
        4 => (0..5u8, prop::bool::weighted(0.2)).prop_map(|(name, spectator)| {
            let name = format!("name {name}");
            if spectator { super::watch(&name) } else { super::join(&name) }
        }),
        2 => player().prop_map(Command::Disconnect),
        2 => player().prop_map(Command::Reconnect),
        1 => player().prop_map(Command::Leave),
        1 => (player(), 0..5u8).prop_map(|(player, n)| {
            Command::RenewToken { player, token: super::token(&format!("new {n}")) }
        }),
        2 => (player(), any::<bool>()).prop_map(|(who, ready)| Command::SetReady(who, ready)),
        1 => (player(), any::<bool>()).prop_map(|(who, watch)| Command::SetSpectator(who, watch)),
        1 => (player(), 0..9u8).prop_map(|(who, n)| super::chat(who, &n.to_string())),
        4 => player().prop_map(Command::Start),
        2 => player().prop_map(Command::Rematch),
        2 => (player(), prop::sample::select(vec!["adds", "waits", "refused", "nobody"]))
            .prop_map(|(by, level)| {
                Command::AddBot { by, name: None, level: Some(level.to_owned()) }
            }),
        1 => (player(), player()).prop_map(|(by, bot)| Command::RemoveBot { by, bot }),
        1 => (player(), player(), any::<bool>())
            .prop_map(|(by, player, ban)| Command::Kick { by: Some(by), player, ban }),
        1 => (player(), player()).prop_map(|(by, player)| Command::SetHost { by, player }),
        1 => (player(), prop::bool::weighted(0.2)).prop_map(|(by, locked)| {
            let changes = SettingsChanges { locked: Some(locked), ..Default::default() };
            Command::Update { by, changes }
        }),
    ];
    prop_oneof![
        25 => command.prop_map(|command| Some(command.into())),
        8 => (player(), action()).prop_map(|(player, action)| Some(super::act(player, action))),
        3 => Just(None),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    let start =
        prop::sample::select(vec![StartRule::Host, StartRule::WhenFull, StartRule::AllReady]);
    let after_grace = prop::sample::select(vec![
        AfterGrace::Remove,
        AfterGrace::Forfeit,
        AfterGrace::StandIn { level: "adds".into() },
    ]);
    let tick = prop::sample::select(vec![
        None,
        None,
        Some(Tick::hz(2)),
        Some(Tick { actions: Actions::Gathered, ..Tick::hz(2) }),
        Some(Tick { pause_when_empty: true, ..Tick::hz(2) }),
    ]);
    let sync = prop::sample::select(vec![
        Sync::states(),
        Sync::patches(),
        Sync::events(),
        Sync::states().at_hz(1),
    ]);
    let rules = (start, after_grace, tick, sync);
    (rules, any::<bool>(), 1..=2u16, 2..=4u16).prop_map(
        |((start, after_grace, tick, sync), late_join, players_min, players_max)| Options {
            players_min,
            players_max,
            spectators_max: 2,
            start,
            late_join,
            accounts_only: false,
            after_grace,
            tick,
            sync,
        },
    )
}

/// Mostly short steps of time, now and then past a grace or the end of an empty room.
fn script() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let gap = prop_oneof![6 => 0..800u64, 2 => 800..12_000u64, 1 => 12_000..70_000u64];
    prop::collection::vec((gap, step()), 1..STEPS_MAX)
}

/// Takes one step at its time; gives the actions that bots took.
fn take(table: &mut Table, gap: u64, step: &Step) -> Vec<Wish> {
    table.pass(millis(gap));
    if let Some(wish) = step.clone() {
        // A refusal is as good a step as any: it must change as little here as there.
        drop(table.ask(wish));
    }
    table.pass(millis(0));
    let mut acted = Vec::new();
    for turn in table.room.due_bots(table.now) {
        let (player, seen) = (turn.player(), turn.version());
        let action = turn.decide();
        if let Ok(Some(commit)) = table.room.answer(table.now, player, seen, action.clone()) {
            table.publish(commit);
            let action = action.expect("a commit came of it");
            acted.push(Wish::Act { player, action, seen: Some(seen) });
        }
    }
    acted
}

/// Takes the same step in another room, whose bots are not asked: their actions come as a log tells.
fn follow(table: &mut Table, gap: u64, step: &Step, acted: Vec<Wish>) {
    table.pass(millis(gap));
    if let Some(wish) = step.clone() {
        drop(table.ask(wish));
    }
    table.pass(millis(0));
    for wish in acted {
        table.must(wish);
    }
}

/// What a log gives back of `wishes`.
fn through_bytes<T: Serialize + DeserializeOwned>(wishes: &T) -> T {
    serde_json::from_str(&serde_json::to_string(wishes).unwrap()).unwrap()
}

fn restored(table: &Table, saved: SavedRoom<Probe>) -> Table {
    Table { room: Room::restore(Arc::clone(table.room.game()), saved), now: table.now }
}

proptest! {
    // A seed on disk would be a file that the build leaves in the sources.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    })]

    #[test]
    fn two_rooms_of_one_seed_stay_equal_through_any_script(
        options in options(),
        script in script(),
    ) {
        let (mut one, mut two) = (Table::new(options.clone()), Table::new(options));
        for (gap, step) in &script {
            let acted = take(&mut one, *gap, step);
            follow(&mut two, *gap, &through_bytes(step), through_bytes(&acted));
            prop_assert!(one.bytes() == two.bytes(), "after {step:?}");
        }
    }

    #[test]
    fn room_written_down_half_way_goes_on_as_if_it_had_not_been(
        options in options(),
        script in script(),
    ) {
        let mut one = Table::new(options);
        let half = script.len() / 2;
        for (gap, step) in &script[..half] {
            take(&mut one, *gap, step);
        }

        let json = serde_json::to_vec(&one.room.save()).unwrap();
        let mut by_json = restored(&one, serde_json::from_slice(&json).unwrap());
        let packed = one.bytes();
        let mut by_msgpack = restored(&one, rmp_serde::from_slice(&packed).unwrap());
        prop_assert!(by_json.bytes() == packed);
        prop_assert!(by_msgpack.bytes() == packed);

        for (gap, step) in &script[half..] {
            let acted = take(&mut one, *gap, step);
            follow(&mut by_json, *gap, step, through_bytes(&acted));
            follow(&mut by_msgpack, *gap, step, through_bytes(&acted));
            let bytes = one.bytes();
            prop_assert!(by_json.bytes() == bytes, "JSON, after {step:?}");
            prop_assert!(by_msgpack.bytes() == bytes, "MessagePack, after {step:?}");
        }
    }

    /// What must hold in any room at any time, whatever is asked of it.
    #[test]
    fn no_script_breaks_what_a_room_promises_of_itself(
        options in options(),
        script in script(),
    ) {
        let mut table = Table::new(options);
        let mut numbers_given = 0;
        for (gap, step) in &script {
            let before = (table.seen().version, table.room.head.clock);
            take(&mut table, *gap, step);
            let seen = table.seen();
            prop_assert!((seen.version, table.room.head.clock) >= before, "nothing goes back");

            let ids = table.ids();
            prop_assert!(ids.is_sorted_by(|a, b| a < b));
            let newest = ids.last().copied().unwrap_or_default();
            let next = table.room.head.books.next_player.0;
            prop_assert!(newest < next && next > numbers_given);
            numbers_given = numbers_given.max(newest);

            if let Some(host) = seen.roster.host() {
                let kind = seen.roster.seat(host).map(|seat| seat.kind());
                prop_assert_eq!(kind, Some(crate::SeatKind::Human));
            }
            prop_assert!(seen.seats_taken() <= usize::from(table.room.charter().rules.players_max));
            if table.closed().is_none() {
                prop_assert!(table.room.head.wake_at.is_none_or(|at| at > table.now));
            } else {
                prop_assert_eq!(table.room.wake_at(), None);
            }
            prop_assert_eq!(table.room.head.failures, 0, "the probe does not fail by itself");
        }
    }
}

#[test]
fn rooms_of_different_seeds_draw_differently() {
    let drawn = |seed| {
        let seed = crate::Seed([seed; 32]);
        let setup = crate::Setup::new(Options::default(), seed, crate::Time::from_millis(0));
        let room = Room::create(Arc::new(Probe::default()), setup).unwrap();
        room.head().state.calls[0].drawn
    };
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn state_laid_out_in_a_saved_room_is_the_restored_rooms_alone() {
    let table = Table::with(&["Ada"]);
    let mut saved = table.room.save();
    saved.state_mut().total = 77;
    let restored = restored(&table, saved);
    assert_eq!(restored.room.head().state.total, 77);
    assert_eq!(restored.seen().state.total, 77);
    assert_eq!(table.room.head().state.total, 0);
}

#[test]
fn restored_room_keeps_the_rules_it_was_made_with_and_asks_its_bots_anew() {
    let mut table = Table::with(&["Ada"]);
    table.must(super::add_bot("adds"));
    table.must(Command::Start(P1));
    // Asked and not yet answered: the answer will never reach the restored room.
    table.pass(super::secs(1));
    assert_eq!(table.room.due_bots(table.now).len(), 1);

    table.room.game().arm("rules", super::probe::How::Panics);
    let mut restored = restored(&table, table.room.save());
    assert_eq!(restored.room.charter().rules, table.room.charter().rules);
    restored.pass(super::secs(1));
    assert_eq!(restored.room.due_bots(restored.now).len(), 1);
}
