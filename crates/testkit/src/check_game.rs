//! All the checks that fit every game, in one call.

use std::sync::Arc;

use parlor_core::{AfterGrace, Bot, Data, Game};
use serde_json::{Value, json};

use crate::{BotGames, encoding};

/// How many games are played in peace, and how many in which people come and go.
const GAMES: u64 = 8;

/// Checks everything about a game that can be checked without knowing its rules.
///
/// - Its name, options, rules and levels of bots are as a server needs them; options can be read from `{}`.
/// - Bots of all levels play whole games, with as many players as the rules allow. They break no rule, no callback
///   fails, and every game ends, also when people come, lose their connection, come back and leave.
/// - Every action, event, view of every viewer, and outcome is the same in both codecs and can be read
///   back; events are tagged as the protocol has it; viewers with the same key see the same.
/// - The same commands at the same times lead to the same states, also through bytes on the way.
///
/// A game without bots needs [`check_game_with`]. Seeds are printed, and played alone, as
/// [`BotGames`] says.
#[track_caller]
pub fn check_game<G: Game>(game: G, options: G::Options) {
    let game = Arc::new(game);
    if game.about().bot_levels.is_empty() {
        panic!("{}: the game has no bots: say how it is played by `check_game_with`", G::GAME_TYPE);
    }
    check_said(&*game, &options);
    check_played(BotGames::of_shared(Arc::clone(&game), options.clone()));
    check_played(BotGames::of_shared(game, options).with_unrest());
}

/// The same for a game that is played by so many people, for whom `mind` decides. See [`moves`](crate::moves).
#[track_caller]
pub fn check_game_with<G: Game>(
    game: G,
    options: G::Options,
    people: usize,
    mind: Arc<dyn Bot<G>>,
) {
    let game = Arc::new(game);
    check_said(&*game, &options);
    let games =
        BotGames::of_shared(Arc::clone(&game), options.clone()).people(people, Arc::clone(&mind));
    check_played(games);
    check_played(BotGames::of_shared(game, options).people(people, mind).with_unrest());
}

#[track_caller]
fn check_played<G: Game>(games: BotGames<G>) {
    games.games(GAMES).thorough().run(|_| {});
}

/// Checks what a game says of itself.
#[track_caller]
fn check_said<G: Game>(game: &G, options: &G::Options) {
    if let Err(why) = said(game, options) {
        panic!("{}: {why}", G::GAME_TYPE);
    }
}

fn said<G: Game>(game: &G, options: &G::Options) -> Result<(), String> {
    let is_name = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    if G::GAME_TYPE.is_empty() || G::GAME_TYPE.len() > 32 || !G::GAME_TYPE.chars().all(is_name) {
        return Err("GAME_TYPE is to be snake_case, of at most 32 characters".to_owned());
    }

    let by_default: G::Options = serde_json::from_value(json!({})).map_err(|error| {
        format!("options cannot be read from {{}}, when nothing is chosen: {error}")
    })?;
    check_object("the options that nobody chose", &by_default)?;
    check_object("the options", options)?;

    let about = game.about();
    for level in about.bot_levels {
        if game.bot(level).is_none() {
            return Err(format!("there is no bot of level {level:?}, which `about` names"));
        }
    }
    for options in [&by_default, options] {
        let rules = game.rules(options);
        let (min, max) = (rules.players_min, rules.players_max);
        if min < 1 || min > max {
            return Err(format!("the rules have {min} to {max} players"));
        }
        if min < about.players_min || max > about.players_max {
            let (least, most) = (about.players_min, about.players_max);
            return Err(format!(
                "{min} to {max} players are not within `about`'s {least} to {most}"
            ));
        }
        if let AfterGrace::StandIn { level } = &rules.after_grace
            && game.bot(level).is_none()
        {
            return Err(format!("there is no bot of level {level:?}, which is to stand in"));
        }
    }
    Ok(())
}

fn check_object(what: &str, options: &impl Data) -> Result<(), String> {
    match encoding::alike(options).map_err(|error| format!("{what} {error}"))? {
        Value::Object(_) => Ok(()),
        other => Err(format!("{what} are to be a map, and not {}", encoding::shortened(&other))),
    }
}
