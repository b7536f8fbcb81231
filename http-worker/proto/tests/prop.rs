//! What must hold for any bytes, tried on many: mostly nearly right requests, for those come
//! furthest.

use http_proto::fuzzing;
use proptest::collection::vec;
use proptest::prelude::*;

/// Words that requests are made of, and what attacks are made of.
const WORDS: &[&[u8]] = &[
    b"GET",
    b"POST",
    b"HEAD",
    b" ",
    b"/",
    b"/a?b=c",
    b"*",
    b"http://h/",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\t",
    b":",
    b": ",
    b" :",
    b",",
    b";",
    b"Host",
    b"Host: a\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Expect: 100-continue\r\n",
    b"X: y\r\n",
    b"X",
    b"abc",
    b"0",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"0\r\nT: u\r\n\r\n",
    b"3;e=f\r\n",
    b"ffffffffffffffff",
    b"GET / HTTP/1.1\r\nHost: a\r\n",
    b"POST /p HTTP/1.1\r\nHost: a\r\n",
    b"\xff",
    b"\"",
    b"#",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
];

fn words() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        20 => proptest::sample::select(WORDS).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 1..4),
    ];
    vec(word, 0..12).prop_map(|words| words.concat())
}

/// A good request with a byte changed, put in or taken out.
fn nearly_right() -> impl Strategy<Value = Vec<u8>> {
    let good = proptest::sample::select(&WORDS[WORDS.len() - 4..]).prop_map(<[u8]>::to_vec);
    let edits = vec((any::<u16>(), 0..3_u8, any::<u8>()), 0..3);
    (vec(good, 1..4), edits).prop_map(|(requests, edits)| {
        let mut bytes = requests.concat();
        for (place, edit, byte) in edits {
            let place = usize::from(place) % bytes.len();
            match edit {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => drop(bytes.remove(place)),
            }
        }
        bytes
    })
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![words(), nearly_right(), vec(any::<u8>(), 0..64)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_split_tells_the_same(input in input(), cuts in vec(any::<u16>(), 0..6)) {
        fuzzing::any_split(&input, &cuts);
    }

    /// R39.
    #[test]
    fn what_is_taken_others_take_too(input in input()) {
        fuzzing::taken_by_others(&input);
    }

    #[test]
    fn responses_come_back(data in vec(any::<u8>(), 0..200)) {
        fuzzing::response_comes_back(&data);
    }

    #[test]
    fn chunks_come_back(parts in vec(vec(any::<u8>(), 0..300), 0..5)) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        fuzzing::chunks_come_back(&parts);
    }

    #[test]
    fn exchanges_follow_the_table(steps in vec(any::<u8>(), 0..60)) {
        fuzzing::exchange_steps(&steps);
    }
}
