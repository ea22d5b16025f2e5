//! Which steps a schedule is made of.

use parlor_core::StartRule;
use parlor_core::rand::RngExt as _;

use crate::ask::Ask;
use crate::game::{Action, After, Options, PLAYERS_MAX, Whom};
use crate::model::Socket;
use crate::world::{Reading, Seating, World, settle};

/// Rooms that are open at once.
const ROOMS_MAX: usize = 3;

/// Sockets that a client may have beside the one that it uses.
const OLD_SOCKETS_MAX: usize = 2;

/// Requests that a client lets be unanswered.
const UNANSWERED_MAX: usize = 32;

impl World {
    /// One seeded schedule, from the first client to the end of the last room.
    pub(crate) async fn run(&mut self) {
        let steps = self.rng.random_range(100..=250);
        for step in 0..steps {
            self.journal.note(|| format!("step {step}, at {} ms", self.now - crate::world::ORIGIN));
            self.step(step > steps * 3 / 4).await;
            self.end_step(step % 4 == 0).await;
            self.counts.steps += 1;
        }
        self.end().await;
    }

    async fn end_step(&mut self, lists: bool) {
        self.read_all();
        settle().await;
        self.read_all();
        self.check();
        if lists {
            self.check_listing();
        }
    }

    async fn step(&mut self, is_late: bool) {
        match self.rng.random_range(0..1000) {
            0..150 => {
                let millis = match self.rng.random_range(0..10) {
                    0..5 => self.rng.random_range(1..=800),
                    5..8 => self.rng.random_range(800..=6_000),
                    8 => self.rng.random_range(6_000..=25_000),
                    _ => self.rng.random_range(25_000..=70_000),
                };
                self.pass(millis).await;
            }
            150..170 => self.change_reading(),
            170..190 => self.lose_old_socket(),
            190..193 if !self.rooms.is_empty() => {
                let room = self.rng.random_range(0..self.rooms.len());
                self.close_room(room);
            }
            193..195 => self.close_sockets(),
            195..205 if is_late && !self.is_draining => self.drain(),
            _ => {
                let client = self.rng.random_range(0..self.clients.len());
                self.use_client(client);
            }
        }
    }

    /// Everyone reads and comes back, then everyone goes.
    async fn end(&mut self) {
        self.journal.note(|| "the end".into());
        for line in self.sockets.iter_mut().flatten() {
            line.reading = Reading::Everything;
        }
        self.end_step(true).await;
        for client in 0..self.clients.len() {
            if self.clients[client].session.as_ref().is_some_and(|s| s.socket.is_none()) {
                self.come_back(client);
                self.end_step(false).await;
            }
        }
        self.check_followed().await;

        for socket in 0..self.sockets.len() {
            self.lose(socket);
        }
        self.observer = None;
        let traffic = self.gateway.traffic();
        let gone = traffic.written + traffic.coalesced + traffic.unsent.values().sum::<u64>();
        assert_eq!(traffic.queued, gone, "messages of all sockets: {traffic:?}");
        assert_eq!(traffic.written, self.counts.messages, "messages read");
        self.counts.slow += traffic.unsent.get(&4002).copied().unwrap_or_default();
        for _ in 0..3 {
            self.pass(30_000).await;
        }
        self.counts.closed_rooms += self.rooms.len() as u64;
        assert!(self.rooms.iter().all(|room| room.closed), "a room without anyone closes");
        assert_eq!(self.gateway.room_count(), 0, "rooms without anyone");
    }

    /// Who follows the changes of the listing knows which rooms can be joined, a moment later.
    async fn check_followed(&mut self) {
        for _ in 0..20 {
            let before = self.joinable();
            self.pass(300).await;
            self.end_step(true).await;
            let listed = self.joinable();
            // Of what has changed in that moment it may not have heard.
            if before == listed {
                assert_eq!(self.followed(), listed, "what a subscriber knows");
                return;
            }
        }
    }

    fn change_reading(&mut self) {
        let socket = self.rng.random_range(0..self.sockets.len());
        let reading = match self.rng.random_range(0..4) {
            0 => Reading::Nothing,
            1 => Reading::Some(self.rng.random_range(1..=4)),
            _ => Reading::Everything,
        };
        if let Some(line) = self.sockets[socket].as_mut().filter(|line| line.client.is_some()) {
            line.reading = reading;
            self.journal.note(|| format!("  socket {socket} reads {reading:?}"));
        }
    }

    /// A socket that its client has turned away from is lost at last.
    fn lose_old_socket(&mut self) {
        let is_old = |(socket, line): (usize, &Option<crate::world::Line>)| {
            let client = line.as_ref()?.client?;
            (self.clients[client].socket != Some(socket)).then_some(socket)
        };
        let old = self.sockets.iter().enumerate().find_map(is_old);
        if let Some(socket) = old {
            self.lose(socket);
        }
    }

    fn use_client(&mut self, client: usize) {
        let Some(socket) = self.clients[client].socket else {
            if self.clients[client].session.is_some() && self.rng.random_bool(0.9) {
                self.come_back(client);
            } else {
                let socket = self.new_socket(client);
                self.get_seat(client, socket);
            }
            return;
        };
        if !self.is_open(socket) {
            self.lose(socket);
            return;
        }
        match self.line(socket).seating {
            Seating::Held { room, .. } => self.play(client, socket, room),
            Seating::None | Seating::Left { .. } => match self.rng.random_range(0..20) {
                0 => self.lose(socket),
                1 => self.repeat(client, socket),
                2 => self.ask_something(client, socket, 0),
                3..6 if self.clients[client].session.is_some() => {
                    self.resume(client, socket);
                }
                _ => self.get_seat(client, socket),
            },
        }
    }

    /// What one with a seat does.
    fn play(&mut self, client: usize, socket: Socket, room: usize) {
        match self.rng.random_range(0..100) {
            0..6 => self.lose(socket),
            6..11 => self.come_back(client),
            11..20 => self.repeat(client, socket),
            20 => self.get_seat(client, socket),
            21 if self.clients[client].session.is_some() => self.resume(client, socket),
            _ => self.ask_something(client, socket, room),
        }
    }

    /// Comes back on a new socket, from one that is lost or still there.
    fn come_back(&mut self, client: usize) {
        if self.clients[client].session.is_none() {
            return;
        }
        let socket = self.new_socket(client);
        self.resume(client, socket);
    }

    fn resume(&mut self, client: usize, socket: Socket) {
        let Some(session) = &self.clients[client].session else { return };
        let (epoch, last_seq) = (session.mirror.epoch.clone(), session.mirror.last_seq);
        let claim = match self.rng.random_range(0..20) {
            0 => None,
            1 => Some(("another".into(), last_seq)),
            2 => Some((epoch, last_seq + 100_000)),
            _ => Some((epoch, last_seq)),
        };
        let next = self.clients[client].next_attempt + 1;
        self.clients[client].next_attempt = next;
        let attempt = match self.rng.random_range(0..10) {
            0 => None,
            1 => Some(next.saturating_sub(self.rng.random_range(1..=3))),
            _ => Some(next),
        };
        self.reconnect(client, socket, claim, attempt);
    }

    fn new_socket(&mut self, client: usize) -> Socket {
        let is_old = |line: &Option<crate::world::Line>| {
            line.as_ref().is_some_and(|line| line.client == Some(client))
        };
        while self.sockets.iter().filter(|line| is_old(line)).count() > OLD_SOCKETS_MAX {
            let oldest = self.sockets.iter().position(is_old).expect("it was counted");
            self.lose(oldest);
        }
        let socket = self.connect(Some(client));
        self.clients[client].socket = Some(socket);
        socket
    }

    /// Joins a room, or opens one.
    fn get_seat(&mut self, client: usize, socket: Socket) {
        if let Some((room, request)) = self.clients[client].keyed.clone()
            && self.clients[client].session.is_none()
            && self.rng.random_bool(0.5)
        {
            let mut request = request;
            if self.rng.random_bool(0.1) {
                request["data"]["playerName"] = "another".into();
            }
            self.join(client, socket, room, &request);
            return;
        }
        let open = self.rooms.iter().filter(|room| !room.closed).count();
        if open < ROOMS_MAX && (open == 0 || self.rng.random_bool(0.15)) {
            let options = self.new_options();
            self.create(client, socket, options);
            return;
        }
        let room = match self.rng.random_range(0..10) {
            0 => self.rng.random_range(0..self.rooms.len()),
            _ => {
                let open = self.rooms.iter().enumerate().filter(|(_, room)| !room.closed);
                let open: Vec<usize> = open.map(|(room, _)| room).collect();
                open[self.rng.random_range(0..open.len())]
            }
        };
        let spectator = self.rng.random_bool(0.2);
        let Some(request) = self.joining(client, room, spectator) else { return };
        if !request["data"]["key"].is_null() || self.rng.random_bool(0.7) {
            self.join(client, socket, room, &request);
            return;
        }
        let other = self.rng.random_range(0..self.clients.len());
        self.join_slowly(client, socket, room, &request, |world| {
            let Some(line) = world.clients[other].socket.filter(|line| world.is_open(*line)) else {
                return;
            };
            match world.rng.random_range(0..10) {
                0 => world.close_room(room),
                1 => world.lose(line),
                _ => world.ask_something(other, line, room),
            }
        });
    }

    fn new_options(&mut self) -> Options {
        let starts = [StartRule::WhenFull, StartRule::AllReady, StartRule::Host];
        let afters = [After::Remove, After::Forfeit, After::StandIn];
        let min = self.rng.random_range(1..=2);
        Options {
            tag: self.rooms.len() as u64 + 1,
            min,
            max: self.rng.random_range(min..=PLAYERS_MAX),
            start: starts[self.rng.random_range(0..3)],
            after: afters[self.rng.random_range(0..3)],
            late_join: self.rng.random_bool(0.5),
            ring_ms: if self.rng.random_bool(0.5) { self.rng.random_range(500..=5_000) } else { 0 },
            quiet: self.rng.random_bool(0.5),
        }
    }

    /// Asks anew, once or several times in one frame.
    fn ask_something(&mut self, client: usize, socket: Socket, room: usize) {
        if self.clients[client].unanswered.len() >= UNANSWERED_MAX {
            return;
        }
        // In the middle of a frame nobody looks whether the socket is still open: only one whose
        // outbox is far from full sends several requests at once.
        let outbox = self.line(socket).connection.outbox();
        let is_roomy =
            outbox.is_empty() && self.limits == parlor_gateway::outbox::OutboxLimits::default();
        let count =
            if is_roomy && self.rng.random_bool(0.1) { self.rng.random_range(2..=5) } else { 1 };
        let mut asks = Vec::new();
        for _ in 0..count {
            let ask = self.any_ask(room);
            let of = &mut self.clients[client];
            let id = of.new_id();
            if !matches!(ask, Ask::State) {
                of.asked.push((id, ask));
                if of.session.is_some() {
                    of.unanswered.insert(id, ask);
                }
            }
            asks.push((id, ask));
        }
        self.ask(client, socket, &asks);
    }

    /// Sends once more what it has asked before, answered or not, or something else with its id.
    fn repeat(&mut self, client: usize, socket: Socket) {
        let asked = self.clients[client].asked.len();
        if asked == 0 {
            return;
        }
        let reach = if self.rng.random_bool(0.8) { 8 } else { 100 };
        let place = asked - 1 - self.rng.random_range(0..asked.min(reach));
        let (id, mut ask) = self.clients[client].asked[place];
        if self.rng.random_bool(0.1) {
            ask = Ask::Chat(self.new_number());
        }
        self.ask(client, socket, &[(id, ask)]);
    }

    fn any_ask(&mut self, room: usize) -> Ask {
        let seats = self
            .rooms
            .get(room)
            .map_or(2, |room| room.seats.last_key_value().map_or(2, |(player, _)| player + 1));
        let someone = self.rng.random_range(1..=seats);
        match self.rng.random_range(0..100) {
            0..40 => Ask::Act(self.any_action(someone)),
            40..52 => Ask::Chat(self.new_number()),
            52..66 => Ask::Ready(self.rng.random_bool(0.8)),
            66..72 => Ask::Start,
            72..75 => Ask::Rematch,
            75..79 => Ask::AddBot,
            79..81 => Ask::RemoveBot(someone),
            81..84 => Ask::Kick { player: someone, ban: self.rng.random_bool(0.2) },
            84..86 => Ask::SetHost(someone),
            86..88 => Ask::Lock(self.rng.random_bool(0.3)),
            88..90 => Ask::Hide(self.rng.random_bool(0.3)),
            90..93 => Ask::Role { spectator: self.rng.random_bool(0.5) },
            93..97 => Ask::State,
            _ => Ask::Leave,
        }
    }

    fn any_action(&mut self, someone: u32) -> Action {
        match self.rng.random_range(0..20) {
            0..7 => Action::Enter { number: self.new_number() },
            7..9 => Action::Ponder {},
            9..12 => Action::Flip {},
            12..14 => Action::Rotate {},
            14..18 => {
                let to = match self.rng.random_range(0..4) {
                    0 => Whom::Players,
                    1 => Whom::Spectators,
                    2 => Whom::Only(someone),
                    _ => Whom::AllBut(someone),
                };
                Action::Tell { to }
            }
            18 => Action::Refuse {},
            _ => Action::Finish {},
        }
    }
}
