//! The rooms of this node, by code.

use std::sync::Arc;

use parlor_protocol::RoomCode;

use crate::room::AnyRoom;
use crate::secrets::Randomness;
use crate::sharded::{Full, Sharded};

/// Every open room, found without waiting for another room.
pub(crate) struct Rooms {
    rooms: Sharded<RoomCode, Arc<dyn AnyRoom>>,
    rooms_max: usize,
}

impl Rooms {
    pub(crate) fn new(rooms_max: usize) -> Self {
        Self { rooms: Sharded::new(), rooms_max }
    }

    /// The room with this code, if it is open.
    pub(crate) fn get(&self, code: RoomCode) -> Option<Arc<dyn AnyRoom>> {
        self.rooms.get(&code)
    }

    /// A code that no room has now.
    pub(crate) fn free_code(&self, random: &Randomness) -> RoomCode {
        loop {
            // 24^8 codes and far fewer rooms: the first is free but for one time in a million.
            let code = random.new_room_code();
            if self.rooms.get(&code).is_none() {
                return code;
            }
        }
    }

    /// Whether one more room would be too many.
    pub(crate) fn is_full(&self) -> bool {
        self.rooms.len() >= self.rooms_max
    }

    /// Opens a room to everyone; `false` when another has taken its code meanwhile.
    pub(crate) fn open(&self, room: Arc<dyn AnyRoom>) -> Result<bool, Full> {
        self.rooms.insert_new(room.code(), room, self.rooms_max)
    }

    pub(crate) fn remove(&self, code: &RoomCode) {
        self.rooms.remove(code);
    }

    /// Shows each room, one after another.
    pub(crate) fn for_each(&self, mut see: impl FnMut(&dyn AnyRoom)) {
        self.rooms.for_each(|room| see(&**room));
    }

    /// The same for whoever wants to keep some.
    pub(crate) fn for_each_shared(&self, see: impl FnMut(&Arc<dyn AnyRoom>)) {
        self.rooms.for_each(see);
    }

    /// Lets go of all rooms.
    pub(crate) fn clear(&self) {
        self.rooms.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.rooms.len()
    }
}
