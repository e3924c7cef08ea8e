//! A fuzz target as a test on stable.
//!
//! Its inputs are the committed corpus, which is what fuzzing has found worth keeping, and pseudo-random bytes.

use std::path::Path;
use std::{fs, thread};

use crate::rng::Rng;

/// How many pseudo-random inputs a target gets; half of them are much like one of the corpus.
const INPUTS: u32 = 4_000;

/// Calls the body of the target of this name with each input.
///
/// An input that makes the body panic is printed in hexadecimal.
pub fn check(target: &str, body: fn(&[u8])) {
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "{target} has no corpus");
    let body = |input: &[u8]| {
        let _reported = Reported(input);
        body(input);
    };
    for input in &corpus {
        body(input);
    }
    let mut rng = Rng::new(0);
    for _ in 0..INPUTS / 2 {
        body(&bytes(&mut rng));
        let like = rng.pick(&corpus).unwrap();
        body(&bytes_like(like, &mut rng));
    }
}

/// The files with a name. What a fuzzer has added here is named by its hash, and is not part of the repository.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let files = fs::read_dir(corpus.join(target)).unwrap();
    let is_hash = |name: &str| name.len() == 40 && name.bytes().all(|c| c.is_ascii_hexdigit());
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| !is_hash(file.file_name().unwrap().to_str().unwrap()));
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Up to 1,024 bytes.
fn bytes(rng: &mut Rng) -> Vec<u8> {
    let words = rng.between(1, 128);
    (0..words).flat_map(|_| rng.draw().to_le_bytes()).collect()
}

/// Bytes that differ from these in up to three places.
fn bytes_like(like: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = like.to_vec();
    for _ in 0..rng.between(1, 3) {
        let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = rng.draw().to_le_bytes()[0];
        }
    }
    bytes
}

/// An input that is printed if the body panics.
struct Reported<'a>(&'a [u8]);

impl Drop for Reported<'_> {
    #[allow(clippy::print_stderr, reason = "how to see the failure again")]
    fn drop(&mut self) {
        if thread::panicking() {
            let hex = |byte: &u8| format!("{byte:02x}");
            let input: String = self.0.iter().map(hex).collect();
            eprintln!("the input, for `xxd -r -p` into a file of the corpus: {input}");
        }
    }
}
