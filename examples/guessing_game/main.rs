//! A first game: the server thinks of a number from 1 to 100, and whoever hits it first wins.

use parlor_server::game::rand::RngExt as _;
use parlor_server::game::{
    About, Audience, Bounded, Ctx, Game, GameError, Never, PlayerId, Rules, StartRule, Viewer,
};
use parlor_server::{Server, ServerConfig, runtime};
use serde::{Deserialize, Serialize};

struct GuessingGame;

#[derive(Clone, Serialize, Deserialize)]
struct Options {} // There is nothing to choose.

#[derive(Clone, Serialize, Deserialize)]
struct State {
    secret: i64, // It is in no view, so nobody is ever sent it.
    seen: View,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct View {
    low: i64,
    high: i64,
    winner: Option<PlayerId>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Guess {
    number: Bounded<1, 100>, // Anything else is refused before the game is asked.
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
enum Hint {
    Higher { by: PlayerId, number: i64 },
    Lower { by: PlayerId, number: i64 },
}

impl Game for GuessingGame {
    const GAME_TYPE: &'static str = "guessing_game";
    type Options = Options;
    type State = State;
    type Action = Guess;
    type Event = Hint;
    type View = View;
    type Timer = Never;
    type Outcome = View;

    fn about(&self) -> About {
        About::new("Guess my number", 1, 8)
    }

    fn rules(&self, _: &Options) -> Rules {
        let mut rules = Rules::seats(1, 8);
        rules.start = StartRule::Host;
        rules
    }

    fn setup(&self, _: &Options, ctx: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        let secret = ctx.rng().random_range(1..=100);
        Ok(State { secret, seen: View { low: 1, high: 100, winner: None } })
    }

    fn on_action(
        &self,
        state: &mut State,
        by: PlayerId,
        guess: Guess,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        let (number, secret) = (guess.number.get(), state.secret);
        if number < secret {
            state.seen.low = state.seen.low.max(number + 1);
            ctx.emit(Audience::Everyone, Hint::Higher { by, number });
        } else if number > secret {
            state.seen.high = state.seen.high.min(number - 1);
            ctx.emit(Audience::Everyone, Hint::Lower { by, number });
        } else {
            state.seen = View { low: secret, high: secret, winner: Some(by) };
            ctx.finish(state.seen);
        }
        Ok(())
    }

    fn view(&self, state: &State, _: Viewer) -> View {
        state.seen
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = ServerConfig::default();
    config.listen = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8080").parse()?;
    let server = Server::new(config)
        .game(GuessingGame)
        .page("/play/guessing_game", "text/html; charset=utf-8", include_str!("page.html"))
        .page("/play/guessing_game.js", "text/javascript; charset=utf-8", include_str!("page.js"));
    Ok(runtime()?.block_on(server.run())?)
}

#[cfg(test)]
mod tests;
