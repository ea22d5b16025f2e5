//! What it costs to write a message, by codec: a small event, and the state of an arena of a hundred.

use std::collections::BTreeMap;

use divan::Bencher;
use divan::counter::BytesCount;
use parlor_protocol::{Codec, EventFrame, EventType};
use serde::Serialize;
use serde_json::json;

fn main() {
    divan::main();
}

fn encode(bencher: Bencher<'_, '_>, codec: Codec, kind: EventType, data: &impl Serialize) {
    let frame = EventFrame { kind, seq: Some(1_000_000), data };
    let mut out = codec.encode(&frame).expect("it can be encoded");
    bencher.counter(BytesCount::new(out.len())).bench_local(|| {
        out.clear();
        codec.encode_into(&frame, &mut out)
    });
}

#[divan::bench(args = Codec::ALL)]
fn event(bencher: Bencher<'_, '_>, codec: Codec) {
    let data = json!({"name": "moved", "data": {"player": 7, "x": 12, "y": -3}});
    encode(bencher, codec, EventType::GameEvent, &data);
}

#[divan::bench(args = Codec::ALL)]
fn state(bencher: Bencher<'_, '_>, codec: Codec) {
    let entities: BTreeMap<String, (f32, f32, u8)> = (0..100_u8)
        .map(|n| (n.to_string(), (f32::from(n) / 10.0, f32::from(n) / 7.0, 1)))
        .collect();
    let data = json!({"version": 100_000, "phase": "playing", "state": {"entities": entities}});
    encode(bencher, codec, EventType::RoomState, &data);
}
