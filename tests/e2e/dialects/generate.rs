//! Files as people, tools and accidents write them, and worse.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// As many files, the same for the same seed; the first are the rare ones.
pub(super) fn files(seed: u64, number: u32) -> Vec<Vec<u8>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = file();
    let random = (0..number).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    rare().into_iter().chain(random).take(number as usize).collect()
}

/// What chance finds once in thousands of files: everything that newuidmap grants, and the ends of shadow's
/// buffer.
fn rare() -> Vec<Vec<u8>> {
    let full = |length: usize| format!("um:100:5\nal:{:0>width$}:5", 199, width = length - 5).into_bytes();
    let hidden = |length: usize| {
        let mut file = full(length);
        file[20] = 0;
        [&file[..], b"\num:300:5\n"].concat()
    };
    let mut files: Vec<Vec<u8>> =
        vec![b"um:0:0\n".to_vec(), b"um:100:\0\n5\n".to_vec(), b"um:100:5\nal:1:1\0\n".to_vec()];
    // Every ID, and all but the first.
    files.extend([b"um:0:4294967296\n".to_vec(), b"um:1:4294967295\n".to_vec()]);
    files.extend((4094..=4097).chain([8191]).flat_map(|length| [full(length), hidden(length)]));
    files
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![8 => Just(&b"\n"[..]), 1 => Just(&b""[..]), 1 => Just(&b"\n\n"[..])];
    let lines = prop::collection::vec(prop_oneof![3 => plain(), 4 => odd()], 0..7);
    // Once more the same line, and the line that goes on where another ends.
    let again = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<bool>()));
    (lines, again, end).prop_map(|(mut lines, again, end)| {
        if let Some((index, adjacent)) = again
            && !lines.is_empty()
        {
            let line = index.get(&lines).clone();
            lines.push(if adjacent { next_to(&line) } else { line });
        }
        let mut bytes = lines.join(&b'\n');
        bytes.extend(end);
        bytes
    })
}

fn next_to(line: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    let fields: Vec<&str> = text.split(':').collect();
    match fields[..] {
        [owner, start, count] => match (start.parse::<u64>(), count.parse::<u64>()) {
            (Ok(start), Ok(count)) => format!("{owner}:{}:{count}", start.saturating_add(count)).into_bytes(),
            _ => line.to_vec(),
        },
        _ => line.to_vec(),
    }
}

fn owner() -> impl Strategy<Value = &'static str> {
    let usual = prop::sample::select(vec!["um", "um", "um", "al", "5000", "1001"]);
    let unusual = prop::sample::select(vec![
        "twin",
        "ghost",
        "7777",
        "7001",
        "05000",
        " 5000",
        "5000 ",
        "\t5000",
        "0x1388",
        "+5000",
        " +5000",
        " -5000",
        "UM",
        " um",
        "um ",
        "!um",
        "!5000",
        "#um",
        "#",
        "-um",
        "+um",
        "+",
        "",
        "root",
        "0",
        "00",
        "4294967295",
        "4294972296",
        "18446744073709556616",
        "0b1",
        "u\u{e9}",
    ]);
    prop_oneof![3 => usual, 2 => unusual]
}

/// Starts near each other and near every edge.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 100u64..140,
        3 => 100_000u64..400_000,
        1 => Just(65536u64),
        1 => 0u64..3,
        1 => 4_294_967_290u64..4_294_967_300,
        1 => prop::sample::select(vec![1 << 31, u64::MAX, u64::MAX - 4, 1 << 63, 1 << 40, 5000, 1001, 7001]),
    ]
}

fn plain() -> impl Strategy<Value = Vec<u8>> {
    let count = prop_oneof![3 => 1u64..50, 1 => Just(65536u64)];
    (owner(), number(), count)
        .prop_map(|(owner, start, count)| format!("{owner}:{start}:{count}").into_bytes())
}

/// A number in one of the spellings that some reader may take.
fn spelt() -> impl Strategy<Value = String> {
    (number(), 0..24).prop_map(|(n, how)| match how {
        0 => format!("0x{n:x}"),
        1 => format!("0X{n:X}"),
        2 => format!("0{n:o}"),
        3 => format!("0{n}"),
        4 => format!("0b{n:b}"),
        5 => format!("0o{n:o}"),
        6 => format!("+{n}"),
        7 => format!("-{n}"),
        8 => format!(" {n}"),
        9 => format!("{n} "),
        10 => format!("\t{n}"),
        11 => format!("\u{b}\u{c}\r{n}"),
        12 => format!("{n}\r"),
        13 => format!("{n}k"),
        14 => format!("{n}e3"),
        15 => format!("{n}_000"),
        16 => format!("{n}.0"),
        17 => String::new(),
        18 => {
            ["0x", "0b", "-0", "+0", "08", "0x-5", "--5", "+-5", " ", "\u{a0}7"][(n % 10) as usize].to_owned()
        }
        19 => format!("{n:0>1000}"),
        20 => format!("{n}0000000000000000000000"),
        _ => n.to_string(),
    })
}

fn odd() -> impl Strategy<Value = Vec<u8>> {
    let line = || (owner(), spelt(), spelt()).prop_map(|(o, s, c)| format!("{o}:{s}:{c}").into_bytes());
    let junk = prop::sample::select(vec![
        &b""[..],
        b"#",
        b"# a comment",
        b"#um:1:2:3",
        b"um",
        b"um:",
        b"um:100",
        b"um:100:",
        b":100:5",
        b"::",
        b"um::5",
        b" ",
        b"\t",
        b"\r",
        b"+",
        b"-",
        b"+:::",
        b"\xff\xfe:100:5",
        b"\xef\xbb\xbfum:100:5",
        b"um;100;5",
        b"um:100:5\0",
        b"um:100:\0",
        b"\0",
        b"um\0x:1:2",
        b"u\0",
    ])
    .prop_map(<[u8]>::to_vec);
    // Beside the length that shadow parses, and beside its buffer.
    let length = prop_oneof![2 => 1015usize..1030, 1 => 4085usize..4105, 1 => 8185usize..8200];
    let long = (owner(), length, 100u64..200).prop_map(|(owner, length, n)| {
        let width = length - owner.len() - ":".len() - ":5".len();
        format!("{owner}:{n:0>width$}:5").into_bytes()
    });
    let hidden = (any::<prop::sample::Index>(), prop::bool::weighted(0.2));
    let long = (long, hidden).prop_map(|(mut line, (at, nul))| {
        if nul {
            let at = at.index(line.len());
            line[at] = 0;
        }
        line
    });
    let tail =
        prop::sample::select(vec![":", ":x", " ", "\t", "\r", "\u{a0}", "\u{3000}", "#", " # alice's", "\0"]);
    prop_oneof![
        6 => line(),
        3 => junk,
        1 => long,
        2 => (line(), tail).prop_map(|(line, tail)| [&line[..], tail.as_bytes()].concat()),
        1 => (plain(), prop::sample::select(vec![" ", "\t", "\0", "\u{a0}", "\u{feff}"]))
            .prop_map(|(line, head)| [head.as_bytes(), &line].concat()),
    ]
}
