//! Small C programs of the tests' own, for what no installed tool does.

use std::collections::HashMap;
use std::sync::Mutex;

use super::Sandbox;

impl Sandbox {
    /// Compiles a source, once for all tests, and puts the result at a path of the sandbox, mode 0755. `flags` are
    /// the compiler's, beside those that make every warning an error.
    pub(crate) fn install(&self, path: &str, source: &'static str, flags: &[&str]) {
        static BUILT: Mutex<Option<HashMap<&str, Vec<u8>>>> = Mutex::new(None);
        // A test that fails here leaves nothing half done.
        let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let program =
            built.get_or_insert_with(HashMap::new).entry(source).or_insert_with(|| compiled(source, flags));
        self.write(path, program);
        self.run(&format!("chmod 755 {path}")).ok();
    }
}

fn compiled(source: &str, flags: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let [text, program] = ["program.c", "program"].map(|name| folder.path().join(name));
    std::fs::write(&text, source).unwrap();
    let mut cc = std::process::Command::new("cc");
    cc.args(["-O1", "-Wall", "-Wextra", "-Werror"]).args(flags).arg("-o").args([&program, &text]);
    assert!(cc.status().unwrap().success(), "it does not compile:\n{source}");
    std::fs::read(program).unwrap()
}
