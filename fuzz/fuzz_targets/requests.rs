//! What a client may send, in both codecs, up to the data of every request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::limits::FrameLimits;
use parlor_protocol::{Codec, Request, read_frame};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    for codec in Codec::ALL {
        let Ok(frame) = read_frame(codec, bytes, &FrameLimits::default()) else { continue };
        for envelope in frame.requests().flatten() {
            if let Ok(Request::GameAction(action)) = Request::parse(&envelope) {
                let _read = action.decode::<Value>();
            }
        }
    }
});
