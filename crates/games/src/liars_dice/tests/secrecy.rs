//! What is under a cup is seen by its player alone, until a challenge.
//!
//! Dice are small numbers, so that to look for them among what is sent would prove little. Instead the same
//! game is played twice, with other dice under one cup: whatever differs for anyone else is a leak.

use parlor_core::{Command, PlayerId, Viewer};
use parlor_testkit::Playroom;
use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;

use super::{bid, game, lay_out};
use crate::liars_dice::{Action, LiarsDice};

/// What everyone but `secretive` is shown and told, as it would be sent.
fn public(room: &mut Playroom<LiarsDice>, order: &[PlayerId], secretive: PlayerId) -> String {
    let others = order.iter().filter(|player| **player != secretive);
    let viewers = others.map(|player| Viewer::Player(*player)).chain([Viewer::Spectator]);
    let head = room.room().head();
    let views: Vec<_> = viewers.map(|viewer| room.room().look(head, viewer).unwrap()).collect();
    // All events are for everyone.
    serde_json::to_string(&(views, room.take_events())).unwrap()
}

/// Where in `told` there are lists of numbers.
fn number_lists(told: &impl Serialize) -> Vec<String> {
    fn search(at: &str, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                fields
                    .iter()
                    .for_each(|(name, value)| search(&format!("{at}/{name}"), value, found));
            }
            Value::Array(items) if items.iter().all(Value::is_number) => {
                if !items.is_empty() {
                    found.push(at.to_owned());
                }
            }
            Value::Array(items) => {
                (0..)
                    .zip(items)
                    .for_each(|(n, item): (u32, _)| search(&format!("{at}/{n}"), item, found));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    search("", &serde_json::to_value(told).unwrap(), &mut found);
    found.sort_unstable();
    found
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A seed on disk would be a file that the build leaves in the sources.
        failure_persistence: None,
        ..ProptestConfig::with_cases(128)
    })]

    /// Bids as they come, then a challenge, which at last tells the two games apart.
    #[test]
    fn dice_under_a_cup_change_nothing_that_anyone_else_is_sent_before_they_are_shown(
        players in 2..=6_usize,
        place in 0..6_usize,
        dice in prop::collection::vec(1..=6_u8, 5),
        other_dice in prop::collection::vec(1..=6_u8, 5),
        bids in prop::collection::btree_set((1..=10_i64, 1..=6_i64), 1..20),
    ) {
        prop_assume!(dice != other_dice);
        let place = place % players;
        let [mut one, mut other] = [&dice, &other_dice].map(|dice| {
            let (mut room, _) = game(players);
            let mut cups: Vec<&[u8]> = vec![&[2, 3, 4, 5, 6]; players];
            cups[place] = dice;
            lay_out(&mut room, &cups);
            room
        });
        let order = one.view().players;
        let secretive = order[place];

        for (turn, (count, face)) in bids.iter().enumerate() {
            let player = order[turn % players];
            one.act(player, bid(*count, *face)).unwrap();
            other.act(player, bid(*count, *face)).unwrap();
            let told = public(&mut one, &order, secretive);
            prop_assert_eq!(&told, &public(&mut other, &order, secretive));
        }

        let challenger = order[bids.len() % players];
        one.act(challenger, Action::Challenge).unwrap();
        other.act(challenger, Action::Challenge).unwrap();
        let told = public(&mut one, &order, secretive);
        prop_assert_ne!(&told, &public(&mut other, &order, secretive), "now they are shown");
    }

    /// Whoever leaves takes its dice along: nobody ever learns them.
    #[test]
    fn dice_of_one_who_leaves_are_never_shown(
        dice in prop::collection::vec(1..=6_u8, 5),
        other_dice in prop::collection::vec(1..=6_u8, 5),
        place in 0..3_usize,
    ) {
        let [mut one, mut other] = [&dice, &other_dice].map(|dice| {
            let (mut room, order) = game(3);
            let mut cups: [&[u8]; 3] = [&[2, 3, 4, 5, 6]; 3];
            cups[place] = dice;
            lay_out(&mut room, &cups);
            room.act(order[0], bid(2, 3)).unwrap();
            room.command(Command::Leave(order[place])).unwrap();
            room
        });
        let order = one.view().players;
        let gone = PlayerId(99);
        prop_assert_eq!(public(&mut one, &order, gone), public(&mut other, &order, gone));
    }
}

/// Whatever it is called, a list of numbers could be somebody's dice.
#[test]
fn lists_of_numbers_are_the_order_the_own_dice_and_what_a_challenge_shows() {
    let (mut room, order) = game(3);
    let view_of =
        |room: &Playroom<LiarsDice>, viewer| room.room().look(room.room().head(), viewer).unwrap();
    room.act(order[0], bid(2, 3)).unwrap();
    for player in &order {
        let view = view_of(&room, Viewer::Player(*player));
        assert_eq!(number_lists(&view), ["/dice", "/players"]);
    }
    assert_eq!(number_lists(&view_of(&room, Viewer::Spectator)), ["/players"]);
    assert_eq!(number_lists(&room.take_events()), Vec::<String>::new());

    room.act(order[1], Action::Challenge).unwrap();
    let shown = [1, 2, 3].map(|player| format!("/1/data/dice/{player}"));
    assert_eq!(number_lists(&room.take_events()), shown, "the second of them is `revealed`");
    let mut shown = [1, 2, 3].map(|player| format!("/lastReveal/dice/{player}")).to_vec();
    shown.push("/players".to_owned());
    assert_eq!(number_lists(&view_of(&room, Viewer::Spectator)), shown);
}
