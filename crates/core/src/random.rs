//! The room's random stream: seeded once, drawn from in order, stored as a position.
//!
//! A command draws from a copy. Only when the command succeeds does the room take over the
//! copy's position, so a refused command has drawn nothing.

use std::fmt;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::PlayerId;

/// What a game and a bot draw from. The methods come from [`rand::RngExt`].
pub type GameRng = ChaCha8Rng;

/// Where every random number of a room comes from. Take it from the operating system.
///
/// Never put it into a view or a log: who knows it knows every card to come.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// A seed and how far it has been drawn.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct RandomStream {
    seed: Seed,
    /// Words of 32 bits drawn so far.
    position: u64,
}

impl RandomStream {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { seed, position: 0 }
    }

    /// A generator that goes on where this stream stands.
    pub(crate) fn open(&self) -> GameRng {
        let mut rng = ChaCha8Rng::from_seed(self.seed.0);
        rng.set_word_pos(self.position.into());
        rng
    }

    /// Moves the stream to where `rng` stands.
    pub(crate) fn advance_to(&mut self, rng: &GameRng) {
        self.position =
            u64::try_from(rng.get_word_pos()).expect("a room draws fewer than 2^64 words");
    }

    /// The generator of a bot's decision at `version`: its own, and the same when asked again.
    ///
    /// ChaCha's stream number keeps it apart from the room's own stream, which is number 0.
    pub(crate) fn for_bot(&self, bot: PlayerId, version: u64) -> GameRng {
        let mut rng = ChaCha8Rng::from_seed(self.seed.0);
        rng.set_stream(1 + u64::from(bot.0));
        // 2^16 words for each version, which stays clear of the counter's end for 2^50 versions.
        rng.set_word_pos(u128::from(version) << 16);
        rng
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;

    #[test]
    fn stream_goes_on_where_it_was_left() {
        let whole: Vec<u32> = {
            let mut rng = RandomStream::new(Seed([3; 32])).open();
            (0..20).map(|_| rng.random()).collect()
        };

        let mut stream = RandomStream::new(Seed([3; 32]));
        let mut pieces = Vec::new();
        for _ in 0..20 {
            let mut rng = stream.open();
            pieces.push(rng.random::<u32>());
            stream.advance_to(&rng);
        }
        assert_eq!(pieces, whole);
    }

    #[test]
    fn bots_draw_apart_from_the_room_and_from_each_other() {
        let stream = RandomStream::new(Seed([3; 32]));
        let room: u64 = stream.open().random();
        let one: u64 = stream.for_bot(PlayerId(1), 0).random();
        let two: u64 = stream.for_bot(PlayerId(2), 0).random();
        let later: u64 = stream.for_bot(PlayerId(1), 1).random();
        assert!(room != one && one != two && one != later);
    }
}
