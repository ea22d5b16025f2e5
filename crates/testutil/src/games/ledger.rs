//! A game that keeps books on what reaches it, so that nothing can be lost or done twice unseen.
//!
//! Each entry bears a number of its player's choice, to be used once. The ledger counts how often it was
//! entered and numbers the entries without a gap. Everyone hears of each; its player gets a receipt.
//! What a page shows beside its numbers follows from them, so that one put together wrongly shows it.

use std::collections::BTreeMap;

use parlor_core::{
    About, Audience, Ctx, Game, GameError, Never, PlayerId, Rules, StartRule, Sync, Viewer,
};
use serde::{Deserialize, Serialize};

use super::Over;

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

/// How many sit there, and what they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Seats for players.
    pub seats: u16,
    /// Whether they are sent what has changed on their pages instead of the pages.
    #[serde(default)]
    pub patches: bool,
}

/// What a player sees of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The running number of the newest entry.
    pub entries: u64,
    /// How many of the player's own numbers were entered.
    pub mine: u64,
    /// The newest entries, in words: as many come as go.
    pub newest: BTreeMap<String, String>,
    /// The entries since the last full line.
    pub line: Vec<u64>,
}

impl Page {
    /// The page with these numbers.
    pub fn new(entries: u64, mine: u64) -> Self {
        let newest = (entries.saturating_sub(NEWEST_MAX) + 1..=entries)
            .map(|entry| (format!("entry/{entry}~"), format!("number {entry} of all entries")));
        let line = entries - entries % LINE_ENTRIES + 1..=entries;
        Self { entries, mine, newest: newest.collect(), line: line.collect() }
    }

    /// Whether it is as the ledger made it, with these numbers.
    pub fn is_whole(&self) -> bool {
        *self == Self::new(self.entries, self.mine)
    }
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

    type Options = Terms;
    type State = Books;
    type Action = Entry;
    type Event = Told;
    type View = Page;
    type Timer = Never;
    type Outcome = Over;

    fn about(&self) -> About {
        About::new("Ledger", 1, SEATS_MAX)
    }

    fn rules(&self, options: &Terms) -> Rules {
        let mut rules = Rules::seats(1, options.seats.clamp(1, SEATS_MAX));
        rules.start = StartRule::Host;
        rules.late_join = true;
        rules.sync = if options.patches { Sync::patches() } else { Sync::states() };
        rules
    }

    fn setup(&self, _options: &Terms, _ctx: &mut Ctx<'_, Self>) -> Result<Books, GameError> {
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
        Page::new(state.entries, mine as u64)
    }
}

const SEATS_MAX: u16 = 100;
const NEWEST_MAX: u64 = 12;
const LINE_ENTRIES: u64 = 7;
