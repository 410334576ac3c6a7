//! Rust source as the rules see it: comments and literals blanked, tests apart, every character in its place.

use std::path::Path;

/// A file.
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// The code outside of tests; the rest is blank.
    pub(crate) outside_tests: String,
    /// The code of tests; the rest is blank.
    pub(crate) tests: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = if is_rust(path) { blanked(text) } else { String::new() };
        let is_test = path.starts_with("tests/") || path.contains("/tests/");
        let (outside_tests, tests) =
            if is_test { (blank(&code), code) } else { split_at_tests(&code) };
        Self { path: path.to_owned(), text: text.to_owned(), outside_tests, tests }
    }

    pub(crate) fn is_rust(&self) -> bool {
        is_rust(&self.path)
    }

    /// A complaint about the character at `offset`.
    pub(crate) fn complaint(&self, offset: usize, what: &str) -> String {
        let line = self.text.chars().take(offset).filter(|c| *c == '\n').count() + 1;
        format!("{}:{line}: {what}", self.path)
    }
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// The text with comments and what stands in literals blanked; a character for a character.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let literal = literal_end(&chars, at);
        let Some(end) = literal.or_else(|| comment_end(&chars, at)) else {
            code.push(chars[at]);
            at += 1;
            continue;
        };
        for (index, &c) in chars.iter().enumerate().take(end).skip(at) {
            let is_quote = literal.is_some() && (index == at || index + 1 == end);
            code.push(if is_quote || c == '\n' { c } else { ' ' });
        }
        at = end;
    }
    code
}

fn comment_end(chars: &[char], at: usize) -> Option<usize> {
    match chars.get(at..at + 2)? {
        ['/', '/'] => {
            Some(chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| at + n))
        }
        ['/', '*'] => {
            let mut depth = 0;
            let mut end = at;
            while end < chars.len() {
                match chars.get(end..end + 2) {
                    Some(['/', '*']) => (depth, end) = (depth + 1, end + 2),
                    Some(['*', '/']) => (depth, end) = (depth - 1, end + 2),
                    _ => end += 1,
                }
                if depth == 0 {
                    break;
                }
            }
            Some(end)
        }
        _ => None,
    }
}

fn literal_end(chars: &[char], at: usize) -> Option<usize> {
    let starts_word = at == 0 || !is_word(chars[at - 1]);
    match chars[at] {
        '"' => Some(quoted_end(chars, at, '"')),
        '\'' if chars.get(at + 1) == Some(&'\\') => Some(quoted_end(chars, at, '\'')),
        '\'' if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        'r' if starts_word || matches!(chars[at - 1], 'b' | 'c') => raw_end(chars, at),
        _ => None,
    }
}

fn quoted_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut end = at + 1;
    while end < chars.len() && chars[end] != quote {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(chars.len())
}

fn raw_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return None;
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = at + 2 + hashes;
    let found = chars[body..].windows(closing.len()).position(|window| window == closing);
    Some(found.map_or(chars.len(), |n| body + n + closing.len()))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn blank(code: &str) -> String {
    code.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

/// The code without the items behind `#[cfg(test)]`, and those alone.
fn split_at_tests(code: &str) -> (String, String) {
    let chars: Vec<char> = code.chars().collect();
    let (mut outside, mut tests) = (String::new(), String::new());
    let mut end_of_test = 0;
    for (at, &c) in chars.iter().enumerate() {
        if at >= end_of_test && starts_with(&chars[at..], "#[cfg(test)]") {
            end_of_test = item_end(&chars, at);
        }
        let is_test = at < end_of_test;
        outside.push(if is_test && c != '\n' { ' ' } else { c });
        tests.push(if is_test || c == '\n' { c } else { ' ' });
    }
    (outside, tests)
}

fn starts_with(chars: &[char], text: &str) -> bool {
    text.chars().enumerate().all(|(index, c)| chars.get(index) == Some(&c))
}

/// Where the item that begins at `at` ends: at its `;`, or at the brace that closes its body.
fn item_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, c) in chars.iter().enumerate().skip(at) {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return index + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return index + 1,
            _ => {}
        }
    }
    chars.len()
}

#[test]
fn comments_and_literals_are_blank() {
    for (text, code) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("x\"y")"#, r#"f("    ")"#),
        ("f(r\"x\")", "f(r  \")"),
        ("f(r#\"x\"y\"#)", "f(r      #)"),
        ("f('x', '\\'', '\"')", "f(' ', '  ', ' ')"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("let r#type = \"//\";", "let r#type = \"  \";"),
        ("\"unclosed", "\"       d"),
    ] {
        assert_eq!(blanked(text), code, "{text}");
    }
}

#[test]
fn tests_are_apart() {
    let text = "use a;\n#[cfg(test)]\nmod tests {\n use b; fn f() { g(\"}\") }\n}\nuse c;\n";
    let source = Source::new("src/x.rs", text);
    assert_eq!(source.outside_tests.split_whitespace().collect::<String>(), "usea;usec;");
    assert!(source.tests.contains("use b;") && !source.tests.contains("use c;"));
    let line = Source::new("src/x.rs", "#[cfg(test)]\nmod tests;\nuse c;\n");
    assert_eq!(line.outside_tests.trim(), "use c;");
    let whole = Source::new("tests/x.rs", "use a;");
    assert_eq!((whole.outside_tests.trim(), whole.tests.as_str()), ("", "use a;"));
}
