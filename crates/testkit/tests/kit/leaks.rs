//! What a viewer was sent and must not know.

use parlor_core::{PlayerId, Viewer};
use parlor_testkit::{Playroom, SentKind, Twins};
use serde_json::json;

use crate::cards::{Cards, Fault, Options, Play};
use crate::faults::{check_fails, room};

const HAND: [u8; 5] = [11, 22, 33, 44, 55];

/// Two players, of whom the first has [`HAND`] and is to move.
fn game(fault: Fault) -> (Playroom<Cards>, PlayerId, PlayerId) {
    let mut room = room(fault);
    let (ada, bob) = (room.join("Ada"), room.join("Bob"));
    room.watch("Wil");
    room.start();
    room.arrange(|state| state["hands"][0][1] = json!(HAND));
    (room, ada, bob)
}

/// The first three moves. The first player's hand loses its first card.
fn play(room: &mut Playroom<Cards>) {
    let [ada, bob] = room.players()[..] else { panic!("two play") };
    assert!(room.act(bob, Play { place: 0 }).is_err());
    for player in [ada, bob, ada] {
        room.act(player, Play { place: 0 }).unwrap();
    }
}

#[test]
fn secret_that_stays_one_is_found_nowhere_but_at_its_player() {
    let (mut room, ada, bob) = game(Fault::Nothing);
    play(&mut room);
    room.assert_never_sent(bob, &HAND[1..]);
    room.assert_never_sent(Viewer::Spectator, &HAND[1..]);
    room.assert_sent_to_nobody_but([ada], &HAND[1..]);
    check_fails(
        "player 1 was sent the secret [22,33,44,55], at /hand in the view of change",
        || {
            room.assert_never_sent(ada, &HAND[1..]);
        },
    );
}

#[test]
fn secret_in_a_view_an_event_or_a_refusal_is_found() {
    for (fault, secret, words) in [
        (Fault::ViewShowsHands, json!(HAND[1..]), "at /hands/0 in the view of change"),
        (Fault::EventShowsCard, json!(11), "at /data/card in the event of change"),
        (Fault::RefusalShowsCard, json!(11), "at /details/card in the refusal of change"),
    ] {
        let (mut room, ada, bob) = game(fault);
        play(&mut room);
        check_fails(words, || room.assert_never_sent(bob, &secret));
        check_fails(words, || room.assert_sent_to_nobody_but([ada], &secret));
    }
}

#[test]
fn check_that_would_prove_nothing_fails() {
    let (mut room, _, bob) = game(Fault::Nothing);
    play(&mut room);
    check_fails("nobody was ever sent it", || room.assert_never_sent(bob, &[7, 7, 7]));
    check_fails("cannot be looked for, since it is in nearly everything: use `twins`", || {
        room.assert_never_sent(bob, &true);
    });
    check_fails("cannot be looked for, since it is empty", || {
        room.assert_never_sent(bob, &Vec::<u8>::new());
    });
    check_fails("player 9 was never sent anything", || {
        room.assert_never_sent(PlayerId(9), &HAND[1..]);
    });
}

/// A view that stays the same is kept once; a spectator's record is there without a spectator.
#[test]
fn record_is_what_each_viewer_was_sent_in_order() {
    let mut room = room(Fault::Nothing);
    let (ada, bob) = (room.join("Ada"), room.join("Bob"));
    room.start();
    room.forget_sent();
    room.chat(ada, "hello");
    room.chat(bob, "hello");
    room.act(ada, Play { place: 0 }).unwrap();

    let kinds = |viewer: Viewer| {
        room.sent_to(viewer).iter().map(|sent| (sent.change() - 3, sent.kind())).collect::<Vec<_>>()
    };
    use SentKind::{Event, View};
    assert_eq!(kinds(ada.into()), [(1, View), (3, Event), (3, Event), (3, View)]);
    assert_eq!(kinds(bob.into()), [(1, View), (3, Event), (3, View)]);
    assert_eq!(kinds(Viewer::Spectator), [(1, View), (3, Event), (3, View)]);
    let told = r#"{"name":"played","data":{"by":1}}"#;
    assert_eq!(room.sent_to(bob)[1].json(), told);
}

#[test]
fn outcome_is_sent_to_everyone_and_what_was_missed_to_who_comes_back() {
    let (mut room, ada, bob) = game(Fault::Nothing);
    room.disconnect(bob);
    room.arrange(|state| state["hands"][0][1] = json!([99]));
    room.act(ada, Play { place: 0 }).unwrap();
    for viewer in [ada.into(), bob.into(), PlayerId(3).into(), Viewer::Spectator] {
        let outcomes = room.sent_to(viewer).iter().filter(|sent| sent.kind() == SentKind::Outcome);
        assert_eq!(outcomes.map(|sent| sent.tree()).collect::<Vec<_>>(), [json!({"winner": 1})]);
    }
}

#[test]
fn twins_of_a_sound_game_look_alike_to_all_others_until_they_part() {
    let (room, ada, bob) = game(Fault::Nothing);
    let mut twins = room.twins([ada], |state| state["hands"][0][1] = json!([91, 92, 93, 94, 95]));
    twins.play(play);
    twins.play(|room| room.leave(bob));
    let [one, other] = twins.part();
    assert_ne!(one.view_of(ada).hand, other.view_of(ada).hand);
    assert_eq!(one.outcome(), other.outcome());
    one.check_replays();
    other.check_replays();
}

#[test]
fn twins_tell_every_way_to_leak_apart() {
    for (fault, words) in [
        (Fault::ViewShowsHands, "player 2 can tell what is hidden from it: in the view"),
        (Fault::ViewShowsSum, "at /is_good it is false in one and true in the other"),
        (Fault::EventShowsCard, "in the event of change"),
        (Fault::RefusalShowsCard, "in the refusal of change"),
    ] {
        let (room, ada, _) = game(fault);
        check_fails(words, || {
            room.twins([ada], |state| state["hands"][0][1] = json!([191, 192, 193, 194, 195]))
                .play(play);
        });
    }
}

#[test]
fn twins_that_would_prove_nothing_fail() {
    let (room, ada, _) = game(Fault::Nothing);
    check_fails("nothing is hidden in them", || drop(room.twins([ada], |_| {})));
    let (room, ada, _) = game(Fault::Nothing);
    let mut twins = room.twins([ada], |state| state["hands"][0][1] = json!([91, 92, 93, 94, 95]));
    check_fails("nothing has happened in either room", || {
        twins.play(|_| {});
    });
    // What everyone may see is no secret.
    let (room, ada, _) = game(Fault::Nothing);
    check_fails("player 2 can tell what is hidden from it: in the view of change", || {
        drop(room.twins([ada], |state| state["turn"] = json!(1)));
    });
}

#[test]
fn twins_may_be_of_two_seeds_and_bots_play_in_both_alike() {
    let twin = |seed| {
        let mut room = Playroom::<Cards>::new(Options {}, seed);
        let ada = room.join("Ada");
        room.add_bot(ada, "first");
        room.start();
        (room, ada)
    };
    let ((one, ada), (other, _)) = (twin(1), twin(2));
    // Cards are dealt once, so that all that the seed decides is in the hands.
    let mut twins = Twins::of(one, other, [ada, PlayerId(2)]);
    let plays = twins.play(|room| {
        room.act(ada, Play { place: 0 }).unwrap();
        room.step();
        room.view().counts[&PlayerId(2)]
    });
    assert_eq!(plays, [4, 4], "the bot has moved in both");
}
