//! The requests that lead to a seat, ready to be sent as they are.
//!
//! Each is made with a key of its own, so that sending the same value again, over another
//! connection if need be, leads to the same seat and never to a second one.

use parlor_protocol::{CreateRoom, JoinRoom, Object, PlayerName, QuickMatch, RoomCode, Secret};

/// A public room of this game with its default options. Change a field to change your mind.
pub fn new_room(game_type: impl Into<String>, player_name: PlayerName) -> CreateRoom {
    CreateRoom {
        game_type: game_type.into(),
        player_name,
        options: Object::new(),
        private: false,
        password: None,
        max_players: None,
        metadata: Object::new(),
        key: Some(fresh_key()),
    }
}

/// A player's seat in this room, which asks for no password. Change a field to change your mind.
pub fn seat_in(room: RoomCode, player_name: PlayerName) -> JoinRoom {
    JoinRoom {
        room_id: Some(room),
        player_name,
        password: None,
        spectator: false,
        key: Some(fresh_key()),
    }
}

/// A seat wherever this game is about to be played with its default options.
pub fn any_seat(game_type: impl Into<String>, player_name: PlayerName) -> QuickMatch {
    QuickMatch {
        game_type: game_type.into(),
        player_name,
        options: Object::new(),
        key: Some(fresh_key()),
    }
}

/// 128 random bits in hexadecimal digits: who guesses a key gets the seat.
pub(crate) fn fresh_key() -> Secret {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[cfg(test)]
mod tests {
    use parlor_protocol::limits::{KEY_CHARS_MAX, KEY_CHARS_MIN};

    use super::*;

    #[test]
    fn every_request_has_a_key_of_its_own_within_the_bounds() {
        let (one, other) = (fresh_key(), fresh_key());
        assert_ne!(one, other);
        let chars = one.expose().chars().count() as u64;
        assert!((KEY_CHARS_MIN..=KEY_CHARS_MAX).contains(&chars), "{chars} characters");
    }
}
