//! The sources of the manual to roff: a few marks, so that whoever corrects a sentence needs no macros.
//!
//! ```text
//! # HEADING          a section; ## a part of it
//! $ command          an example; the lines below say what it does
//! - TERM: text       an entry of a list
//! ```                what is shown as it is, between two such lines
//! `bold` *italic*    inside a line; blank lines part paragraphs
//! ```

/// Columns of the roff source: mandoc's lint asks for no more than 80.
const WIDTH: usize = 78;

/// The source as roff.
pub(super) fn roff(source: &str) -> String {
    let mut page = Page::default();
    let mut verbatim = false;
    for line in source.lines() {
        if line == "```" {
            page.end();
            if !verbatim && !after_heading(&page.out) {
                page.out.push_str(".PP\n");
            }
            page.out.push_str(if verbatim { ".EE\n.RE\n" } else { ".RS 4\n.EX\n" });
            verbatim = !verbatim;
        } else if verbatim {
            page.out.push_str(&guarded(&code(line)));
            page.out.push('\n');
        } else {
            page.line(line);
        }
    }
    page.end();
    page.out
}

#[derive(Default)]
struct Page {
    out: String,
    /// Words of the paragraph that is being read.
    text: String,
    /// A blank line was seen, and text may follow.
    parted: bool,
    /// The last thing was an example without its text.
    example: bool,
}

impl Page {
    fn line(&mut self, line: &str) {
        if let Some(part) = line.strip_prefix("## ") {
            self.heading(".SS", part);
        } else if let Some(section) = line.strip_prefix("# ") {
            self.heading(".SH", section);
        } else if let Some(command) = line.strip_prefix("$ ") {
            // Several commands may share a text.
            let shares = self.example && self.text.is_empty();
            self.end();
            self.out.push_str(&format!(
                "{}\n\\fB{}\\fR\n",
                if shares { ".TQ" } else { ".TP" },
                code(command)
            ));
            (self.parted, self.example) = (false, true);
        } else if let Some((term, text)) = line.strip_prefix("- ").and_then(|entry| entry.split_once(": ")) {
            self.end();
            self.out.push_str(&format!(".TP\n{}\n", inline(term)));
            (self.parted, self.example) = (false, false);
            self.words(text);
        } else if line.is_empty() {
            self.end();
            self.parted = true;
        } else {
            if self.parted && self.text.is_empty() && !after_heading(&self.out) {
                self.out.push_str(".PP\n");
            }
            (self.parted, self.example) = (false, false);
            self.words(line);
        }
    }

    fn heading(&mut self, request: &str, title: &str) {
        self.end();
        self.out.push_str(&format!("{request} {}\n", inline(title)));
        (self.parted, self.example) = (false, false);
    }

    fn words(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Ends a paragraph: it is filled, each sentence on a line of its own.
    fn end(&mut self) {
        let mut line = String::new();
        for word in inline(&std::mem::take(&mut self.text)).split_whitespace() {
            if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
                self.put(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            if word.ends_with('.') || word.ends_with(".\\fR") {
                self.put(&line);
                line.clear();
            }
        }
        self.put(&line);
    }

    fn put(&mut self, line: &str) {
        if !line.is_empty() {
            self.out.push_str(&guarded(line));
            self.out.push('\n');
        }
    }
}

fn after_heading(out: &str) -> bool {
    out.lines().last().is_none_or(|line| line.starts_with(".SH") || line.starts_with(".SS"))
}

/// A line that is no request, whatever it begins with.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

/// What is typed: each `-` is a minus.
fn code(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// Bold and italic.
fn inline(line: &str) -> String {
    let mut out = String::new();
    let mut font = None;
    for c in line.chars() {
        match (c, font) {
            ('`' | '*', None) => {
                out.push_str(if c == '`' { "\\fB" } else { "\\fI" });
                font = Some(c);
            }
            (c, Some(open)) if c == open => {
                out.push_str("\\fR");
                font = None;
            }
            ('\\', _) => out.push_str("\\e"),
            ('-', Some(_)) => out.push_str("\\-"),
            (c, _) => out.push(c),
        }
    }
    assert_eq!(font, None, "a mark does not close: {line}");
    out
}

#[test]
fn marks_become_requests() {
    let source = "# A\n$ x --y\n$ x -z\nDoes `it --so`.\nTwice.\n\n- `k`: a *b*\n\nOn.\n```\n.x -\n```\n";
    let page = ".SH A\n.TP\n\\fBx \\-\\-y\\fR\n.TQ\n\\fBx \\-z\\fR\nDoes \\fBit \\-\\-so\\fR.\nTwice.\n\
        .TP\n\\fBk\\fR\na \\fIb\\fR\n.PP\nOn.\n.PP\n.RS 4\n.EX\n\\&.x \\-\n.EE\n.RE\n";
    assert_eq!(roff(source), page);
}
