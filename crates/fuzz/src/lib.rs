//! Inputs for fuzz targets: seeds of a corpus, changed at random.
//!
//! A parser of CSV or JSON refuses random bytes at the first of them. So an input is a seed that it takes, and a list of
//! small changes; a failure is shrunk to few of them.

mod watch;

use std::panic::{AssertUnwindSafe, RefUnwindSafe};
use std::time::Duration;

use bolero::TypeGenerator;

use crate::watch::Watch;

pub use crate::watch::LONGEST;

/// Inputs of a target where nobody says how long it is to run.
const ITERATIONS: usize = 300;

/// Environment variable that says for how many seconds each target is to run.
pub const SECONDS: &str = "FUZZ_SECONDS";

/// A seed of the corpus and what is changed in it.
#[derive(Clone, Debug, TypeGenerator)]
pub struct Changed {
    seed: u8,
    /// How many of the edits are made: one, two, five or ten. With many, a strict parser gets no further than the first.
    count: u8,
    edits: Vec<Edit>,
}

/// One change; places and lengths count around the end.
#[derive(Clone, Debug, TypeGenerator)]
enum Edit {
    Flip {
        at: u16,
        bit: u8,
    },
    Put {
        at: u16,
        byte: u8,
    },
    Token {
        at: u16,
        token: u8,
    },
    Remove {
        at: u16,
        length: u8,
    },
    Replace {
        at: u16,
        length: u8,
        token: u8,
    },
    Splice {
        at: u16,
        seed: u8,
        from: u16,
        length: u8,
    },
    Repeat {
        at: u16,
        length: u8,
        times: u8,
    },
    CutOff {
        at: u16,
    },
}

/// Pieces that mean something to the formats that are read here.
const TOKENS: [&[u8]; 48] = [
    b"\"",
    b"\"\"",
    b",",
    b";",
    b"\t",
    b"|",
    b"\r\n",
    b"\n",
    b"\r",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"null",
    b"true",
    b"-1",
    b"1e400",
    b"99999999999999999999",
    b"\\u0000",
    b"\\ud800",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xff",
    "é".as_bytes(),
    "👍🏽".as_bytes(),
    "\u{202e}".as_bytes(),
    b"=1+1",
    b"<script>",
    b"{{",
    b"../",
    b"\x1f\x8b",
    b"\0",
    b"%",
    b"%2f",
    b"*",
    b"/",
    b"?",
    b"&",
    b"$",
    b"$.",
    b"${",
    b"(",
    b"{%",
    b"}}",
    b"!Ref ",
    b"- ",
    b"  ",
];

impl Changed {
    /// Returns the input that it makes of a corpus.
    pub fn input(&self, corpus: &[&[u8]]) -> Vec<u8> {
        let seed = |number: u8| corpus[usize::from(number) % corpus.len()];
        let mut bytes = seed(self.seed).to_vec();
        let count = usize::from(self.count % 4);
        for edit in self.edits.iter().take(1 + count * count) {
            edit.apply(&mut bytes, seed);
        }
        bytes
    }
}

impl Edit {
    fn apply<'a>(&self, bytes: &mut Vec<u8>, seed: impl Fn(u8) -> &'a [u8]) {
        let place = |at: u16, length: usize| usize::from(at) % (length + 1);
        let length = bytes.len();
        match *self {
            Self::Flip { at, bit } => {
                if let Some(byte) = bytes.get_mut(place(at, length)) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Put { at, byte } => bytes.insert(place(at, length), byte),
            Self::Token { at, token } => {
                let at = place(at, length);
                bytes.splice(at..at, TOKENS[usize::from(token) % TOKENS.len()].iter().copied());
            }
            Self::Remove { at, length: count } => {
                let at = place(at, length);
                bytes.drain(at..length.min(at + usize::from(count)));
            }
            Self::Replace {
                at,
                length: count,
                token,
            } => {
                let at = place(at, length);
                let piece = at..length.min(at + usize::from(count % 16));
                bytes.splice(piece, TOKENS[usize::from(token) % TOKENS.len()].iter().copied());
            }
            Self::Splice {
                at,
                seed: number,
                from,
                length: count,
            } => {
                let (at, other) = (place(at, length), seed(number));
                let from = place(from, other.len());
                let piece = &other[from..other.len().min(from + usize::from(count))];
                bytes.splice(at..at, piece.iter().copied());
            }
            Self::Repeat {
                at,
                length: count,
                times,
            } => {
                let at = place(at, length);
                let piece = bytes[at..length.min(at + usize::from(count))].repeat(usize::from(times % 64));
                bytes.splice(at..at, piece);
            }
            Self::CutOff { at } => bytes.truncate(place(at, length)),
        }
    }
}

/// Makes a corpus of seeds that are only known when the test runs, such as what was signed just now.
pub fn corpus(seeds: impl IntoIterator<Item = Vec<u8>>) -> &'static [&'static [u8]] {
    let seeds = seeds.into_iter().map(|seed| &*seed.leak());
    seeds.collect::<Vec<_>>().leak()
}

/// Holds what must be true of every input that a corpus is changed to.
///
/// While an input is tried, it is in a file `fuzz-PROCESS-TARGET` of the folder for temporary files. There it stays after a
/// failure, also where the process was ended for its memory. An input that takes longer than a minute, or than the seconds
/// of [`LONGEST`], ends the process with the file's path.
///
/// # Panics
///
/// Where `holds` does, with the input that was shrunk.
pub fn fuzz(corpus: &'static [&'static [u8]], holds: impl Fn(&[u8]) + RefUnwindSafe) {
    let watch = Watch::begin();
    let watched = AssertUnwindSafe(&watch);
    let holds = move |input: &[u8]| watched.watched(input, || holds(input));
    for seed in corpus {
        holds(seed);
    }
    let target = bolero::check!().with_type::<Changed>();
    let check = |changed: &Changed| holds(&changed.input(corpus));
    match std::env::var(SECONDS)
        .ok()
        .and_then(|seconds| seconds.parse().ok())
    {
        Some(seconds) => target
            .with_test_time(Duration::from_secs(seconds))
            .for_each(check),
        None => target.with_iterations(ITERATIONS).for_each(check),
    }
    watch.end();
}
