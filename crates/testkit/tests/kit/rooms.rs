//! People and time in a room.

use std::time::Duration;

use parlor_core::{
    About, Ctx, Game, GameError, Never, Phase, PlayerId, Profile, Refusal, Rules, Scalar, Seat,
    Signal, Viewer,
};
use parlor_testkit::{Playroom, moves};

use crate::cards::{Cards, Event, Options, Play, TURN, View};

fn game(players: usize) -> (Playroom<Cards>, Vec<PlayerId>) {
    let mut room = Playroom::<Cards>::new(Options {}, 1);
    let players =
        ["Ada", "Bob", "Cyd", "Dee"][..players].iter().map(|name| room.join(name)).collect();
    room.start();
    (room, players)
}

const FIRST: Play = Play { place: 0 };

#[test]
fn people_come_play_talk_watch_and_leave() {
    let mut room = Playroom::<Cards>::new(Options {}, 1);
    let (ada, bob) = (room.join("Ada"), room.join("Bob"));
    let wil = room.watch("Wil");
    assert_eq!((room.phase(), room.players()), (Phase::Lobby, vec![ada, bob]));
    room.start();
    assert_eq!(room.try_join("Cyd"), Err(Refusal::InProgress));
    assert_eq!(room.try_act(wil, FIRST), Err(Refusal::NotAPlayer));
    assert_eq!(room.act(bob, FIRST).unwrap_err().code(), "NOT_YOUR_TURN");
    room.act(ada, FIRST).unwrap();
    room.chat(bob, "well");
    assert_eq!(
        room.room().chat(Viewer::Spectator).map(|line| &*line.text).collect::<Vec<_>>(),
        ["well"]
    );
    room.leave(bob);
    assert_eq!((room.phase(), room.outcome().unwrap().winner), (Phase::Finished, ada));
    room.check_replays();
}

#[test]
fn rematch_is_a_new_game_without_an_outcome_once_it_begins() {
    let (mut room, players) = game(3);
    room.leave(players[1]);
    room.leave(players[2]);
    assert!(room.outcome().is_some());
    room.rematch();
    assert_eq!(room.phase(), Phase::Lobby);
    room.join("Eve");
    room.start();
    assert_eq!((room.phase(), room.outcome()), (Phase::Playing, None));
    room.check_replays();
}

#[test]
fn everything_due_fires_at_its_own_time() {
    let (mut room, players) = game(3);
    let start = room.now();
    room.wait(TURN - Duration::from_millis(1));
    assert_eq!(room.view().turn, Some(players[0]));
    room.wait(Duration::from_millis(1));
    assert_eq!(room.view().turn, Some(players[1]));
    assert_eq!(room.next_due(), Some(start + TURN * 2));
    room.wait(TURN * 4);
    assert_eq!((room.view().turn, room.now()), (Some(players[2]), start + TURN * 5));
    room.step();
    assert_eq!((room.view().turn, room.now()), (Some(players[0]), start + TURN * 6));
    room.check_replays();
}

/// However much is due by then: each timer fires at its own time, though the room hears of it late.
#[test]
fn room_that_nobody_called_makes_up_for_it() {
    let (mut room, players) = game(2);
    room.stall(TURN * 20_001);
    assert_eq!(room.view().turn, Some(players[1]));
    assert_eq!(room.changes(), 3 + 20_001);
}

#[test]
fn who_is_away_too_long_is_gone_and_who_is_back_in_time_is_not() {
    let (mut room, players) = game(3);
    room.disconnect(players[1]);
    room.disconnect(players[2]);
    room.wait(Duration::from_secs(30));
    room.reconnect(players[2]);
    room.wait(Duration::from_secs(30));
    assert_eq!(room.players(), [players[0], players[2]]);
    room.check_replays();
}

#[test]
fn each_viewer_sees_and_hears_what_is_its_own() {
    let (mut room, players) = game(2);
    room.take_events();
    let card = room.view_of(players[0]).hand[0];
    assert_ne!(room.view_of(players[0]).hand, room.view_of(players[1]).hand);
    assert!(room.view().hand.is_empty());
    room.act(players[0], FIRST).unwrap();
    assert_eq!(room.view_before(players[0]).hand[0], card);
    assert_ne!(room.view_before(players[0]), room.view_of(players[0]));

    let (played, drew) = (Event::Played { by: players[0] }, Event::Drew { card });
    assert_eq!(room.events_of(players[0]), [&played, &drew]);
    assert_eq!(room.events_of(players[1]), [&played]);
    assert_eq!(room.events_of(Viewer::Spectator), [&played]);
    assert_eq!(room.take_events(), [played, drew]);
    assert!(room.take_events().is_empty() && room.events_of(players[0]).is_empty());
}

#[test]
fn bots_move_when_they_have_thought_and_each_sees_its_own_hand() {
    let mut room = Playroom::<Cards>::new(Options {}, 1);
    let ada = room.join("Ada");
    let bot = room.add_bot(ada, "first");
    room.start();
    room.act(ada, FIRST).unwrap();
    let hand = room.view_of(bot).hand;
    room.wait(Duration::from_millis(699));
    assert_eq!(room.view().turn, Some(bot));
    room.wait(Duration::from_millis(1));
    assert_eq!((room.view().turn, &room.view_of(bot).hand[..]), (Some(ada), &hand[1..]));
    room.check_replays();
}

#[test]
fn person_who_plays_itself_acts_as_a_bot_would_until_it_is_away() {
    let mut room = Playroom::<Cards>::new(Options {}, 1);
    let (ada, bob) = (room.join("Ada"), room.join("Bob"));
    room.autoplay(ada, Cards::default().bot("any").unwrap());
    room.autoplay(bob, moves(|view: &View, me, _| (view.turn == Some(me)).then_some(FIRST)));
    room.start();
    room.wait(Duration::from_millis(1400));
    // Who was asked too early is asked again as soon as it is its turn.
    assert_eq!(room.view().counts.values().copied().collect::<Vec<_>>(), [3, 3]);
    room.disconnect(ada);
    room.wait(Duration::from_secs(5));
    assert_eq!(room.view().turn, Some(ada));
    room.check_replays();
}

#[test]
fn arranged_state_is_played_on_and_replayed() {
    let (mut room, players) = game(2);
    room.arrange(|state| state["hands"][0][1] = serde_json::json!([77]));
    room.reload();
    let mut state = room.state().clone();
    state.hands[1].1 = vec![66];
    room.set_state(state);
    assert_eq!(room.view_of(players[1]).hand, [66]);
    room.act(players[0], FIRST).unwrap();
    assert_eq!(room.outcome().unwrap().winner, players[0]);
    room.check_replays();
}

/// The program around the rooms knows how good somebody is, and gives a handicap.
#[test]
fn what_the_program_around_the_rooms_says_reaches_the_game_and_is_replayed() {
    let mut room = Playroom::<Handicap>::new(Options {}, 1);
    room.join_as("Ada", Profile::from([("rank".to_owned(), Scalar::Int(7))]));
    room.join("Bob");
    assert_eq!(room.view(), [7, 0]);

    let signal = |name: &str| Signal { name: name.to_owned(), ..Signal::default() };
    room.signal(signal("double")).unwrap();
    assert_eq!(room.view(), [14, 0]);
    let refused = room.signal(signal("triple")).unwrap_err();
    assert!(matches!(refused, Refusal::Game(error) if error.code() == "UNKNOWN_SIGNAL"));
    assert_eq!(room.view(), [14, 0]);
    room.check_replays();
}

#[derive(Default)]
struct Handicap;

impl Game for Handicap {
    const GAME_TYPE: &'static str = "handicap";
    type Options = Options;
    type State = Vec<i64>;
    type Action = Never;
    type Event = Never;
    type View = Vec<i64>;
    type Timer = Never;
    type Outcome = Never;

    fn about(&self) -> About {
        About::new("Handicap", 2, 2)
    }

    fn rules(&self, _: &Options) -> Rules {
        Rules::seats(2, 2)
    }

    fn setup(&self, _: &Options, _: &mut Ctx<'_, Self>) -> Result<Vec<i64>, GameError> {
        Ok(Vec::new())
    }

    fn on_start(&self, ranks: &mut Vec<i64>, ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        let rank = |seat: &Seat| match seat.profile().and_then(|profile| profile.get("rank")) {
            Some(Scalar::Int(rank)) => *rank,
            _ => 0,
        };
        ranks.extend(ctx.players().map(rank));
        Ok(())
    }

    fn on_action(
        &self,
        _: &mut Vec<i64>,
        _: PlayerId,
        action: Never,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        match action {}
    }

    fn on_signal(
        &self,
        ranks: &mut Vec<i64>,
        signal: Signal,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        if signal.name != "double" {
            return Err(GameError::new("UNKNOWN_SIGNAL", "only doubling is known"));
        }
        ranks.iter_mut().for_each(|rank| *rank *= 2);
        Ok(())
    }

    fn view(&self, ranks: &Vec<i64>, _: Viewer) -> Vec<i64> {
        ranks.clone()
    }
}
