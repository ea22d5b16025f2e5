//! A game that keeps books on what reaches it, so that nothing can be lost or done twice unseen.
//!
//! Each entry bears a number of its player's choice, to be used once. The ledger counts how often it was
//! entered and numbers the entries without a gap. Everyone hears of each; its player gets a receipt.

use std::collections::BTreeMap;

use parlor_core::{
    About, Audience, Ctx, Game, GameError, Never, PlayerId, Rules, StartRule, Viewer,
};
use serde::{Deserialize, Serialize};

use super::{Over, Seats};

/// The rules: the host starts, anyone may sit down at any time, and it never ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ledger;

/// The state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// The running number of the newest entry.
    pub entries: u64,
    /// Of each player, how often each of its numbers was entered.
    pub counts: BTreeMap<PlayerId, BTreeMap<u64, u32>>,
}

/// What a player sees of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The running number of the newest entry.
    pub entries: u64,
    /// How many of the player's own numbers were entered.
    pub mine: u64,
}

/// What a player does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Entry {
    /// Enters a number.
    Enter {
        /// Which. Its player uses it once.
        number: u64,
    },
    /// Asks how often each of the player's own numbers was entered.
    Audit {},
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
pub enum Told {
    /// To everyone: a number was entered.
    Entered {
        /// The running number of the entry.
        entry: u64,
        /// Whose.
        by: PlayerId,
        /// Which.
        number: u64,
    },
    /// To the player who entered it, right after that.
    Receipt {
        /// The running number of the entry.
        entry: u64,
        /// Which.
        number: u64,
    },
    /// To the player who asked: its own numbers, and how often each was entered.
    Audited {
        /// In rising order.
        counts: Vec<(u64, u32)>,
    },
}

impl Game for Ledger {
    const GAME_TYPE: &'static str = "ledger";

    type Options = Seats;
    type State = Books;
    type Action = Entry;
    type Event = Told;
    type View = Page;
    type Timer = Never;
    type Outcome = Over;

    fn about(&self) -> About {
        About::new("Ledger", 1, SEATS_MAX)
    }

    fn rules(&self, options: &Seats) -> Rules {
        let mut rules = Rules::seats(1, options.seats.clamp(1, SEATS_MAX));
        rules.start = StartRule::Host;
        rules.late_join = true;
        rules
    }

    fn setup(&self, _options: &Seats, _ctx: &mut Ctx<'_, Self>) -> Result<Books, GameError> {
        Ok(Books::default())
    }

    fn on_action(
        &self,
        state: &mut Books,
        by: PlayerId,
        action: Entry,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        let mine = state.counts.entry(by).or_default();
        match action {
            Entry::Enter { number } => {
                *mine.entry(number).or_default() += 1;
                state.entries += 1;
                let entry = state.entries;
                ctx.emit(Audience::Everyone, Told::Entered { entry, by, number });
                ctx.emit(Audience::Player(by), Told::Receipt { entry, number });
            }
            Entry::Audit {} => {
                let counts = mine.iter().map(|(number, times)| (*number, *times)).collect();
                ctx.emit(Audience::Player(by), Told::Audited { counts });
            }
        }
        Ok(())
    }

    fn view(&self, state: &Books, viewer: Viewer) -> Page {
        let mine = match viewer {
            Viewer::Player(player) => state.counts.get(&player).map_or(0, BTreeMap::len),
            Viewer::Spectator => 0,
        };
        Page { entries: state.entries, mine: mine as u64 }
    }
}

const SEATS_MAX: u16 = 100;
