//! subidctl-json(5) field by field against real documents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::{Sandbox, needs};

/// Fields of each schema: the types of each path, `ranges[].owner`.
type Fields = BTreeMap<String, BTreeMap<String, BTreeSet<&'static str>>>;

/// Real documents of each command: (their schema, the command).
const COMMANDS: &[(&str, &str)] = &[
    ("plan", "subidctl plan --json alice"),
    ("plan", "subidctl plan --json nobody1"),
    ("error", "subidctl list --json nobody1"),
    ("plan", "subidctl apply --json --yes --verify alice"),
    ("plan", "subidctl setup --json -n bob"),
    ("findings", "subidctl check --json alice"),
    ("findings", "subidctl check --json --list"),
    ("explain", "subidctl explain --json overlap"),
    ("explain", "subidctl explain --json"),
    ("proof", "subidctl verify --json alice"),
    ("proof", "subidctl verify --json alice -- true"),
    ("proof", "subidctl verify --json --engine buildah alice"),
    // Of accounts that LDAP may have no bounds are known.
    (
        "policy",
        "sed -i 's/^passwd: files/& ldap/' /etc/nsswitch.conf
        subidctl policy --json; sed -i 's/ ldap//' /etc/nsswitch.conf",
    ),
    ("who", "subidctl who --json 165600 1001 0"),
    // With a login, a claim of sudo's, a file that an ID owns, and one whose name is not UTF-8.
    (
        "plan",
        "for name in a \"$(printf 'b\\377')\"; do touch /home/alice/$name; done
        chown 100066000:100066000 /home/alice/*; echo 1002 >/proc/self/loginuid
        SUDO_USER=bob SUDO_UID=1002 subidctl release --json --yes alice --scan /home/alice /dev",
    ),
    ("plan", "subidctl undo --json --yes"),
    (
        "plan",
        "strace -qq -o /dev/null -e inject=renameat:signal=KILL:when=3 subidctl release --yes bob >/dev/null 2>&1
        subidctl recover --json --yes",
    ),
    ("templates", "subidctl template list --json"),
    // An owner that is not UTF-8, an account that is gone, an overlap, and a line to be mended.
    (
        "list",
        "printf 'b\\377d:300000:10\\n!x:400000:10\\ngone:500000:10\\nalice:99990:20\\nbob:+600000:10' \\
        >>/etc/subuid; subidctl list --json",
    ),
    ("who", "subidctl who --json 300000"),
    ("findings", "subidctl audit --json"),
    ("plan", "subidctl audit --json --fix -n"),
    (
        "plan",
        "printf 'bob:100000:65536\\nb\\377d:300000:10\\n' | tee /etc/subuid >/etc/subgid
        subidctl release --json --yes \"$(printf 'b\\377d')\"",
    ),
    ("history", "subidctl history --json"),
    ("proof", "chmod u-s /usr/bin/newuidmap; subidctl verify --json alice"),
    // A module of any content: that it can be loaded is enough.
    (
        "plan",
        "cp $(ldconfig -p | sed -n 's/.* => //p' | grep -m1 libc.so.6) /usr/lib/libsubid_sss.so
        echo 'subid: sss' >>/etc/nsswitch.conf; subidctl plan --json --skip-directory-hosts alice",
    ),
];

const POLICY: &str = "\
strategy = \"windows\"
reserve = [{ name = \"old\", first = 900000000, last = 900065535 }]
users = { names = [\"alice\"] }
[[window]]
uids = \"1000-1999\"
start = 100000000
count = 65536
";

fn documents() -> Vec<Value> {
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .file("/etc/subidctl/policy.toml", POLICY)
        .subids("bob:100000:65536\n")
        .start();
    let document = |(schema, command): &(&str, &str)| {
        let output = sandbox.run(command);
        let document = output.json();
        assert_eq!(document["schema"], format!("subidctl.{schema}.v1"), "{output}");
        document
    };
    COMMANDS.iter().map(document).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Notes what a document has. A document within a document counts as one of its own schema, and findings as
/// those of `audit`.
fn collect(value: &Value, schema: &str, path: &str, seen: &mut Fields) {
    let schema = value.get("schema").and_then(Value::as_str).unwrap_or(schema);
    let path = if value.get("schema").is_some() { "" } else { path };
    let schema = if path == "findings[]" { "subidctl.findings.v1" } else { schema };
    let element = path.is_empty() || (path.ends_with("[]") && value.is_object()) || path == "schema";
    if !element {
        let kinds = seen.entry(schema.to_owned()).or_default().entry(path.to_owned()).or_default();
        kinds.insert(kind(value));
    }
    match value {
        Value::Array(items) => {
            for item in items {
                collect(item, schema, &format!("{path}[]"), seen);
            }
        }
        Value::Object(object) => {
            for (key, value) in object {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, schema, &inner, seen);
            }
        }
        _ => {}
    }
}

/// What the page says: ``- `path` *number or null*: …`` below `## schema`.
fn documented() -> Fields {
    let source = std::fs::read_to_string(super::folder().join("src/subidctl-json.md")).unwrap();
    let mut fields = Fields::new();
    let mut schema = "";
    for line in source.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            schema = heading;
        }
        let Some((path, kinds)) = line.strip_prefix("- `").and_then(|line| line.split_once("` *")) else {
            continue;
        };
        let kinds = kinds.split_once("*: ").unwrap_or_else(|| panic!("{line}")).0;
        for kind in kinds.split(" or ") {
            let (mut path, mut kind) = (path.to_owned(), kind);
            let fields = fields.entry(schema.to_owned()).or_default();
            let mut note = |path: &str, kind: &str| {
                let known = ["null", "boolean", "number", "string", "array", "object"].into_iter();
                let kind = known.clone().find(|known| *known == kind).unwrap_or_else(|| panic!("{line}"));
                fields.entry(path.to_owned()).or_default().insert(kind);
            };
            while let Some(element) = kind.strip_prefix("array of ") {
                note(&path, "array");
                path.push_str("[]");
                kind = element;
            }
            note(&path, kind);
        }
    }
    fields
}

/// Fields of the page that no document of the test has: root can look at everything in a sandbox.
const UNSEEN: &[(&str, &str)] = &[("subidctl.plan.v1", "scan.failed[]")];

/// Every field of a document is on the page, with its type; and every field of the page is in a document, with
/// each of its types but null.
#[test]
fn the_page_has_the_fields_that_documents_have() {
    needs!("unshare", "nsenter", "newuidmap", "buildah", "strace");
    let documented = documented();
    let mut seen = Fields::new();
    for document in documents() {
        collect(&document, "", "", &mut seen);
    }
    let mut wrong = Vec::new();
    for (a, b, words) in
        [(&seen, &documented, "is not on the page"), (&documented, &seen, "was in no document")]
    {
        for (schema, fields) in a {
            for (path, kinds) in fields {
                let known = b.get(schema).and_then(|fields| fields.get(path));
                for kind in kinds.iter().filter(|kind| **kind != "null" || words.ends_with("page")) {
                    let unseen =
                        UNSEEN.contains(&(schema.as_str(), path.as_str())) && words.ends_with("document");
                    if !unseen && !known.is_some_and(|known| known.contains(kind)) {
                        wrong.push(format!("{schema} {path}: {kind} {words}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "man/src/subidctl-json.md:\n{}", wrong.join("\n"));
}
