//! The corpora of the fuzz targets, replayed: what once was found stays mended.

use std::path::Path;

#[path = "../fuzz/checks.rs"]
mod checks;

#[test]
fn corpora_are_replayed() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let folders = std::fs::read_dir(&corpora).unwrap().count();
    assert_eq!(folders, checks::TARGETS.len(), "a corpus for each target");
    for (name, target) in checks::TARGETS {
        let mut inputs = 0;
        for entry in std::fs::read_dir(corpora.join(name)).unwrap() {
            let path = entry.unwrap().path();
            // Shown where a test fails: which input it was.
            println!("{}", path.display());
            target(&std::fs::read(&path).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has no input");
    }
}
