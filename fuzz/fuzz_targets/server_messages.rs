//! What a client reads from a server that it need not trust, in both codecs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::{Codec, ServerMessage, read_server_message};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    for codec in Codec::ALL {
        if let Ok(ServerMessage::Event { data, .. }) = read_server_message(codec, bytes) {
            let _read = data.decode::<Value>();
        }
    }
});
