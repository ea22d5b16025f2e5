//! Every rule, in whatever pieces the bytes arrive.

use proptest::{collection::vec, prelude::*};

use super::*;

/// What came out of a decoder: messages and control frames with their payloads, then perhaps
/// the violation that ended it.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
    Refused(Violation),
}

const LIMITS: ReadLimits = ReadLimits { message_bytes_max: 1000, fragments_max: 8 };

/// Decodes `pieces` one after another.
fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    for piece in pieces {
        let mut input = piece.to_vec();
        let mut at = 0;
        loop {
            let item = match decoder.decode(&LIMITS, &mut input, &mut at) {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(violation) => {
                    seen.push(Seen::Refused(violation));
                    return seen;
                }
            };
            let bytes = |payload: &Payload| decoder.payload(payload, &input).to_vec();
            seen.push(match item {
                Item::Message(FrameKind::Text, payload) => {
                    Seen::Text(String::from_utf8(bytes(&payload)).expect("text is UTF-8"))
                }
                Item::Message(FrameKind::Binary, payload) => Seen::Binary(bytes(&payload)),
                Item::Ping(payload) => Seen::Ping(bytes(&payload)),
                Item::Pong => Seen::Pong,
                Item::Close(code) => {
                    seen.push(Seen::Close(code));
                    return seen;
                }
            });
        }
        assert_eq!(at, input.len(), "all input is used up");
    }
    seen
}

/// Decodes `bytes` in one piece, byte by byte, and in threes.
#[track_caller]
fn check(bytes: &[u8], expected: &[Seen]) {
    assert_eq!(decode_pieces([bytes]), expected, "in one piece");
    assert_eq!(decode_pieces(bytes.chunks(1)), expected, "byte by byte");
    assert_eq!(decode_pieces(bytes.chunks(3)), expected, "in threes");
}

#[track_caller]
fn check_refused(bytes: &[u8], violation: Violation) {
    check(bytes, &[Seen::Refused(violation)]);
}

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..65536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn text(payload: &str) -> Vec<u8> {
    frame(FIN | 1, payload.as_bytes())
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | 8, &[&code.to_be_bytes(), reason].concat())
}

#[test]
fn frames_of_every_kind_are_read() {
    check(
        &[
            text("hello"),
            text(""),
            frame(FIN | 2, &[0, 255]),
            frame(FIN | 9, b"are you there"),
            frame(FIN | 10, b"yes"),
            frame(FIN | 9, b""),
            close(4999, "bye, \u{fc}ber".as_bytes()),
            text("never read"),
        ]
        .concat(),
        &[
            Seen::Text("hello".into()),
            Seen::Text(String::new()),
            Seen::Binary(vec![0, 255]),
            Seen::Ping(b"are you there".to_vec()),
            Seen::Pong,
            Seen::Ping(Vec::new()),
            Seen::Close(Some(4999)),
        ],
    );
}

#[test]
fn lengths_of_every_encoding_are_read() {
    for length in [0, 1, 125, 126, 127, 1000] {
        check(&frame(FIN | 2, &vec![7; length]), &[Seen::Binary(vec![7; length])]);
    }
    let mut large = frame(FIN | 2, &vec![7; 70_000]);
    let limits = ReadLimits { message_bytes_max: 70_000, ..LIMITS };
    let mut at = 0;
    let item = Decoder::default().decode(&limits, &mut large, &mut at);
    assert!(matches!(item, Ok(Some(Item::Message(FrameKind::Binary, Payload::InPlace(range))))
        if range.len() == 70_000));
}

#[test]
fn message_in_one_piece_stays_where_it_is() {
    let mut input = [text("first"), text("second")].concat();
    let mut decoder = Decoder::default();
    let mut at = 0;
    for expected in ["first", "second"] {
        let item = decoder.decode(&LIMITS, &mut input, &mut at).unwrap();
        let Some(Item::Message(FrameKind::Text, Payload::InPlace(range))) = item else {
            panic!("not in place: {item:?}");
        };
        assert_eq!(input[range], *expected.as_bytes());
    }
    assert!(decoder.gathered.is_none(), "nothing was allocated");
}

#[test]
fn fragments_are_joined_with_control_frames_between_them() {
    check(
        &[
            frame(1, b"one, "),
            frame(FIN | 9, b"ping"),
            frame(0, b""),
            frame(0, b"two, "),
            frame(FIN | 10, b""),
            frame(FIN, b"three"),
            text("next"),
        ]
        .concat(),
        &[
            Seen::Ping(b"ping".to_vec()),
            Seen::Pong,
            Seen::Text("one, two, three".into()),
            Seen::Text("next".into()),
        ],
    );
}

#[test]
fn nothing_is_held_between_messages() {
    let mut decoder = Decoder::default();
    for mut piece in [frame(2, b"one"), frame(FIN | 9, b"x"), frame(FIN, b"two")] {
        let (half, rest) = piece.split_at_mut(4);
        assert!(decoder.decode(&LIMITS, half, &mut 0).unwrap().is_none());
        decoder.decode(&LIMITS, rest, &mut 0).unwrap();
    }
    assert!(decoder.gathered.is_some(), "the message can still be read");
    decoder.release();
    assert!(decoder.gathered.is_none());
}

#[test]
fn reserved_bits_are_refused() {
    for bit in [0x40, 0x20, 0x10] {
        check_refused(&frame(FIN | bit | 1, b"x"), Violation::ReservedBit);
    }
}

#[test]
fn reserved_opcodes_are_refused() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        check_refused(&frame(FIN | opcode, b"x"), Violation::ReservedOpcode);
    }
}

#[test]
fn unmasked_frames_are_refused() {
    check_refused(&[FIN | 1, 1, b'x'], Violation::NotMasked);
    check_refused(&[FIN | 9, 0], Violation::NotMasked);
}

#[test]
fn control_frames_are_short_and_whole() {
    check(&frame(FIN | 9, &[7; 125]), &[Seen::Ping(vec![7; 125])]);
    for opcode in [8, 9, 10] {
        check_refused(&frame(FIN | opcode, &[7; 126]), Violation::ControlTooLong);
        check_refused(&frame(opcode, b""), Violation::ControlFragmented);
    }
}

#[test]
fn lengths_have_to_be_minimal() {
    check_refused(
        &[&[FIN | 1, 0x80 | 126, 0, 125][..], &MASK].concat(),
        Violation::LengthNotMinimal,
    );
    check_refused(
        &[&[FIN | 1, 0x80 | 127, 0, 0, 0, 0, 0, 0, 255, 255][..], &MASK].concat(),
        Violation::LengthNotMinimal,
    );
}

#[test]
fn fragments_follow_a_start_and_nothing_else_does() {
    check_refused(&frame(FIN, b"x"), Violation::ContinuationOfNothing);
    check_refused(&frame(0, b"x"), Violation::ContinuationOfNothing);
    check_refused(&[frame(1, b"x"), text("y")].concat(), Violation::MessageInsideMessage);
    check(
        &[text("whole"), frame(FIN, b"x")].concat(),
        &[Seen::Text("whole".into()), Seen::Refused(Violation::ContinuationOfNothing)],
    );
}

#[test]
fn message_bound_holds_to_the_byte_over_all_fragments() {
    check(&frame(FIN | 2, &[7; 1000]), &[Seen::Binary(vec![7; 1000])]);
    check_refused(&frame(FIN | 2, &[7; 1001]), Violation::MessageTooLong);

    let whole = [frame(2, &[7; 600]), frame(FIN, &[7; 400])].concat();
    check(&whole, &[Seen::Binary(vec![7; 1000])]);
    let over = [frame(2, &[7; 600]), frame(FIN, &[7; 401])].concat();
    check_refused(&over, Violation::MessageTooLong);
}

#[test]
fn huge_length_is_refused_by_its_header() {
    for length in [1 << 40, u64::MAX] {
        let header = [&[FIN | 2, 0x80 | 127][..], &length.to_be_bytes(), &MASK].concat();
        check_refused(&header, Violation::MessageTooLong);
    }
}

#[test]
fn number_of_fragments_is_bounded() {
    let seven = frame(0, b"").repeat(6);
    let whole = [&frame(2, b"")[..], &seven, &frame(FIN, b"")].concat();
    check(&whole, &[Seen::Binary(Vec::new())]);
    let over = [&frame(2, b"")[..], &seven, &frame(0, b""), &frame(FIN, b"")].concat();
    check_refused(&over, Violation::TooManyFragments);
}

#[test]
fn text_has_to_be_utf8() {
    check_refused(&frame(FIN | 1, b"\xff"), Violation::TextNotUtf8);
    check_refused(&frame(FIN | 1, b"cut \xe2\x82"), Violation::TextNotUtf8);
    check_refused(&frame(FIN | 1, b"\xed\xa0\x80"), Violation::TextNotUtf8);
    check(&frame(FIN | 2, b"\xff"), &[Seen::Binary(vec![255])]);
}

#[test]
fn characters_may_be_cut_by_fragments() {
    let euro = "\u{20ac}".as_bytes();
    check(
        &[frame(1, &euro[..1]), frame(0, &euro[1..2]), frame(FIN, &euro[2..])].concat(),
        &[Seen::Text("\u{20ac}".into())],
    );
    let cut = [frame(1, &euro[..1]), frame(FIN, &euro[1..2])].concat();
    check_refused(&cut, Violation::TextNotUtf8);
}

#[test]
fn broken_text_is_refused_at_its_first_wrong_byte() {
    // 0xf4 may begin a character, but not one that goes on with 0x90.
    let bytes = frame(1, b"\xf4\x90 and more");
    let before = 2 + 4 + 1;
    assert_eq!(decode_pieces([&bytes[..before]]), []);
    assert_eq!(
        decode_pieces([&bytes[..before], &bytes[before..=before]]),
        [Seen::Refused(Violation::TextNotUtf8)]
    );
}

#[test]
fn close_frames_are_checked() {
    check(&frame(FIN | 8, b""), &[Seen::Close(None)]);
    for code in [1000, 1003, 1007, 1014, 3000, 4999] {
        check(&close(code, b"reason"), &[Seen::Close(Some(code))]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        check_refused(&close(code, b""), Violation::CloseCodeNotAllowed);
    }
    check_refused(&frame(FIN | 8, b"x"), Violation::CloseTruncated);
    check_refused(&close(1000, b"\xff"), Violation::CloseReasonNotUtf8);
}

#[test]
fn each_violation_has_the_close_code_of_the_contract() {
    assert_eq!(Violation::NotMasked.close_code(), CloseCode::ProtocolError);
    assert_eq!(Violation::TextNotUtf8.close_code(), CloseCode::InvalidText);
    assert_eq!(Violation::MessageTooLong.close_code(), CloseCode::TooLarge);
}

/// Frames that are mostly valid, so that a run gets past the first.
fn some_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        "[a-z\u{e4}\u{20ac}\u{1f600}]{0,12}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..300),
    ];
    let first = prop_oneof![
        8 => prop::sample::select(vec![FIN | 1, FIN | 2, 1, 2, 0, FIN, FIN | 9, FIN | 10]),
        1 => any::<u8>(),
    ];
    (first, payload).prop_map(|(first, payload)| frame(first, &payload))
}

/// `bytes` cut at the given places, modulo its length.
fn cut<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_split_of_a_stream_reads_the_same(
        frames in vec(some_frame(), 0..8),
        places in vec(any::<usize>(), 0..20),
    ) {
        let bytes = frames.concat();
        prop_assert_eq!(decode_pieces(cut(&bytes, &places)), decode_pieces([&bytes[..]]));
    }

    #[test]
    fn random_bytes_never_panic(
        bytes in vec(any::<u8>(), 0..600),
        places in vec(any::<usize>(), 0..10),
    ) {
        prop_assert_eq!(decode_pieces(cut(&bytes, &places)), decode_pieces([&bytes[..]]));
    }
}
