//! What strace saw.

/// System calls, one line each as strace writes them, without the pid.
#[derive(Debug)]
pub(crate) struct Trace(Vec<String>);

/// The calls that open a file or change what a path means.
pub(crate) const FILE_CALLS: &str = "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,\
    symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,truncate,ftruncate,chmod,fchmod,fchmodat,chown,fchown,fchownat,\
    lchown,mknod,mknodat,mount,setxattr,fsetxattr,utimensat";

impl Trace {
    /// Reads strace's log. A call that another thread interrupted is on two lines, and is judged by both.
    pub(crate) fn parse(log: &str) -> Self {
        Self(
            log.lines()
                .map(|line| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').to_owned())
                .collect(),
        )
    }

    /// Calls that have this text.
    pub(crate) fn with(&self, text: &str) -> Vec<&str> {
        self.0.iter().map(String::as_str).filter(|call| call.contains(text)).collect()
    }

    /// Calls that open a file for writing, or change a file or folder; devices aside.
    pub(crate) fn writes(&self) -> Vec<&str> {
        let opens = |call: &str| ["open(", "openat(", "openat2("].iter().any(|name| call.starts_with(name));
        let writing = |call: &str| {
            ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE"].iter().any(|flag| call.contains(flag))
        };
        let resumed = |call: &str| call.starts_with("<...");
        self.0
            .iter()
            .map(String::as_str)
            .filter(|call| !call.contains("\"/dev/null\"") && !call.contains("\"/dev/tty\""))
            .filter(|call| if opens(call) || resumed(call) { writing(call) } else { call.contains('(') })
            .collect()
    }
}
