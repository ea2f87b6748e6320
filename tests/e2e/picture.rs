//! `list --map` and `--svg`: the ID space as a picture.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use subidctl::host::{Root, snapshot};
use subidctl::planner::{Mark, Space, Use, space};
use subidctl::policy::Policy;
use subidctl::range::{PerKind, Range};
use subidctl::report::{Style, map_svg, map_text};

use crate::harness::assert_shown;

/// A tree with these lines in both files.
fn tree(lines: &str) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    std::fs::create_dir(tree.path().join("etc")).unwrap();
    for file in ["subuid", "subgid"] {
        std::fs::write(tree.path().join("etc").join(file), lines).unwrap();
    }
    tree
}

fn spaces(tree: &Path) -> PerKind<Space> {
    let snapshot = snapshot(&Root::below(tree).unwrap()).unwrap();
    PerKind::from_fn(|kind| space(&snapshot, &Policy::default(), kind))
}

/// Six owners: one far larger than the others, two that overlap, a hole, and a released range.
const SIX: &str = "alice:100000:65536\nbob:165536:65536\ncarol:296608:65536\ndave:330000:65536\n!eve:400000:65536\n\
    erin:524288:262144\nfrank:500000000:65536\n";

fn ten_thousand() -> String {
    let holes = |i: &u32| i % 50 != 7 && !(3000..3400).contains(i);
    (0..10_000).filter(holes).fold(String::new(), |mut lines, i| {
        let _ = writeln!(lines, "user{i}:{}:65536", 100_000 + i * 65536);
        lines
    })
}

#[test]
fn pictures_of_few_and_many_owners() {
    let cases = [
        ("0", String::new()),
        ("1", "alice:100000:65536\n".to_owned()),
        ("6", SIX.to_owned()),
        ("10000", ten_thousand()),
    ];
    for (owners, lines) in cases {
        let spaces = spaces(tree(&lines).path());
        for width in [80, 120] {
            let text = map_text(&spaces, width, Style::default());
            assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
            assert_shown(&format!("map-{owners}-{width}"), &text);
        }
        if owners == "6" {
            // The README shows it.
            let shown = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/list-map.svg");
            assert_eq!(std::fs::read_to_string(shown).unwrap(), map_svg(&spaces), "draw it anew: list --svg");
        }
    }
}

#[test]
fn what_differs_between_the_files_is_drawn_twice_and_conflicts_have_a_letter() {
    let tree = tree(SIX);
    std::fs::write(tree.path().join("etc/subgid"), "alice:100000:65536\n").unwrap();
    let spaces = spaces(tree.path());
    let text = map_text(&spaces, 80, Style::default());
    assert!(text.starts_with("subuid\n") && text.contains("\nsubgid\n"), "{text}");
    assert!(text.contains("X  330000-362143: carol, dave\n"), "{text}");
    let painted = map_text(&spaces, 80, Style { color: true, ..Style::default() });
    assert!(painted.contains("\x1b[1;31mX"), "{painted}");
}

#[test]
fn lines_that_nobody_may_hold_have_a_letter_too() {
    let tree = tree("alice:0:65536\nbob:100000:65536\n");
    let text = map_text(&spaces(tree.path()), 120, Style::default());
    assert!(text.contains("            0  !!!!!!!!!!!!!!!!\n"), "{text}");
    assert!(text.contains("!  0-65535: alice holds IDs of root and system users, login users"), "{text}");
    // An ID of an account, and a cell beside it that is bob's alone.
    std::fs::write(tree.path().join("etc/passwd"), "lena:x:150000:150000::/:/bin/sh\n").unwrap();
    let text = map_text(&spaces(tree.path()), 120, Style::default());
    assert!(text.contains("bbbbbbbbbbbb!bbb\n"), "{text}");
    assert!(text.contains("!  150000-150000: bob holds IDs of accounts and groups\n"), "{text}");
    let svg = map_svg(&spaces(tree.path()));
    assert!(svg.contains(">!</text>") && svg.contains("150000-150000: bob holds"), "{svg}");
}

#[test]
fn a_directorys_accounts_in_the_pool_are_one_line() {
    let tree = tree("alice:100000:65536\n");
    let passwd: String =
        (0..1000).map(|i| format!("u{i}:x:{0}:{0}::/:/bin/sh\n", 200_000_000 + 7 * i)).collect();
    std::fs::write(tree.path().join("etc/passwd"), passwd).unwrap();
    let text = map_text(&spaces(tree.path()), 80, Style::default());
    assert!(text.starts_with("subuid and subgid, alike\n"), "{text}");
    assert!(text.contains("  200,000,000  - 1,000 of 6,994 kept: accounts and groups\n"), "{text}");
    assert!(text.lines().count() < 20, "{text}");
}

#[test]
fn long_and_wide_names_leave_room_for_their_ranges() {
    let wide = "你".repeat(40);
    let tree = tree(&format!("{wide}:100000:65536\n{}:165536:65536\n", "W".repeat(90)));
    let text = map_text(&spaces(tree.path()), 80, Style::default());
    assert!(text.contains("你你你…   100000-165535  (65,536 IDs)\n"), "{text}");
    let columns = |line: &str| line.chars().map(|c| if c == '你' { 2 } else { 1 }).sum::<usize>();
    assert!(text.lines().all(|line| columns(line) <= 80), "{text}");
    let svg = map_svg(&spaces(tree.path()));
    // Neither name fits into its box, nor whole into the legend.
    assert!(!svg.contains(&wide) && !svg.contains(&"W".repeat(90)), "{svg}");
}

#[test]
fn the_picture_is_a_file_and_no_document() {
    let tree = tree("alice:100000:65536\n<b>&:300000:5\n");
    let svg = tree.path().join("ids.svg");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_subidctl"));
        command.arg("list").args(args).arg("--root").arg(tree.path()).output().unwrap()
    };
    assert!(run(&["--svg", svg.to_str().unwrap()]).status.success());
    let text = std::fs::read_to_string(&svg).unwrap();
    assert_eq!(text, map_svg(&spaces(tree.path())));
    assert!(text.starts_with("<svg ") && text.contains("&lt;b&gt;&amp;") && !text.contains("<b>"), "{text}");
    for args in [&["--map", "--json"][..], &["--svg", "x", "--json"], &["--map", "alice"]] {
        assert_eq!(run(args).status.code(), Some(2), "{args:?}");
    }
    assert_eq!(String::from_utf8(run(&["--svg", "-"]).stdout).unwrap(), text);
}

fn any_space() -> impl Strategy<Value = Space> {
    let mark =
        (any::<u32>(), 0_u32..1 << 20, 0_usize..40, "[a-z]{1,40}").prop_map(|(first, more, kind, name)| {
            let range = Range::between(first, first.saturating_add(more)).unwrap();
            let what = match kind {
                0..30 => Use::Owner(kind),
                30..35 => Use::Released,
                35..38 => Use::Barred(name),
                _ => Use::Kept(name),
            };
            Mark { range, what }
        });
    prop::collection::vec(mark, 0..60).prop_map(|mut marks| {
        marks.sort_by_key(|mark| mark.range);
        let owners = (0..30).map(|i| format!("owner-with-a-long-name-{i}")).collect();
        let released = marks.iter().filter(|mark| mark.what == Use::Released);
        let released = released.map(|mark| (mark.range, "x".repeat(90))).collect();
        Space { pools: Range::between(100_000, 600_100_000).into_iter().collect(), owners, marks, released }
    })
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(space in any_space(), width in 40_usize..200) {
        let spaces = PerKind { uid: space.clone(), gid: space };
        let text = map_text(&spaces, width, Style::default());
        for line in text.lines() {
            prop_assert!(line.chars().count() <= width, "{width}: {line}");
        }
        prop_assert!(text.lines().count() < 200, "{}", text.lines().count());
        prop_assert!(map_svg(&spaces).ends_with("</svg>\n"));
    }
}
