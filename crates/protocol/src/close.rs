//! Why a socket was closed, as WebSocket close codes.

/// A close code that the server sends, or that a client meets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CloseCode {
    /// 1000: done, or unattached and idle for too long.
    Normal,
    /// 1001: the server is going away.
    GoingAway,
    /// 1002: the WebSocket protocol was broken.
    ProtocolError,
    /// 1003: a kind of data that cannot be taken.
    UnsupportedData,
    /// 1006: no close frame was received. Never sent.
    Abnormal,
    /// 1007: text that is not UTF-8.
    InvalidText,
    /// 1009: a message over `maxMessageBytes`.
    TooLarge,
    /// 1011: a fault of the server.
    ServerFault,
    /// 4001: another socket took this session over.
    TakenOver,
    /// 4002: the outbox was full. The session loses nothing.
    SlowConsumer,
    /// 4003: kicked.
    Kicked,
    /// 4004: the room closed.
    RoomClosed,
    /// 4005: no heartbeat in time.
    NoHeartbeat,
    /// 4006: the node lost touch with the room's owner.
    OwnerLost,
    /// 4400: too many unreadable frames.
    TooManyUnreadable,
    /// 4429: too many refusals by the rate limit.
    RateLimited,
}

impl CloseCode {
    /// Every code, in numerical order.
    pub const ALL: [Self; 16] = [
        Self::Normal,
        Self::GoingAway,
        Self::ProtocolError,
        Self::UnsupportedData,
        Self::Abnormal,
        Self::InvalidText,
        Self::TooLarge,
        Self::ServerFault,
        Self::TakenOver,
        Self::SlowConsumer,
        Self::Kicked,
        Self::RoomClosed,
        Self::NoHeartbeat,
        Self::OwnerLost,
        Self::TooManyUnreadable,
        Self::RateLimited,
    ];

    /// The number on the wire.
    pub const fn as_u16(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::UnsupportedData => 1003,
            Self::Abnormal => 1006,
            Self::InvalidText => 1007,
            Self::TooLarge => 1009,
            Self::ServerFault => 1011,
            Self::TakenOver => 4001,
            Self::SlowConsumer => 4002,
            Self::Kicked => 4003,
            Self::RoomClosed => 4004,
            Self::NoHeartbeat => 4005,
            Self::OwnerLost => 4006,
            Self::TooManyUnreadable => 4400,
            Self::RateLimited => 4429,
        }
    }

    /// The code with this number.
    pub fn from_u16(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_u16() == number)
    }

    /// Whether a client that met this code should connect again and `reconnect`.
    ///
    /// After [`TooManyUnreadable`](Self::TooManyUnreadable) and
    /// [`RateLimited`](Self::RateLimited) it first [waits](Self::wait_first).
    pub const fn may_reconnect(self) -> bool {
        match self {
            Self::GoingAway
            | Self::Abnormal
            | Self::TooLarge
            | Self::ServerFault
            | Self::SlowConsumer
            | Self::NoHeartbeat
            | Self::OwnerLost
            | Self::TooManyUnreadable
            | Self::RateLimited => true,
            Self::Normal
            | Self::ProtocolError
            | Self::UnsupportedData
            | Self::InvalidText
            | Self::TakenOver
            | Self::Kicked
            | Self::RoomClosed => false,
        }
    }

    /// Whether a client waits before it connects again: the server closed it for sending too
    /// much, and at once it would do the same.
    pub const fn wait_first(self) -> bool {
        matches!(self, Self::TooManyUnreadable | Self::RateLimited)
    }
}
