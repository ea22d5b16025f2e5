//! What several gateways share, and all that can go wrong with it: a bus that loses, delays, repeats and swaps, and a
//! directory that is away, hangs or forgets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use parlor_games::TicTacToe;
use parlor_gateway::{ClusterConfig, Gateway, GatewayBuilder, GatewayConfig};
use parlor_store::{
    Beat, Bus, Claim, MemoryBus, MemoryRoomDirectory, NodeRecord, Ownership, RoomDirectory,
    StoreError,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::probe::Probe;
use crate::support::{TestStore, pass, roomy};

/// What nodes share.
pub(crate) struct Cloud {
    pub(crate) store: Arc<TestStore>,
    pub(crate) directory: FaultyDirectory,
    pub(crate) bus: FaultyBus,
    pub(crate) config: ClusterConfig,
    pub(crate) gateway: GatewayConfig,
    pub(crate) probe: Probe,
}

impl Default for Cloud {
    fn default() -> Self {
        Self {
            store: Arc::default(),
            directory: FaultyDirectory::default(),
            bus: FaultyBus::default(),
            config: ClusterConfig::default(),
            gateway: roomy(),
            probe: Probe::default(),
        }
    }
}

impl Cloud {
    /// A node that has just been started.
    pub(crate) fn node(&self) -> Arc<Gateway> {
        self.builder().start()
    }

    /// The same, where all that it draws follows from a seed of its own.
    pub(crate) fn simulated_node(&self, seed: u64) -> Arc<Gateway> {
        let origin = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        self.builder().simulated(seed, origin).start()
    }

    fn builder(&self) -> GatewayBuilder {
        let (directory, bus) = (self.directory.end(), self.bus.end());
        Gateway::builder(self.gateway.clone())
            .game(self.probe.clone())
            .game(TicTacToe)
            .session_store(Arc::clone(&self.store) as _)
            .cluster(self.config.clone(), Arc::new(directory), Arc::new(bus))
    }

    /// Nodes that know each other.
    pub(crate) async fn nodes<const N: usize>(&self) -> [Arc<Gateway>; N] {
        let nodes = std::array::from_fn(|_| self.node());
        pass(ACQUAINTED).await;
        assert!(nodes.iter().all(|node| node.other_nodes() == N - 1));
        nodes
    }

    /// Takes a node's bus and its directory away, for good or for a while.
    pub(crate) fn isolate(&self, node: &Gateway, is_isolated: bool) {
        let name = node.node().expect("a node of several");
        self.bus.isolate(name, is_isolated);
        self.directory.shut_out(name, is_isolated);
    }
}

/// After that all nodes know each other, and that they know everything.
pub(crate) const ACQUAINTED: Duration = Duration::from_secs(11);
/// The time in which a message has come and been answered, and a listing has been told of.
pub(crate) const SOON: Duration = Duration::from_millis(600);

/// A bus on which things happen to messages on their way from one node to another.
#[derive(Clone, Default)]
pub(crate) struct FaultyBus {
    bus: MemoryBus,
    faults: Arc<Mutex<Faults>>,
}

/// What happens, by the names of nodes.
#[derive(Default)]
struct Faults {
    /// Every byte that was ever sent.
    sent: Vec<u8>,
    /// The last message to each node.
    last: HashMap<String, Vec<u8>>,
    /// So many of the next messages to a node are lost.
    lost: HashMap<String, usize>,
    failing: HashMap<String, usize>,
    repeated: HashMap<String, usize>,
    /// The next message to a node comes after the one that follows it.
    swapped: HashMap<String, Option<Vec<u8>>>,
    isolated: BTreeSet<String>,
    cut: BTreeSet<(String, String)>,
    delays: BTreeMap<(String, String), Duration>,
    /// When the last delayed message arrives, so that none overtakes it.
    arrivals: BTreeMap<(String, String), Instant>,
}

/// One node's end of it.
pub(crate) struct BusEnd {
    bus: FaultyBus,
    me: OnceLock<String>,
}

impl FaultyBus {
    fn end(&self) -> BusEnd {
        BusEnd { bus: self.clone(), me: OnceLock::new() }
    }

    /// The next messages to a node are lost.
    pub(crate) fn lose(&self, to: &Gateway, messages: usize) {
        self.faults.lock().unwrap().lost.insert(name_of(to), messages);
    }

    /// Sending the next messages to a node fails, with nothing sent.
    pub(crate) fn fail(&self, to: &Gateway, messages: usize) {
        self.faults.lock().unwrap().failing.insert(name_of(to), messages);
    }

    /// The next messages to a node come twice.
    pub(crate) fn repeat(&self, to: &Gateway, messages: usize) {
        self.faults.lock().unwrap().repeated.insert(name_of(to), messages);
    }

    /// The next two messages to a node change places.
    pub(crate) fn swap(&self, to: &Gateway) {
        self.faults.lock().unwrap().swapped.insert(name_of(to), None);
    }

    /// Whether what one node sends to the other is lost.
    pub(crate) fn cut(&self, from: &Gateway, to: &Gateway, is_cut: bool) {
        let way = (name_of(from), name_of(to));
        let mut faults = self.faults.lock().unwrap();
        if is_cut {
            faults.cut.insert(way)
        } else {
            faults.cut.remove(&way)
        };
    }

    /// The same, in both directions.
    pub(crate) fn part(&self, one: &Gateway, two: &Gateway, is_cut: bool) {
        self.cut(one, two, is_cut);
        self.cut(two, one, is_cut);
    }

    /// How long messages from one node to the other are on their way.
    pub(crate) fn delay(&self, from: &Gateway, to: &Gateway, by: Duration) {
        self.faults.lock().unwrap().delays.insert((name_of(from), name_of(to)), by);
    }

    /// Nothing happens to messages any more, except between nodes that are isolated.
    pub(crate) fn heal(&self) {
        let mut faults = self.faults.lock().unwrap();
        faults.lost.clear();
        faults.failing.clear();
        faults.repeated.clear();
        faults.swapped.clear();
        faults.cut.clear();
        faults.delays.clear();
    }

    fn isolate(&self, node: &str, is_isolated: bool) {
        let isolated = &mut self.faults.lock().unwrap().isolated;
        if is_isolated {
            isolated.insert(node.to_owned())
        } else {
            isolated.remove(node)
        };
    }

    /// Every byte that was ever sent.
    pub(crate) fn sent(&self) -> Vec<u8> {
        self.faults.lock().unwrap().sent.clone()
    }

    /// The last message to a node.
    pub(crate) fn last_to(&self, node: &Gateway) -> Vec<u8> {
        self.try_last_to(node).expect("a message")
    }

    /// The same, if there is one.
    pub(crate) fn try_last_to(&self, node: &Gateway) -> Option<Vec<u8>> {
        self.faults.lock().unwrap().last.get(&name_of(node)).cloned()
    }

    /// Puts a message into a node's inbox that no node has sent.
    pub(crate) async fn slip_in(&self, to: &Gateway, message: Vec<u8>) {
        let inbox = format!("node:{}", name_of(to));
        self.bus.send(&inbox, message).await.expect("a bus in memory");
    }
}

impl BusEnd {
    /// What arrives of a message now.
    fn on_the_way(&self, inbox: &str, message: Vec<u8>) -> Result<Vec<Vec<u8>>, StoreError> {
        let me = self.me.get().expect("a node listens before it sends");
        let to = inbox.strip_prefix("node:").expect("an inbox of a node");
        let mut faults = self.bus.faults.lock().unwrap();
        faults.sent.extend_from_slice(&message);
        faults.last.insert(to.to_owned(), message.clone());
        if take_one(&mut faults.failing, to) {
            return Err(StoreError::Unavailable("this one failed".into()));
        }
        let way = (me.clone(), to.to_owned());
        let is_cut = faults.cut.contains(&way);
        if is_cut || faults.isolated.contains(me) || faults.isolated.contains(to) {
            return Ok(Vec::new());
        }
        if take_one(&mut faults.lost, to) {
            return Ok(Vec::new());
        }
        if take_one(&mut faults.repeated, to) {
            return Ok(vec![message.clone(), message]);
        }
        match faults.swapped.remove(to) {
            None => {}
            Some(None) => {
                faults.swapped.insert(to.to_owned(), Some(message));
                return Ok(Vec::new());
            }
            Some(Some(held)) => return Ok(vec![message, held]),
        }
        let by = faults.delays.get(&way).copied().unwrap_or_default();
        let last = faults.arrivals.get(&way).copied();
        let now = Instant::now();
        if by.is_zero() && last.is_none_or(|last| last <= now) {
            return Ok(vec![message]);
        }
        let after = Duration::from_millis(1);
        let at = (now + by).max(last.map_or(now, |last| last + after));
        faults.arrivals.insert(way, at);
        let (bus, inbox) = (self.bus.bus.clone(), inbox.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            bus.send(&inbox, message).await
        });
        Ok(Vec::new())
    }
}

impl Bus for BusEnd {
    async fn send(&self, inbox: &str, message: Vec<u8>) -> Result<(), StoreError> {
        for message in self.on_the_way(inbox, message)? {
            self.bus.bus.send(inbox, message).await?;
        }
        Ok(())
    }

    fn listen(&self, inbox: &str) -> mpsc::Receiver<Vec<u8>> {
        let me = inbox.strip_prefix("node:").expect("an inbox of a node");
        self.me.set(me.to_owned()).expect("a node has one inbox");
        self.bus.bus.listen(inbox)
    }
}

/// A directory that can be switched off, and takes notes.
#[derive(Clone, Default)]
pub(crate) struct FaultyDirectory {
    pub(crate) directory: MemoryRoomDirectory,
    pub(crate) state: Arc<Mutex<DirectoryState>>,
}

#[derive(Default)]
pub(crate) struct DirectoryState {
    pub(crate) is_away: bool,
    pub(crate) hangs: bool,
    shut_out: BTreeSet<String>,
    /// Every claim that was granted: the room, the node, the fence.
    pub(crate) granted: Vec<(String, String, u64)>,
    /// Every record that was renewed.
    pub(crate) renewed: Vec<(String, String, u64)>,
}

/// One node's end of it.
struct DirectoryEnd {
    directory: FaultyDirectory,
    me: OnceLock<String>,
}

impl FaultyDirectory {
    fn end(&self) -> DirectoryEnd {
        DirectoryEnd { directory: self.clone(), me: OnceLock::new() }
    }

    pub(crate) fn is_away(&self, is_away: bool) {
        self.state.lock().unwrap().is_away = is_away;
    }

    pub(crate) fn hangs(&self, hangs: bool) {
        self.state.lock().unwrap().hangs = hangs;
    }

    /// Whether it is away for this node.
    fn shut_out(&self, node: &str, is_out: bool) {
        let shut_out = &mut self.state.lock().unwrap().shut_out;
        if is_out {
            shut_out.insert(node.to_owned())
        } else {
            shut_out.remove(node)
        };
    }

    /// Who has a room, as the directory knows it.
    pub(crate) async fn owner(&self, room: &str) -> Option<Ownership> {
        self.directory.find(room).await.expect("a directory in memory")
    }
}

impl DirectoryEnd {
    async fn reach(&self) -> Result<&MemoryRoomDirectory, StoreError> {
        let (is_away, hangs) = {
            let state = self.directory.state.lock().unwrap();
            let me = self.me.get();
            let is_out = me.is_some_and(|me| state.shut_out.contains(me));
            (state.is_away || is_out, state.hangs)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        if is_away {
            return Err(StoreError::Unavailable("switched off".into()));
        }
        Ok(&self.directory.directory)
    }
}

impl RoomDirectory for DirectoryEnd {
    async fn claim(
        &self,
        room: &str,
        node: &str,
        fence: u64,
        ttl: Duration,
    ) -> Result<Claim, StoreError> {
        let claim = RoomDirectory::claim(self.reach().await?, room, node, fence, ttl).await?;
        if let Claim::Granted { fence } = claim {
            let grant = (room.to_owned(), node.to_owned(), fence);
            self.directory.state.lock().unwrap().granted.push(grant);
        }
        Ok(claim)
    }

    async fn renew(
        &self,
        room: &str,
        owned: &Ownership,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let is_renewed = RoomDirectory::renew(self.reach().await?, room, owned, ttl).await?;
        if is_renewed {
            let renewal = (room.to_owned(), owned.node.clone(), owned.fence);
            self.directory.state.lock().unwrap().renewed.push(renewal);
        }
        Ok(is_renewed)
    }

    async fn release(&self, room: &str, owned: &Ownership) -> Result<(), StoreError> {
        RoomDirectory::release(self.reach().await?, room, owned).await
    }

    async fn find(&self, room: &str) -> Result<Option<Ownership>, StoreError> {
        RoomDirectory::find(self.reach().await?, room).await
    }

    async fn beat(&self, node: &NodeRecord, lease: Duration) -> Result<Beat, StoreError> {
        let _known = self.me.set(node.node.clone());
        RoomDirectory::beat(self.reach().await?, node, lease).await
    }

    async fn leave(&self, node: &str) -> Result<(), StoreError> {
        RoomDirectory::leave(self.reach().await?, node).await
    }
}

fn name_of(node: &Gateway) -> String {
    node.node().expect("a node of several").to_owned()
}

fn take_one(counts: &mut HashMap<String, usize>, to: &str) -> bool {
    let Some(left) = counts.get_mut(to).filter(|left| **left > 0) else { return false };
    *left -= 1;
    true
}
