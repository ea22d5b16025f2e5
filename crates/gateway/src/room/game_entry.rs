//! A game as the gateway knows it: what is said of it, its options, and rooms made of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parlor_core::{About, Game, Room, Settings, Setup, Time};
use parlor_protocol::{ErrorDetail, GameSummary, Object, RoomCode, decode_value};
use serde_json::Value;

use super::game_room::GameRoom;
use super::{AnyGame, AnyRoom};
use crate::shared::Shared;
use crate::to_wire;

/// What a room is made from.
pub(crate) struct RoomParts {
    pub(crate) code: RoomCode,
    pub(crate) number: u64,
    /// As the game read them, defaults included.
    pub(crate) options: Arc<Object>,
    pub(crate) players_max: Option<u32>,
    pub(crate) settings: Settings,
    /// How long it waits for its first player, if that is not here yet.
    pub(crate) kept_for: Option<Duration>,
    pub(crate) shared: Arc<Shared>,
}

/// A game that rooms can be made of.
pub(crate) struct GameEntry<G> {
    game: Arc<G>,
    about: About,
    /// Whether it steps, with the options that nobody chose.
    is_realtime: bool,
}

impl<G: Game> GameEntry<G> {
    pub(crate) fn new(game: G) -> Self {
        let options = decode_options::<G>(Object::new()).ok();
        let is_realtime = options.is_some_and(|options| game.rules(&options).tick.is_some());
        Self { about: game.about(), game: Arc::new(game), is_realtime }
    }
}

impl<G: Game> AnyGame for GameEntry<G> {
    fn game_type(&self) -> &'static str {
        G::GAME_TYPE
    }

    fn summary(&self) -> GameSummary {
        let about = &self.about;
        GameSummary {
            game_type: G::GAME_TYPE.into(),
            title: about.title.into(),
            min_players: about.players_min.into(),
            max_players: about.players_max.into(),
            bots: !about.bot_levels.is_empty(),
            realtime: self.is_realtime,
        }
    }

    fn read_options(&self, options: Object) -> Result<Arc<Object>, ErrorDetail> {
        let options = decode_options::<G>(options)?;
        match catch_unwind(AssertUnwindSafe(|| serde_json::to_value(&options))) {
            Ok(Ok(Value::Object(options))) => Ok(Arc::new(options)),
            Ok(Ok(_)) => Err(to_wire::internal(G::GAME_TYPE, "options are not an object")),
            Ok(Err(error)) => Err(to_wire::internal(G::GAME_TYPE, &error)),
            Err(_) => Err(to_wire::internal(G::GAME_TYPE, "encoding options panicked")),
        }
    }

    fn create(&self, now: Time, new: RoomParts) -> Result<Arc<dyn AnyRoom>, ErrorDetail> {
        let options = new.options;
        let setup = Setup {
            options: decode_options::<G>(Object::clone(&options))?,
            players_max: new.players_max.map(|max| u16::try_from(max).unwrap_or(u16::MAX)),
            settings: new.settings,
            kept_for: new.kept_for,
            seed: new.shared.random.new_seed(),
            now,
        };
        let room = Room::create(Arc::clone(&self.game), setup)
            .map_err(|error| to_wire::create_error(&error, G::GAME_TYPE))?;
        let room = GameRoom::around(room, new.code, new.number, options, new.shared)
            .map_err(|refusal| to_wire::refusal(&refusal, G::GAME_TYPE))?;
        Ok(room)
    }
}

/// A type's own `Deserialize` is the game's code, which may panic.
fn decode_options<G: Game>(options: Object) -> Result<G::Options, ErrorDetail> {
    catch_unwind(|| decode_value(Value::Object(options)))
        .map_err(|_| to_wire::internal(G::GAME_TYPE, "decoding options panicked"))?
        .map_err(|fields| ErrorDetail::validation_failed(&fields.within("options")))
}
