//! Inputs for parsers, made by changing inputs that are well-formed.
//!
//! In: a corpus of seeds and a number. Out: as many changed inputs as are wanted, the same ones for the same number on
//! every machine. Called by the tests of [`super::fuzz`]; any test of a parser may.

use std::iter;

/// The longest input that is made, in bytes: beyond every limit that a parser of ours has on a text.
pub const MAX_BYTES: usize = 128 * 1024;
/// Most changes that one input has over its seed.
const MAX_CHANGES: usize = 4;
/// Lengths at which limits lie, and just beyond them.
const RUNS: &[usize] = &[2, 16, 51, 64, 101, 128, 129, 256, 1025, 4097, 70_000];
/// What separates, quotes, ends or exceeds something in one of the formats that are read here.
const PIECES: &[&[u8]] = &[
    b".",
    b"..",
    b" ",
    b"=",
    b"==",
    b"%",
    b"%00",
    b"%zz",
    b"%2",
    b"%ff",
    b"\0",
    b"\xff",
    b"\xfe\xff",
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b"\x7f",
    b"\x80",
    b",",
    b";",
    b":",
    b"&",
    b"?",
    b"#",
    b"/",
    b"//",
    b"../",
    b"-",
    b"_",
    b"+",
    b"~",
    b"@",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"'",
    b"{",
    b"}",
    b"{}",
    b"[",
    b"]",
    b"[]",
    b"(",
    b")",
    b"null",
    b"true",
    b"0",
    b"-0",
    b"1e999",
    b"-1",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551615",
    b"18446744073709551616",
    b"NaN",
    b"s",
    b"ms",
    b"d",
    b"Bearer ",
    b"eyJ",
    b"AAAA",
    b"\xc3\xa9",
    b"\xe2\x80\x8b",
    b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x94\x91",
    b"\xc0\x80",
    b"\xed\xa0\x80",
];

/// xorshift64* (Vigna 2016): small, and the same everywhere. Nothing secret comes from it.
struct Dice(u64);

impl Dice {
    const fn new(seed: u64) -> Self {
        // The state must not be zero, and seeds that are near each other shall not begin alike.
        Self((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`; 0 if that is 0.
    fn below(&mut self, limit: usize) -> usize {
        let number = usize::try_from(self.next() >> 33).unwrap_or_default();
        number.checked_rem(limit).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T], none: &'a T) -> &'a T {
        all.get(self.below(all.len())).copied().unwrap_or(none)
    }

    /// A part of `length` bytes, which may be empty.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        from..from + self.below(length - from + 1)
    }
}

/// `count` inputs, each a seed with one to four changes: bits flipped, bytes replaced, parts cut, removed, doubled,
/// swapped or replaced by parts of other seeds, separators and odd numbers put in, long runs of one byte. Without
/// seeds they are made from nothing.
pub fn mutations<'a>(seed_corpus: &'a [&'a [u8]], count: usize, seed: u64) -> impl Iterator<Item = Vec<u8>> + 'a {
    let mut dice = Dice::new(seed);
    iter::repeat_with(move || {
        let mut input = dice.of(seed_corpus, &[]).to_vec();
        for _ in 0..=dice.below(MAX_CHANGES) {
            change(&mut dice, &mut input, seed_corpus);
            input.truncate(MAX_BYTES);
        }
        input
    })
    .take(count)
}

/// Makes one change.
fn change(dice: &mut Dice, input: &mut Vec<u8>, corpus: &[&[u8]]) {
    match dice.below(16) {
        0 | 1 => flip(dice, input),
        2 => {
            let byte = dice.byte();
            replace(dice, input, &[byte]);
        }
        3 => input.truncate(dice.below(input.len() + 1)),
        4 => drop(input.drain(dice.range(input.len()))),
        5 => {
            let part = input[dice.range(input.len())].to_vec();
            insert(dice, input, &part);
        }
        6 => {
            // The beginning of this one and the end of another.
            let other = dice.of(corpus, &[]);
            input.truncate(dice.below(input.len() + 1));
            input.extend_from_slice(&other[dice.below(other.len() + 1)..]);
        }
        7 => {
            let other = dice.of(corpus, &[]);
            let part = &other[dice.range(other.len())];
            insert(dice, input, part);
        }
        8 => {
            let bytes = RUNS.get(dice.below(RUNS.len())).copied().unwrap_or(1);
            let run = vec![known_byte(dice, input); bytes];
            insert(dice, input, &run);
        }
        9 => swap(dice, input),
        10 => {
            let range = dice.range(input.len());
            input[range].iter_mut().for_each(|byte| *byte ^= if byte.is_ascii_alphabetic() { 0x20 } else { 0 });
        }
        11 | 12 => {
            let piece = dice.of(PIECES, &[]);
            replace(dice, input, piece);
        }
        _ => {
            let piece = dice.of(PIECES, &[]);
            insert(dice, input, piece);
        }
    }
}

/// A byte that is in the input already, or any.
fn known_byte(dice: &mut Dice, input: &[u8]) -> u8 {
    let any = dice.byte();
    if dice.below(2) == 0 { any } else { input.get(dice.below(input.len())).copied().unwrap_or(any) }
}

fn flip(dice: &mut Dice, input: &mut [u8]) {
    let (at, bit) = (dice.below(input.len()), dice.below(8));
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << bit;
    }
}

fn insert(dice: &mut Dice, input: &mut Vec<u8>, piece: &[u8]) {
    let at = dice.below(input.len() + 1);
    drop(input.splice(at..at, piece.iter().copied()));
}

/// Puts a piece in the place of as many bytes.
fn replace(dice: &mut Dice, input: &mut Vec<u8>, piece: &[u8]) {
    let at = dice.below(input.len());
    let end = (at + piece.len()).min(input.len());
    drop(input.splice(at..end, piece.iter().copied()));
}

/// Swaps two parts that follow each other.
fn swap(dice: &mut Dice, input: &mut [u8]) {
    let range = dice.range(input.len());
    let part = &mut input[range];
    part.rotate_left(dice.below(part.len()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const CORPUS: &[&[u8]] = &[b"first seed", b"{\"second\":7}"];

    #[test]
    fn one_number_gives_the_same_inputs_each_time_and_another_gives_others() {
        let made = |seed| mutations(CORPUS, 200, seed).collect::<Vec<_>>();
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        assert_eq!(made(0).len(), 200);
    }

    #[test]
    fn the_first_inputs_are_pinned() {
        // A failure that was reported with its number can be looked for again.
        let text = |input: Vec<u8>| String::from_utf8_lossy(&input).into_owned();
        let made: Vec<String> = mutations(&[b"abcdef"], 4, 7).map(text).collect();
        assert_eq!(made, ["a_bcdef", "abcdeb", "\0bccdef", "abef"]);
    }

    #[test]
    fn inputs_differ_from_each_other_and_from_their_seeds() {
        let made: Vec<_> = mutations(CORPUS, 5000, 3).collect();
        let different: HashSet<&Vec<u8>> = made.iter().collect();
        assert!(different.len() > 4000, "{}", different.len());
        let unchanged = made.iter().filter(|input| CORPUS.contains(&input.as_slice())).count();
        assert!(unchanged < 500, "{unchanged}");
    }

    #[test]
    fn inputs_are_cut_spliced_lengthened_and_hold_what_parsers_stumble_over() {
        let made: Vec<_> = mutations(CORPUS, 5000, 4).collect();
        let any = |what: &str, found: fn(&[u8]) -> bool| {
            assert!(made.iter().any(|input| found(input)), "{what}");
        };
        any("nothing", <[u8]>::is_empty);
        any("a very long one", |input| input.len() > 65_536);
        any("a part of both seeds", |input| input.starts_with(b"first") && input.ends_with(b":7}"));
        any("a doubled part", |input| input.windows(6).filter(|part| part == b"second").count() == 2);
        any("a prefix", |input| b"first seed".starts_with(input) && (3..9).contains(&input.len()));
        any("a changed letter", |input| input.len() == 10 && input.ends_with(b"st seed") && !input.starts_with(b"f"));
        for piece in PIECES {
            assert!(made.iter().any(|input| input.windows(piece.len()).any(|part| part == *piece)), "{piece:?}");
        }
        assert!(made.iter().all(|input| input.len() <= MAX_BYTES));
    }

    #[test]
    fn inputs_are_made_without_seeds_too() {
        assert!(mutations(&[], 100, 5).any(|input| !input.is_empty()));
        assert!(mutations(&[b""], 100, 5).any(|input| !input.is_empty()));
    }
}
