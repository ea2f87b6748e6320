//! Users and groups as people type them, found among the known accounts and, where one is configured, in
//! a directory.

use super::directory;
use crate::error::{Code, Error, Result};
use crate::range::{Gid, Kind, Login, Uid};
use crate::snapshot::{Account, Snapshot};
use crate::text::{escape, shell_word};

/// Further than this from what was typed, a name is no spelling of it.
const LIKENESS: usize = 2;

/// A user as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A name; where there is none and it is a number, a uid.
    Name(Login),
    /// `+1001`: always a uid.
    Uid(Uid),
}

impl Operand {
    /// Reads what was typed.
    ///
    /// # Errors
    /// `invalid-name` for what can be neither.
    pub fn parse(typed: &[u8]) -> Result<Self> {
        let refuse = |why: &str| {
            Error::new(Code::InvalidName, format!("'{}' is no user", escape(typed)))
                .why(why.to_owned())
                .fix("give a login name, or a uid as +1001")
        };
        if let Some(digits) = typed.strip_prefix(b"+") {
            let uid = std::str::from_utf8(digits).ok().and_then(Uid::parse);
            return uid.map(Self::Uid).ok_or_else(|| refuse("after + comes a uid in decimal"));
        }
        let name = Login::new(typed);
        name.map(Self::Name).ok_or_else(|| {
            refuse(
                "a name is not empty, does not begin with -, and holds no colon, slash or control character",
            )
        })
    }
}

/// The account that is meant: a name first and a uid second, as for chown. A name that the files have is
/// asked nowhere else.
///
/// # Errors
/// `invalid-name`; `unknown-user`, with the name most like it; `lookup-failed` where the directory did not
/// answer, or means another account by that name than the files.
pub fn find_user(snapshot: &mut Snapshot, typed: &[u8]) -> Result<Account> {
    match look_up(snapshot, typed)? {
        Some(account) => Ok(account),
        None => Err(match typed_uid(typed) {
            Some(uid) => no_uid(snapshot, uid),
            None => unknown(snapshot, &format!("no user is named '{}'", escape(typed)), typed),
        }),
    }
}

/// As [`find_user`], for owners of lines, of whom thousands may be unknown: `None`, without a search for the
/// name most like each.
///
/// # Errors
/// `invalid-name`, `lookup-failed`.
pub fn look_up(snapshot: &mut Snapshot, typed: &[u8]) -> Result<Option<Account>> {
    let name = match Operand::parse(typed)? {
        Operand::Uid(uid) => return look_up_uid(snapshot, uid),
        Operand::Name(name) => name,
    };
    match look_up_name(snapshot, &name)? {
        Some(account) => Ok(Some(account)),
        None => typed_uid(typed).map_or(Ok(None), |uid| look_up_uid(snapshot, uid)),
    }
}

/// The account of this name: one look-up, and none where the files have it. A number is a name here.
///
/// # Errors
/// `lookup-failed`.
pub fn look_up_name(snapshot: &mut Snapshot, name: &Login) -> Result<Option<Account>> {
    if let Some(account) = snapshot.accounts.by_name(name.as_bytes()) {
        return Ok(Some(account.clone()));
    }
    match directory::user_by_name(snapshot, name) {
        Ok(Some(account)) => unambiguous(snapshot, account).map(Some),
        Ok(None) => Ok(None),
        Err(errno) => Err(failed(snapshot, Kind::Uid, &format!("user '{name}'"), errno, name.as_bytes())),
    }
}

/// The uid that `1001` and `+1001` can mean.
fn typed_uid(typed: &[u8]) -> Option<Uid> {
    std::str::from_utf8(typed.strip_prefix(b"+").unwrap_or(typed)).ok().and_then(Uid::parse)
}

/// The caller's account, by the real uid of the process and nothing else.
pub fn me(snapshot: &mut Snapshot) -> Result<Account> {
    let uid = Uid::new(nix::unistd::getuid().as_raw());
    look_up_uid(snapshot, uid)?.ok_or_else(|| no_uid(snapshot, uid))
}

/// The uid that this process's session began with; `None` where it is not set (4294967295) or the kernel
/// keeps none.
pub fn login_uid() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// The members of a group and the accounts whose primary group it is, in the order of the accounts. Names
/// among the members that are no accounts are left out, and so are accounts that a directory would only
/// tell if it listed all.
///
/// # Errors
/// `unknown-user` where there is no such group, `empty-group`, `lookup-failed`.
pub fn group_members(snapshot: &mut Snapshot, group: &[u8]) -> Result<Vec<Account>> {
    directory::enumerate(snapshot);
    let shown = escape(group);
    let (gids, members): (Vec<_>, Vec<_>) = groups_named(snapshot, group)?.into_iter().unzip();
    if gids.is_empty() {
        return Err(Error::new(Code::UnknownUser, format!("no group is named '{shown}'"))
            .why(looked(snapshot, Kind::Gid))
            .fix("getent group lists the groups of this host"));
    }
    let mut found: Vec<Account> =
        snapshot.accounts.users().iter().filter(|user| gids.contains(&user.gid)).cloned().collect();
    for name in members.concat() {
        match find_user(snapshot, name.as_bytes()) {
            Ok(account) if account.name == name => found.push(account),
            Err(error) if error.code != Code::UnknownUser => return Err(error),
            _ => {}
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|account| seen.insert(account.name.clone()));
    if found.is_empty() {
        return Err(Error::new(Code::EmptyGroup, format!("the group '{shown}' has no members"))
            .why("no account is named in it, and it is nobody's primary group")
            .fix("name the users themselves, or add them to the group with usermod -aG"));
    }
    Ok(found)
}

/// The groups of this name, of the files and of the directory, with the members that they name: one look-up
/// at most. None where this host has no such group.
///
/// # Errors
/// `lookup-failed`.
pub fn groups_named(snapshot: &mut Snapshot, group: &[u8]) -> Result<Vec<(Gid, Vec<Login>)>> {
    // The directory may have further members of a group that the files have too, and spell it its own way.
    let spelled = match directory::group_by_name(snapshot, group) {
        Ok(found) => found.map_or_else(|| group.into(), |found| found.name),
        Err(errno) => {
            let asked = format!("group '{}'", escape(group));
            return Err(failed(snapshot, Kind::Gid, &asked, errno, group));
        }
    };
    let groups = snapshot.accounts.groups().iter().filter(|g| g.name == *group || g.name == spelled);
    Ok(groups.map(|g| (g.gid, g.members.clone())).collect())
}

/// People's accounts: `UID_MIN` ≤ uid ≤ `UID_MAX` of login.defs (1000 and 60000, shadow's defaults, where
/// it does not say), a shell other than nologin and false, and not in `exclude`. Of several accounts with
/// one name the first, as for NSS. A directory's accounts only as far as [`super::enumerate`] found them.
pub fn login_accounts(snapshot: &Snapshot, exclude: &[Login]) -> Vec<Account> {
    let bound = |key, default| snapshot.login_defs.number(key).unwrap_or(default);
    let uids = bound("UID_MIN", 1000)..=bound("UID_MAX", 60000);
    let wanted = |account: &&Account| {
        uids.contains(&u64::from(account.uid.get()))
            && !matches!(account.shell.rsplit(|b| *b == b'/').next(), Some(b"nologin" | b"false"))
            && !exclude.contains(&account.name)
            && snapshot.accounts.by_name(account.name.as_bytes()) == Some(account)
    };
    snapshot.accounts.users().iter().filter(wanted).cloned().collect()
}

fn look_up_uid(snapshot: &mut Snapshot, uid: Uid) -> Result<Option<Account>> {
    if let Some(account) = snapshot.accounts.by_uid(uid).cloned() {
        return unambiguous(snapshot, account).map(Some);
    }
    match directory::user_by_uid(snapshot, uid) {
        Ok(Some(account)) => unambiguous(snapshot, account).map(Some),
        Ok(None) => Ok(None),
        Err(errno) => Err(failed(snapshot, Kind::Uid, &format!("uid {uid}"), errno, b"")),
    }
}

fn no_uid(snapshot: &Snapshot, uid: Uid) -> Error {
    unknown(snapshot, &format!("no user has the uid {uid}"), b"")
}

/// An account whose name means another one, since that stands first, would be given the other's ranges.
fn unambiguous(snapshot: &Snapshot, account: Account) -> Result<Account> {
    match snapshot.accounts.by_name(account.name.as_bytes()) {
        Some(first) if first.uid != account.uid => Err(Error::new(
            Code::LookupFailed,
            format!(
                "the name '{}' means two accounts, uid {} and uid {}",
                account.name, first.uid, account.uid
            ),
        )
        .why("a line of subuid with that name would be read for either")
        .fix(format!(
            "give one of them another name; getent passwd {} shows what is asked first",
            first.uid
        ))),
        _ => Ok(account),
    }
}

fn unknown(snapshot: &Snapshot, what: &str, typed: &[u8]) -> Error {
    let fix = match alike(snapshot, typed) {
        Some(name) => format!("did you mean '{name}'?"),
        None => "getent passwd lists the users of this host".to_owned(),
    };
    Error::new(Code::UnknownUser, what).why(looked(snapshot, Kind::Uid)).fix(fix)
}

fn failed(snapshot: &Snapshot, kind: Kind, asked: &str, errno: nix::errno::Errno, typed: &[u8]) -> Error {
    let database = if kind == Kind::Uid { "passwd" } else { "group" };
    let key =
        if typed.is_empty() { asked.split(' ').next_back().map(str::to_owned) } else { shell_word(typed) };
    let answers = match key {
        Some(key) => format!("see that the directory answers (getent {database} {key}), and run it again"),
        None => "see that the directory answers, and run it again".to_owned(),
    };
    let fix = match alike(snapshot, typed).filter(|_| kind == Kind::Uid) {
        Some(name) => format!("did you mean '{name}'? Else {answers}"),
        None => answers,
    };
    Error::new(Code::LookupFailed, format!("nobody knows whether there is a {asked}"))
        .why(directory::no_answer(snapshot, kind, errno))
        .fix(fix)
}

/// Where was looked in vain.
fn looked(snapshot: &Snapshot, kind: Kind) -> String {
    if snapshot.accounts.lookups.directory {
        return format!("neither the files nor the directory have it ({})", directory::place(snapshot, kind));
    }
    let file = if kind == Kind::Uid { "passwd" } else { "group" };
    let root = snapshot.host.root.trim_end_matches('/');
    format!("{root}/etc/{file} does not have it, and no directory is asked")
}

/// The user of the files whose name is most like what was typed.
fn alike<'a>(snapshot: &'a Snapshot, typed: &[u8]) -> Option<&'a Login> {
    let typed = std::str::from_utf8(typed).ok()?;
    let names = snapshot.accounts.users().iter().filter_map(|user| {
        let name = std::str::from_utf8(user.name.as_bytes()).ok()?;
        // A cheap look first, for there may be many accounts: a character has up to four bytes.
        if name.len().abs_diff(typed.len()) > 4 * LIKENESS {
            return None;
        }
        let distance = strsim::osa_distance(typed, name);
        (distance <= LIKENESS && distance * 2 < typed.len()).then_some((distance, &user.name))
    });
    names.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Root, snapshot};

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nalice:x:1001:100:::/bin/bash\nbob:x:1002:1002:::/usr/sbin/nologin\n\
        1001:x:1003:100:::\nalice:x:1004:1004:::/bin/sh\ncarol:x:60001:100:::/bin/sh\ndora:x:60000:5:::/bin/false\n";

    fn tree(passwd: &str, group: &str, login_defs: &str) -> Snapshot {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("etc")).unwrap();
        for (name, text) in [("passwd", passwd), ("group", group), ("login.defs", login_defs)] {
            std::fs::write(tree.path().join("etc").join(name), text).unwrap();
        }
        // No name service below a root, whatever its nsswitch.conf names.
        std::fs::write(tree.path().join("etc/nsswitch.conf"), "passwd: sss\ngroup: sss\n").unwrap();
        snapshot(&Root::below(tree.path()).unwrap()).unwrap()
    }

    fn uid(typed: &[u8]) -> std::result::Result<u32, Code> {
        find_user(&mut tree(PASSWD, "", ""), typed).map(|a| a.uid.get()).map_err(|e| e.code)
    }

    #[test]
    fn a_name_comes_first_and_plus_is_always_a_uid() {
        assert_eq!(uid(b"alice"), Ok(1001));
        assert_eq!(uid(b"1001"), Ok(1003), "a user may be named like a number");
        assert_eq!(uid(b"+1001"), Ok(1001));
        assert_eq!(uid(b"1002"), Ok(1002));
        assert_eq!(uid(b"0"), Ok(0));
        assert_eq!(uid(b"+1004"), Err(Code::LookupFailed), "a second line of that name");
        assert_eq!(uid(b"+5"), Err(Code::UnknownUser));
        assert_eq!(uid(b"007"), Err(Code::UnknownUser));
        for bad in [&b""[..], b"+", b"+x", b"+-1", b"+4294967296", b"-v", b"a:b", b"a\nb", b"../x"] {
            assert_eq!(uid(bad), Err(Code::InvalidName), "{}", crate::text::escape(bad));
        }
    }

    #[test]
    fn an_unknown_name_gets_the_name_most_like_it() {
        let fix = |typed: &[u8]| find_user(&mut tree(PASSWD, "", ""), typed).unwrap_err().fix;
        assert_eq!(fix(b"alcie"), "did you mean 'alice'?");
        assert_eq!(fix(b"mallory"), "getent passwd lists the users of this host");
        assert_eq!(fix(b"Carol"), "did you mean 'carol'?");
        assert_eq!(fix(b"xb"), "getent passwd lists the users of this host");
    }

    #[test]
    fn a_group_has_its_members_and_those_whose_primary_group_it_is() {
        let groups = "users:x:100:\nadm:x:4:bob,ghost,1002,alice,bob\nnone:x:7:\nghosts:x:8:ghost\n";
        let names = |group: &[u8]| {
            let found = group_members(&mut tree(PASSWD, groups, ""), group);
            found
                .map(|all| all.iter().map(|a| a.name.to_string()).collect::<Vec<_>>().join(" "))
                .map_err(|e| e.code)
        };
        assert_eq!(names(b"users").as_deref(), Ok("alice 1001 carol"));
        assert_eq!(names(b"adm").as_deref(), Ok("bob alice"));
        assert_eq!(names(b"none"), Err(Code::EmptyGroup));
        assert_eq!(names(b"ghosts"), Err(Code::EmptyGroup));
        assert_eq!(names(b"nowhere"), Err(Code::UnknownUser));
    }

    #[test]
    fn people_have_a_shell_and_a_uid_in_the_bounds() {
        let names = |login_defs: &str, exclude: &[Login]| {
            let all = login_accounts(&tree(PASSWD, "", login_defs), exclude);
            all.iter().map(|a| a.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("", &[]), "alice 1001");
        assert_eq!(names("", &[Login::new(b"alice").unwrap()]), "1001");
        assert_eq!(names("UID_MIN 1002\nUID_MAX 70000\n", &[]), "1001 carol");
    }

    #[test]
    fn sixty_thousand_accounts_are_read() {
        let all = 0..60_000;
        let passwd =
            all.clone().map(|i| format!("u{i}:x:{}:100:::/bin/sh\n", i + 1000)).collect::<Vec<_>>().concat();
        let group = all.map(|i| format!("g{i}:x:{}:u{i}\n", i + 1000)).collect::<Vec<_>>().concat();
        let mut snapshot = tree(&passwd, &group, "UID_MAX 100000\n");
        assert_eq!(login_accounts(&snapshot, &[]).len(), 60_000);
        assert_eq!(find_user(&mut snapshot, b"u59999").unwrap().uid.get(), 60_999);
        assert_eq!(find_user(&mut snapshot, b"u59_999").unwrap_err().code, Code::UnknownUser);
    }
}
