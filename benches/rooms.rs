//! How long the pure rooms take, for 10 to a million lines: `cargo bench --bench rooms`. Whole commands beside
//! their peers are `benches/side-by-side`.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion};

use subidctl::findings::{Survey, audit};
use subidctl::idfile::Document;
use subidctl::idmap;
use subidctl::planner::{Owner, Request, Want, plan, taken};
use subidctl::policy::Policy;
use subidctl::range::{Count, Gid, Kind, Login, PerKind, Range, Uid};
use subidctl::snapshot::{Account, Accounts, IdFile, Snapshot, Source};

const SIZES: [u32; 3] = [10, 10_000, 1_000_000];

/// Where first-fit begins and, with room for all lines and one more user, ends.
const POOL: (u32, u32) = (100_000, 2_000_000_000);

fn main() -> Result<(), &'static str> {
    let mut criterion = Criterion::default().configure_from_args();
    for lines in SIZES {
        files(&mut criterion, lines)?;
    }
    maps(&mut criterion);
    criterion.final_summary();
    Ok(())
}

/// What is done with both files, from bytes to a plan and to findings.
fn files(criterion: &mut Criterion, lines: u32) -> Result<(), &'static str> {
    let text = text(lines);
    let snapshot = snapshot(lines, &text);
    let policy = Policy::default();
    let mut group = criterion.benchmark_group("lines");
    group.sample_size(10);

    let taken_ids = taken(&snapshot, &policy, Kind::Uid);
    let window = Range::between(POOL.0, POOL.1);
    let count = Count::new(65536);
    let (Some(window), Some(count), Some(request)) = (window, count, request(&snapshot)) else {
        return Err("the benchmark's own data make no sense");
    };
    room(&mut group, "taken", lines, || taken(&snapshot, &policy, Kind::Uid));
    room(&mut group, "first-fit", lines, || taken_ids.first_fit(window, count, 1));
    room(&mut group, "plan", lines, || plan(&snapshot, &policy, &request));
    room(&mut group, "audit", lines, || audit(&Survey::new(&snapshot, &policy)));

    // A document reads its lines once, so each turn has one of its own.
    group.bench_function(BenchmarkId::new("claims", lines), |bencher| {
        let read = |document: Document| black_box(document.claims().count());
        bencher.iter_batched(|| Document::new(text.clone()), read, BatchSize::PerIteration);
    });
    group.finish();
    Ok(())
}

/// One row of the group; what the work gives is kept from being optimised away.
fn room<T>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, lines: u32, mut work: impl FnMut() -> T) {
    group.bench_function(BenchmarkId::new(name, lines), |bencher| bencher.iter(&mut work));
}

/// From ranges to the map that newuidmap gets, and back to IDs of the host.
fn maps(criterion: &mut Criterion) {
    let ranges: Vec<Range> =
        (0..300_u32).filter_map(|n| Range::between(100_000 + n * 2000, 100_999 + n * 2000)).collect();
    let map = idmap::podman(1000, &ranges).unwrap_or_default();
    criterion.bench_function("map/made", |bencher| {
        bencher.iter(|| idmap::podman(1000, black_box(&ranges)).map(|map| idmap::text(&map)));
    });
    criterion.bench_function("map/asked", |bencher| {
        bencher.iter(|| idmap::outside(black_box(&map), black_box(250_000)));
    });
}

/// So many lines of accounts `u0` to at most `u9999`, in no order of IDs; each account has as many as is usual, so
/// that `audit` finds nothing to say of it.
fn text(lines: u32) -> Vec<u8> {
    let ids = if lines <= 10_000 { 65536 } else { 1000 };
    let line = |n: u32| {
        // A number without a common factor with powers of ten visits each place once.
        let place = u64::from(n) * 618_033_989 % u64::from(lines);
        format!("u{}:{}:{ids}\n", n % 10_000, u64::from(POOL.0) + place * ids)
    };
    (0..lines).map(line).collect::<String>().into_bytes()
}

fn snapshot(lines: u32, text: &[u8]) -> Snapshot {
    let names = (0..lines.min(10_000)).map(|n| (format!("u{n}"), 2000 + n));
    let users = names.chain([("bench".to_owned(), 1000)]).filter_map(|(name, id)| {
        Some(Account {
            name: Login::new(name.as_bytes())?,
            uid: Uid::new(id),
            gid: Gid::new(id),
            home: format!("/home/{name}").into_bytes().into(),
            shell: b"/bin/sh"[..].into(),
            source: Source::File(1),
        })
    });
    let mut snapshot =
        Snapshot { accounts: Accounts::new(users.collect(), Vec::new()), ..Snapshot::default() };
    for kind in ["UID", "GID"] {
        snapshot.login_defs.values.insert(format!("SUB_{kind}_MAX"), (POOL.1.to_string(), 1));
    }
    let document = || Some(Document::new(text.to_vec()));
    snapshot.files = PerKind::from_fn(|_| IdFile { document: document(), ..IdFile::default() });
    snapshot
}

/// One user without ranges.
fn request(snapshot: &Snapshot) -> Option<Request> {
    let owner = Owner::account(snapshot.accounts.by_name(b"bench")?.clone());
    Some(Request { wants: vec![Want { owner, count: None, range: None }], ..Request::default() })
}
