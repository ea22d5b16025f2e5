//! What a room must be: an independent model of the rules of rooms, written from their promises.
//!
//! It knows no versions, no numbers of events and no bytes: who sits where, who is host, in what phase
//! the room is, when what is due, and how each request must be answered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor_core::StartRule;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::game::{
    Action, After, CLOSE_EMPTY_AFTER, CLOSE_FINISHED_AFTER, GRACE_IN_LOBBY, GRACE_IN_PLAY, Options,
    SPECTATORS_MAX, only,
};

/// What a request must be answered with: whom it seats, or the code of its refusal.
pub(crate) type Outcome = Result<Option<u32>, &'static str>;

/// The number of a socket.
pub(crate) type Socket = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Lobby,
    Playing,
    Finished,
}

#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) spectator: bool,
    pub(crate) bot: bool,
    /// Which token holds it.
    pub(crate) token: Option<u64>,
    pub(crate) connected: bool,
    ready: bool,
    grace_until: Option<u64>,
    pub(crate) forfeited: bool,
    pub(crate) holder: Option<Socket>,
    pub(crate) attempt: Option<u64>,
    /// How often it has begun to play or to watch.
    role_changes: u32,
}

#[derive(Debug)]
pub(crate) struct Room {
    /// Learnt from a listing.
    pub(crate) code: Option<String>,
    pub(crate) options: Options,
    pub(crate) phase: Phase,
    pub(crate) seats: BTreeMap<u32, Seat>,
    next: u32,
    pub(crate) host: Option<u32>,
    host_until: Option<u64>,
    empty_until: Option<u64>,
    finished_until: Option<u64>,
    pub(crate) closed: bool,
    /// The tokens that held a seat when it closed.
    pub(crate) tokens_at_close: BTreeSet<u64>,
    locked: bool,
    pub(crate) private: bool,
    banned: Vec<String>,
    memories: BTreeMap<u32, Memory>,
    departed: VecDeque<(u32, u64, Memory)>,
    pub(crate) chat: VecDeque<String>,
    /// What each player must have entered, in order.
    pub(crate) entered: BTreeMap<u32, Vec<u64>>,
    /// Sockets that must have been closed since this was last taken, and with what.
    pub(crate) closes: Vec<(Socket, u16)>,
}

/// The requests that a seat has been answered, by id.
#[derive(Clone, Debug, Default)]
struct Memory(BTreeMap<u64, (Value, Outcome)>);

/// How a request of a seat must be answered, and whether the room has decided it, now or before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) is_decided: bool,
    pub(crate) is_new: bool,
}

/// The room as a client must be told that it is.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) players: Value,
    pub(crate) host: Value,
    pub(crate) phase: &'static str,
    pub(crate) last_id: u64,
    pub(crate) chat: Vec<String>,
    pub(crate) role_changes: u32,
    /// Classes of which one event each follows, though the state of the picture has counted it.
    pub(crate) to_come: Vec<String>,
}

enum Due {
    Grace(u32),
    HostAway,
    Empty,
    Finished,
}

const REMEMBERED_MAX: usize = 64;
const DEPARTED_FOR: u64 = 60_000;
const HOST_AWAY_MAX: u64 = 10_000;
const CHAT_MAX: usize = 50;

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lobby => "lobby",
            Self::Playing => "playing",
            Self::Finished => "finished",
        }
    }
}

impl Seat {
    fn is_human(&self) -> bool {
        !self.spectator && !self.bot
    }

    fn is_present(&self) -> bool {
        self.connected || self.bot
    }

    fn plays(&self) -> bool {
        !self.spectator && !self.forfeited
    }
}

impl Room {
    pub(crate) fn new(now: u64, options: Options) -> Self {
        Self {
            code: None,
            options,
            phase: Phase::Lobby,
            seats: BTreeMap::new(),
            next: 1,
            host: None,
            host_until: None,
            empty_until: Some(now + CLOSE_EMPTY_AFTER),
            finished_until: None,
            closed: false,
            tokens_at_close: BTreeSet::new(),
            locked: false,
            private: false,
            banned: Vec::new(),
            memories: BTreeMap::new(),
            departed: VecDeque::new(),
            chat: VecDeque::new(),
            entered: BTreeMap::new(),
            closes: Vec::new(),
        }
    }

    // Sitting down and coming back.

    pub(crate) fn join(
        &mut self,
        now: u64,
        name: &str,
        spectator: bool,
        token: u64,
        socket: Socket,
    ) -> Result<(u32, Picture), &'static str> {
        if self.closed {
            return Err("ROOM_CLOSED");
        }
        let given = self.free_name(name);
        if [name, &given].iter().any(|name| self.banned.contains(&name.to_lowercase())) {
            return Err("FORBIDDEN");
        }
        if self.locked {
            return Err("ROOM_LOCKED");
        }
        self.check_place(spectator)?;
        let player = self.sit_down(Seat {
            name: given,
            spectator,
            bot: false,
            token: Some(token),
            connected: true,
            ready: false,
            grace_until: None,
            forfeited: false,
            holder: Some(socket),
            attempt: None,
            role_changes: 0,
        });
        self.follow(now);
        let mut picture = self.picture(player);
        if !spectator {
            picture.to_come.push("everyone".into());
        }
        self.start_by_itself(now);
        Ok((player, picture))
    }

    /// Gives a seat that is there to a socket.
    pub(crate) fn come_back(
        &mut self,
        now: u64,
        player: u32,
        attempt: Option<u64>,
        socket: Socket,
    ) -> Picture {
        let is_over = self.phase == Phase::Finished;
        let seat = self.seats.get_mut(&player).expect("the caller has seen the seat");
        let former = seat.holder.replace(socket);
        seat.attempt = attempt;
        let mut to_come = Vec::new();
        match former {
            Some(former) => self.closes.push((former, 4001)),
            None => {
                seat.connected = true;
                seat.grace_until = None;
                seat.bot = false;
                if seat.plays() && !is_over {
                    to_come = vec!["everyone".into(), only(parlor_core::PlayerId(player))];
                }
            }
        }
        self.follow(now);
        let picture = Picture { to_come, ..self.picture(player) };
        self.start_by_itself(now);
        picture
    }

    /// The socket is gone.
    pub(crate) fn lose(&mut self, now: u64, player: u32, socket: Socket) {
        let is_playing = self.phase == Phase::Playing;
        let Some(seat) = self.seats.get_mut(&player).filter(|s| s.holder == Some(socket)) else {
            return;
        };
        if self.closed {
            return;
        }
        seat.holder = None;
        seat.attempt = None;
        seat.connected = false;
        let grace = if is_playing && seat.plays() { GRACE_IN_PLAY } else { GRACE_IN_LOBBY };
        let holds_anyway = seat.forfeited && is_playing;
        seat.grace_until = (!holds_anyway).then_some(now + grace);
        self.settle(now);
    }

    // Requests.

    /// How the request is answered to one who holds the seat.
    pub(crate) fn ask(&mut self, now: u64, player: u32, id: u64, ask: Ask) -> Verdict {
        if matches!(ask, Ask::State) {
            return Verdict { outcome: Ok(None), is_decided: false, is_new: true };
        }
        let request = ask.message(id);
        if let Some(memory) = self.memories.get(&player) {
            match memory.0.get(&id) {
                Some((known, outcome)) if *known == request => {
                    return Verdict { outcome: *outcome, is_decided: true, is_new: false };
                }
                Some(_) => return Verdict::refused("BAD_REQUEST"),
                None if memory.0.len() == REMEMBERED_MAX
                    && memory.0.first_key_value().is_some_and(|(lowest, _)| id < *lowest) =>
                {
                    return Verdict::refused("STALE_REQUEST");
                }
                None => {}
            }
        }
        let outcome = self.decide(now, player, ask);
        if outcome.is_ok() {
            self.follow(now);
        }
        self.remember(now, player, id, request, outcome);
        self.start_by_itself(now);
        Verdict { outcome, is_decided: true, is_new: true }
    }

    /// How it is answered to one who has left.
    pub(crate) fn ask_after_leaving(&self, now: u64, player: u32, id: u64, ask: Ask) -> Verdict {
        let mut departed = self.departed.iter();
        let departed = departed.find(|(other, until, _)| *other == player && *until > now);
        let departed = departed.map(|(_, _, memory)| memory);
        let memory = self.memories.get(&player).or(departed);
        match memory.and_then(|memory| memory.0.get(&id)) {
            Some((known, outcome)) if *known == ask.message(id) => {
                Verdict { outcome: *outcome, is_decided: true, is_new: false }
            }
            _ => Verdict::refused("NOT_IN_ROOM"),
        }
    }

    pub(crate) fn last_id(&self, player: u32) -> u64 {
        let memory = self.memories.get(&player);
        memory.and_then(|memory| memory.0.last_key_value()).map_or(0, |(id, _)| *id)
    }

    fn decide(&mut self, now: u64, player: u32, ask: Ask) -> Outcome {
        let is_host = self.host == Some(player);
        let host_only = if is_host { Ok(()) } else { Err("NOT_HOST") };
        match ask {
            Ask::Act(action) => self.act(now, player, action)?,
            Ask::Chat(number) => {
                self.chat.push_back(format!("line {number}"));
                if self.chat.len() > CHAT_MAX {
                    self.chat.pop_front();
                }
                if self.finished_until.is_some() {
                    self.finished_until = Some(now + CLOSE_FINISHED_AFTER);
                }
            }
            Ask::Ready(ready) => {
                let phase = self.phase;
                let seat = self.seats.get_mut(&player).unwrap();
                if seat.spectator {
                    return Err("NOT_A_PLAYER");
                }
                match phase {
                    Phase::Lobby => seat.ready = ready,
                    Phase::Playing => return Err("GAME_IN_PROGRESS"),
                    Phase::Finished => return Err("GAME_OVER"),
                }
            }
            Ask::Role { spectator } => {
                if self.seats[&player].spectator == spectator {
                    return Ok(None);
                }
                match self.phase {
                    Phase::Playing if !self.options.late_join => return Err("GAME_IN_PROGRESS"),
                    Phase::Finished => return Err("GAME_OVER"),
                    Phase::Lobby | Phase::Playing => {}
                }
                self.check_place(spectator)?;
                let seat = self.seats.get_mut(&player).unwrap();
                seat.spectator = spectator;
                seat.role_changes += 1;
                seat.ready = false;
                let had_forfeited = std::mem::take(&mut seat.forfeited);
                if spectator && !had_forfeited {
                    self.entered.remove(&player);
                }
            }
            Ask::Start => {
                host_only?;
                if self.options.start != StartRule::Host {
                    return Err("FORBIDDEN");
                }
                match self.phase {
                    Phase::Lobby => {}
                    Phase::Playing => return Err("ALREADY_STARTED"),
                    Phase::Finished => return Err("GAME_OVER"),
                }
                if self.taken() < usize::from(self.options.min)
                    || !self.players().all(Seat::is_present)
                {
                    return Err("NOT_READY");
                }
                self.phase = Phase::Playing;
            }
            Ask::Rematch => {
                host_only?;
                match self.phase {
                    Phase::Finished => {}
                    Phase::Lobby => return Err("GAME_NOT_STARTED"),
                    Phase::Playing => return Err("GAME_IN_PROGRESS"),
                }
                self.phase = Phase::Lobby;
                self.finished_until = None;
                for seat in self.seats.values_mut().filter(|seat| !seat.spectator) {
                    seat.ready = false;
                    seat.forfeited = false;
                }
                self.put_grace_on_absent(now);
                self.entered.clear();
            }
            Ask::AddBot => {
                host_only?;
                self.check_place(false)?;
                let seat = Seat {
                    name: self.free_name("Bot (eager)"),
                    spectator: false,
                    bot: true,
                    token: None,
                    connected: false,
                    ready: true,
                    grace_until: None,
                    forfeited: false,
                    holder: None,
                    attempt: None,
                    role_changes: 0,
                };
                return Ok(Some(self.sit_down(seat)));
            }
            Ask::RemoveBot(bot) => {
                host_only?;
                if !self.seats.get(&bot).is_some_and(|seat| seat.bot) {
                    return Err("NO_SUCH_PLAYER");
                }
                self.leave(now, bot);
            }
            Ask::Kick { player: other, ban } => {
                host_only?;
                if other == player {
                    return Err("FORBIDDEN");
                }
                let seat = self.seats.get(&other).filter(|seat| seat.token.is_some());
                let seat = seat.ok_or("NO_SUCH_PLAYER")?;
                if ban {
                    self.banned.push(seat.name.to_lowercase());
                }
                if let Some(socket) = seat.holder {
                    self.closes.push((socket, 4003));
                }
                self.leave(now, other);
            }
            Ask::SetHost(other) => {
                host_only?;
                let seat = self.seats.get(&other).filter(|seat| seat.is_human());
                if !seat.ok_or("NO_SUCH_PLAYER")?.connected {
                    return Err("NOT_READY");
                }
                self.host = Some(other);
            }
            Ask::Lock(locked) => {
                host_only?;
                self.locked = locked;
            }
            Ask::Hide(private) => {
                host_only?;
                self.private = private;
            }
            Ask::Leave => self.leave(now, player),
            Ask::State => unreachable!("a look decides nothing"),
        }
        Ok(None)
    }

    fn act(&mut self, now: u64, player: u32, action: Action) -> Result<(), &'static str> {
        let seat = &self.seats[&player];
        if seat.spectator || seat.forfeited {
            return Err("NOT_A_PLAYER");
        }
        match self.phase {
            Phase::Playing => {}
            Phase::Lobby => return Err("GAME_NOT_STARTED"),
            Phase::Finished => return Err("GAME_OVER"),
        }
        match action {
            Action::Enter { number } => self.entered.entry(player).or_default().push(number),
            Action::Refuse {} => return Err("INVALID_MOVE"),
            Action::Finish {} => {
                self.phase = Phase::Finished;
                self.finished_until = Some(now + CLOSE_FINISHED_AFTER);
                self.put_grace_on_absent(now);
            }
            Action::Ponder {} | Action::Flip {} | Action::Rotate {} | Action::Tell { .. } => {}
        }
        Ok(())
    }

    fn remember(&mut self, now: u64, player: u32, id: u64, request: Value, outcome: Outcome) {
        let memory = if self.seats.contains_key(&player) {
            self.memories.entry(player).or_default()
        } else {
            if !self.departed.iter().any(|(other, ..)| *other == player) {
                self.departed.push_back((player, now + DEPARTED_FOR, Memory::default()));
            }
            let departed = self.departed.iter_mut().find(|(other, ..)| *other == player);
            &mut departed.unwrap().2
        };
        if memory.0.len() == REMEMBERED_MAX {
            if memory.0.first_key_value().is_some_and(|(lowest, _)| id < *lowest) {
                return;
            }
            memory.0.pop_first();
        }
        memory.0.insert(id, (request, outcome));
    }

    // Time and what follows.

    /// Everything that was due up to `now`, in order, each at its own time.
    pub(crate) fn catch_up(&mut self, now: u64) {
        while !self.closed
            && let Some((at, due)) = self.next_due()
            && at <= now
        {
            match due {
                Due::Grace(player) => self.end_grace(at, player),
                Due::HostAway => self.hand_over(),
                Due::Empty | Due::Finished => self.close(),
            }
            if !self.closed {
                self.settle(at);
            }
        }
    }

    /// Ends the room.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.tokens_at_close = self.seats.values().filter_map(|seat| seat.token).collect();
        let holders = self.seats.values().filter_map(|seat| seat.holder);
        self.closes.extend(holders.map(|socket| (socket, 4004)));
    }

    fn next_due(&self) -> Option<(u64, Due)> {
        let graces =
            self.seats.iter().filter_map(|(id, s)| Some((s.grace_until?, Due::Grace(*id))));
        let others = [
            self.host_until.map(|at| (at, Due::HostAway)),
            self.empty_until.map(|at| (at, Due::Empty)),
            self.finished_until.map(|at| (at, Due::Finished)),
        ];
        graces.chain(others.into_iter().flatten()).min_by_key(|(at, _)| *at)
    }

    fn end_grace(&mut self, now: u64, player: u32) {
        let is_playing = self.phase == Phase::Playing;
        let seat = self.seats.get_mut(&player).unwrap();
        if seat.spectator || !is_playing || self.options.after == After::Remove {
            self.leave(now, player);
            return;
        }
        seat.grace_until = None;
        match self.options.after {
            After::Remove => unreachable!("handled above"),
            After::Forfeit => {
                seat.forfeited = true;
                self.entered.remove(&player);
            }
            After::StandIn => seat.bot = true,
        }
    }

    fn settle(&mut self, now: u64) {
        self.follow(now);
        self.start_by_itself(now);
    }

    /// Who is host, and whether the room is on its way out.
    fn follow(&mut self, now: u64) {
        match self.host.and_then(|host| self.seats.get(&host)) {
            Some(host) if host.is_human() => {
                self.host_until = if host.connected {
                    None
                } else {
                    self.host_until.or(Some(now + HOST_AWAY_MAX))
                };
            }
            _ => self.hand_over(),
        }
        let is_kept = self.is_kept();
        self.empty_until =
            if is_kept { None } else { self.empty_until.or(Some(now + CLOSE_EMPTY_AFTER)) };
    }

    fn hand_over(&mut self) {
        self.host_until = None;
        let next = self.seats.iter().find(|(_, seat)| seat.is_human() && seat.connected);
        self.host = next.map(|(id, _)| *id);
    }

    fn start_by_itself(&mut self, now: u64) {
        if self.closed || self.phase != Phase::Lobby || !self.is_kept() {
            return;
        }
        let is_time = match self.options.start {
            StartRule::Host => false,
            StartRule::WhenFull => {
                self.taken() == usize::from(self.options.max)
                    && self.players().all(Seat::is_present)
            }
            StartRule::AllReady => {
                self.taken() >= usize::from(self.options.min)
                    && self.players().all(|seat| seat.is_present() && (seat.ready || seat.bot))
            }
        };
        if is_time {
            self.phase = Phase::Playing;
            self.follow(now);
        }
    }

    fn is_kept(&self) -> bool {
        self.players()
            .any(|seat| seat.token.is_some() && (seat.connected || seat.grace_until.is_some()))
    }

    fn leave(&mut self, now: u64, player: u32) {
        self.seats.remove(&player);
        self.entered.remove(&player);
        self.departed.retain(|(_, until, _)| *until > now);
        if let Some(memory) = self.memories.remove(&player) {
            self.departed.push_back((player, now + DEPARTED_FOR, memory));
        }
    }

    fn put_grace_on_absent(&mut self, now: u64) {
        for seat in self.seats.values_mut() {
            if !seat.connected && seat.token.is_some() && !seat.bot && seat.grace_until.is_none() {
                seat.grace_until = Some(now + GRACE_IN_LOBBY);
            }
        }
    }

    fn sit_down(&mut self, seat: Seat) -> u32 {
        let player = self.next;
        self.next += 1;
        self.seats.insert(player, seat);
        player
    }

    fn check_place(&self, spectator: bool) -> Result<(), &'static str> {
        if spectator {
            let watching = self.seats.values().filter(|seat| seat.spectator).count();
            let is_full = watching >= usize::from(SPECTATORS_MAX);
            return if is_full { Err("ROOM_FULL") } else { Ok(()) };
        }
        match self.phase {
            Phase::Playing if !self.options.late_join => Err("GAME_IN_PROGRESS"),
            Phase::Finished => Err("GAME_OVER"),
            Phase::Lobby | Phase::Playing if self.taken() >= usize::from(self.options.max) => {
                Err("ROOM_FULL")
            }
            Phase::Lobby | Phase::Playing => Ok(()),
        }
    }

    fn free_name(&self, wanted: &str) -> String {
        let is_taken = |name: &str| self.seats.values().any(|seat| seat.name == name);
        let numbered = (2..).map(|n| format!("{wanted} {n}"));
        std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !is_taken(name)).unwrap()
    }

    fn players(&self) -> impl Iterator<Item = &Seat> {
        self.seats.values().filter(|seat| !seat.spectator)
    }

    fn taken(&self) -> usize {
        self.players().count()
    }

    // What is told of it.

    pub(crate) fn picture(&self, player: u32) -> Picture {
        Picture {
            players: self.roster(),
            host: json!(self.host),
            phase: self.phase.name(),
            last_id: self.last_id(player),
            chat: self.chat.iter().cloned().collect(),
            role_changes: self.seats.get(&player).map_or(0, |seat| seat.role_changes),
            to_come: Vec::new(),
        }
    }

    pub(crate) fn roster(&self) -> Value {
        let player = |(id, seat): (&u32, &Seat)| {
            let kind = match (seat.spectator, seat.bot) {
                (true, _) => "spectator",
                (false, true) => "bot",
                (false, false) => "human",
            };
            json!({
                "playerId": id,
                "name": seat.name,
                "kind": kind,
                "connected": seat.is_present(),
                "ready": seat.ready || seat.bot,
            })
        };
        self.seats.iter().map(player).collect()
    }

    /// What of a listing's entry the model knows.
    pub(crate) fn listed(&self) -> Value {
        let count = |wanted: fn(&Seat) -> bool| self.seats.values().filter(|s| wanted(s)).count();
        let open = match self.phase {
            Phase::Lobby => true,
            Phase::Playing => self.options.late_join,
            Phase::Finished => false,
        };
        json!({
            "playerCount": self.taken(),
            "botCount": count(|seat| seat.bot && !seat.spectator),
            "spectatorCount": count(|seat| seat.spectator),
            "phase": self.phase.name(),
            "locked": self.locked,
            "joinable": open && !self.locked && self.taken() < usize::from(self.options.max),
        })
    }
}

impl Verdict {
    pub(crate) fn refused(code: &'static str) -> Self {
        Self { outcome: Err(code), is_decided: false, is_new: true }
    }
}
