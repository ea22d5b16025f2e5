//! The table: who plays in which order, what is under each cup, what was bid, and how it ends.

use parlor_core::rand::RngExt as _;
use parlor_core::{Audience, Ctx, GameError, PlayerId, Removal, TurnClock, TurnOrder, Viewer};
use serde::{Deserialize, Serialize};

use super::messages::{Event, Options, Outcome, Reveal, Timer, View};
use super::{Action, Bid, DICE, LiarsDice};

/// So many of a round's bids are remembered and shown; earlier ones are dropped.
pub const BIDS_SHOWN_MAX: usize = 32;

/// Everything about a game of liar's dice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    ones_wild: bool,
    /// In the order of turns, those who are out among them; empty before the start.
    players: Vec<Player>,
    /// Those who have dice: nobody before the start and after the end.
    order: TurnOrder,
    clock: TurnClock,
    /// The number of the round; 0 before the start.
    round: u32,
    /// What was bid in this round. Each outbids the one before.
    bids: Vec<Bid>,
    last_reveal: Option<Reveal>,
    winner: Option<PlayerId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Player {
    id: PlayerId,
    /// What is under its cup, for its own eyes.
    dice: Vec<u8>,
}

impl State {
    /// A table that nobody plays at yet.
    pub(super) fn new(options: &Options) -> Self {
        Self {
            ones_wild: options.ones_wild,
            players: Vec::new(),
            order: TurnOrder::default(),
            clock: TurnClock::new(options.turn_time()).with_bank(options.bank()),
            round: 0,
            bids: Vec::new(),
            last_reveal: None,
            winner: None,
        }
    }

    /// Seats the players in this order; the first one begins.
    pub(super) fn start(&mut self, order: Vec<PlayerId>, ctx: &mut Ctx<'_, LiarsDice>) {
        self.order = TurnOrder::new(order);
        self.players = self.order.players().map(|id| Player { id, dice: vec![0; DICE] }).collect();
        self.begin_round(ctx);
    }

    /// Does what `player` wants, if it is its turn and the rules allow it.
    pub(super) fn act(
        &mut self,
        player: PlayerId,
        action: Action,
        ctx: &mut Ctx<'_, LiarsDice>,
    ) -> Result<(), GameError> {
        self.order.check_turn(player)?;
        match action {
            Action::Bid { count, face } => {
                let small = |value: i64| u8::try_from(value).expect("a count and a face are small");
                let (count, face) = (small(count.get()), small(face.get()));
                self.bid(Bid { player_id: player, count, face }, ctx)
            }
            Action::Challenge => self.challenge(player, ctx),
        }
    }

    /// Plays for a player whose time is up: challenges the bid, or makes the lowest one.
    pub(super) fn time_out(&mut self, ctx: &mut Ctx<'_, LiarsDice>) -> Result<(), GameError> {
        let Some(player) = self.order.current() else { return Ok(()) };
        tell(ctx, Event::TimedOut { player_id: player });
        if self.bids.is_empty() {
            self.bid(Bid { player_id: player, count: 1, face: 1 }, ctx)
        } else {
            self.challenge(player, ctx)
        }
    }

    /// Goes on without `player`: if it had dice, with a new round. Who is left alone has won.
    pub(super) fn remove(&mut self, player: PlayerId, ctx: &mut Ctx<'_, LiarsDice>) {
        self.players.retain(|other| other.id != player);
        self.clock.remove(player);
        match self.order.remove(player) {
            Removal::Absent => {}
            Removal::InTurn | Removal::OutOfTurn => self.go_on(ctx),
        }
    }

    /// The connection of `player` is lost: the others need not wait out its bank.
    pub(super) fn away(&mut self, player: PlayerId) {
        self.clock.away(player);
    }

    /// `player` is back, perhaps in its turn.
    pub(super) fn back(&mut self, player: PlayerId, ctx: &mut Ctx<'_, LiarsDice>) {
        if let Some(left) = self.clock.back(player, ctx.now()) {
            ctx.set_timer(Timer::TurnOver, left);
        }
    }

    pub(super) fn view(&self, viewer: Viewer) -> View {
        let own = self.players.iter().find(|player| viewer == Viewer::Player(player.id));
        View {
            ones_wild: self.ones_wild,
            players: self.players.iter().map(|player| player.id).collect(),
            dice_counts: self
                .players
                .iter()
                .map(|player| (player.id, count(player.dice.len())))
                .collect(),
            dice: own.map(|player| player.dice.clone()).unwrap_or_default(),
            round: self.round,
            bid: self.bids.last().copied(),
            bids: self.bids.clone(),
            turn: self.order.current(),
            bank_from: self.clock.draws_from(),
            deadline: self.clock.deadline(),
            last_reveal: self.last_reveal.clone(),
            winner: self.winner,
        }
    }

    fn bid(&mut self, bid: Bid, ctx: &mut Ctx<'_, LiarsDice>) -> Result<(), GameError> {
        let dice = self.players.iter().map(|player| player.dice.len()).sum();
        if bid.count > count(dice) {
            return Err(broken("more_than_all_dice", "there are not so many dice")
                .with("dice", u32::from(count(dice))));
        }
        if let Some(last) = self.bids.last().filter(|last| !bid.outbids(last)) {
            return Err(broken("bid_too_low", "bid more dice, or as many of a higher face")
                .with("count", u32::from(last.count))
                .with("face", u32::from(last.face)));
        }
        if self.bids.len() == BIDS_SHOWN_MAX {
            self.bids.remove(0);
        }
        self.bids.push(bid);
        tell(ctx, Event::Bid(bid));
        self.order.advance();
        self.begin_turn(ctx);
        Ok(())
    }

    fn challenge(
        &mut self,
        challenger: PlayerId,
        ctx: &mut Ctx<'_, LiarsDice>,
    ) -> Result<(), GameError> {
        let Some(bid) = self.bids.last().copied() else {
            return Err(broken("nothing_to_challenge", "there is no bid to challenge yet"));
        };
        tell(ctx, Event::Challenged { player_id: challenger, bidder_id: bid.player_id });

        let with_dice = self.players.iter().filter(|player| !player.dice.is_empty());
        let matches = with_dice.clone().map(|player| bid.matches(&player.dice, self.ones_wild));
        let actual = count(matches.sum());
        let loser = if actual >= bid.count { challenger } else { bid.player_id };
        let reveal = Reveal {
            round: self.round,
            bid,
            challenger,
            dice: with_dice.map(|player| (player.id, player.dice.clone())).collect(),
            actual,
            loser,
        };
        tell(ctx, Event::Revealed(reveal.clone()));
        self.last_reveal = Some(reveal);
        self.take_die(loser, ctx);
        Ok(())
    }

    /// Takes a die of `loser`, who begins the next round, or the next one if that was the last die.
    fn take_die(&mut self, loser: PlayerId, ctx: &mut Ctx<'_, LiarsDice>) {
        let player = self.players.iter_mut().find(|player| player.id == loser);
        let dice = &mut player.expect("a round in which a player leaves is void").dice;
        dice.pop();
        let left = count(dice.len());
        tell(ctx, Event::DieLost { player_id: loser, left });
        self.order.pass_to(loser);
        if left == 0 {
            tell(ctx, Event::Eliminated { player_id: loser });
            let _: Removal = self.order.remove(loser);
        }
        self.go_on(ctx);
    }

    /// Begins another round, or ends the game for the only one who has dice.
    fn go_on(&mut self, ctx: &mut Ctx<'_, LiarsDice>) {
        self.bids.clear();
        if self.order.len() == 1 { self.finish(ctx) } else { self.begin_round(ctx) }
    }

    /// All who have dice roll them. It begins whose turn it is.
    fn begin_round(&mut self, ctx: &mut Ctx<'_, LiarsDice>) {
        self.round += 1;
        for player in &mut self.players {
            player.dice.fill_with(|| ctx.rng().random_range(1..=6));
            player.dice.sort_unstable();
        }
        if let Some(player_id) = self.order.current() {
            tell(ctx, Event::NewRound { round: self.round, player_id });
        }
        self.begin_turn(ctx);
    }

    fn begin_turn(&mut self, ctx: &mut Ctx<'_, LiarsDice>) {
        if let Some(player) = self.order.current() {
            ctx.set_timer(Timer::TurnOver, self.clock.begin(player, ctx.now()));
        }
    }

    fn finish(&mut self, ctx: &mut Ctx<'_, LiarsDice>) {
        let winner = self.order.current().expect("one is left");
        let dice = self.players.iter().find(|player| player.id == winner);
        let dice_left = count(dice.map_or(0, |player| player.dice.len()));
        self.order = TurnOrder::default();
        self.clock.end(ctx.now());
        self.winner = Some(winner);
        ctx.finish(Outcome { winner, dice_left, rounds: self.round });
    }
}

/// Whatever is told, everyone may know.
fn tell(ctx: &mut Ctx<'_, LiarsDice>, event: Event) {
    ctx.emit(Audience::Everyone, event);
}

fn broken(rule: &'static str, message: &'static str) -> GameError {
    GameError::invalid_move(message).with("rule", rule)
}

fn count(dice: usize) -> u8 {
    u8::try_from(dice).expect("there are at most 30 dice")
}
