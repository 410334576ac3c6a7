//! Every text of the pages by its key, in each language.

use axum::http::HeaderMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A language of the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Lang {
    #[default]
    En,
    Es,
}

impl Lang {
    pub(super) const ALL: [Self; 2] = [Self::En, Self::Es];

    /// Its name in `lang` attributes and in the cookie.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Es => "es",
        }
    }

    /// The clerk's page and what all have, the other pages, and refusals.
    const fn texts(self) -> [&'static str; 3] {
        match self {
            Self::En => [
                include_str!("words/en.toml"),
                include_str!("words/en-pages.toml"),
                include_str!("words/en-refusals.toml"),
            ],
            Self::Es => [
                include_str!("words/es.toml"),
                include_str!("words/es-pages.toml"),
                include_str!("words/es-refusals.toml"),
            ],
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.name() == name)
    }

    /// The first of `Accept-Language` that there is.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let accepted = headers.get("accept-language").and_then(|value| value.to_str().ok());
        let mut tags = accepted.unwrap_or_default().split(',').map(|tag| {
            let tag = tag.split(';').next().unwrap_or_default().trim();
            tag.split('-').next().unwrap_or_default().to_ascii_lowercase()
        });
        tags.find_map(|tag| Self::from_name(&tag)).unwrap_or_default()
    }
}

/// Why the words cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WordsError {
    /// They are no TOML.
    #[error("the words of {0} are no TOML")]
    Toml(&'static str, #[source] toml::de::Error),
}

/// The words of all languages.
#[derive(Debug, Clone)]
pub(super) struct Lexicon(Arc<[(Lang, BTreeMap<String, String>)]>);

/// The words of one language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) lang: Lang,
    texts: Option<&'a BTreeMap<String, String>>,
}

impl Lexicon {
    pub(super) fn built_in() -> Result<Self, WordsError> {
        let mut languages = Vec::new();
        for lang in Lang::ALL {
            let mut texts = BTreeMap::new();
            for text in lang.texts() {
                let table: toml::Table =
                    toml::from_str(text).map_err(|e| WordsError::Toml(lang.name(), e))?;
                flatten("", &table, &mut texts);
            }
            languages.push((lang, texts));
        }
        Ok(Self(languages.into()))
    }

    pub(super) fn words(&self, lang: Lang) -> Words<'_> {
        let texts = self.0.iter().find(|(of, _)| *of == lang).map(|(_, texts)| texts);
        Words { lang, texts }
    }
}

impl<'a> Words<'a> {
    /// The text of a key; the key itself where there is none, which a test does not let happen.
    pub(super) fn of<'k>(&self, key: &'k str) -> &'k str
    where
        'a: 'k,
    {
        self.find(key).unwrap_or(key)
    }

    /// The text of a key, if there is one.
    pub(super) fn find(&self, key: &str) -> Option<&'a str> {
        self.texts.and_then(|texts| texts.get(key)).map(String::as_str)
    }

    /// The text with `{name}` replaced.
    pub(super) fn with(&self, key: &str, values: &[(&str, &str)]) -> String {
        let mut text = String::new();
        let mut rest = self.of(key);
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            let value = values.iter().find(|(known, _)| *known == name);
            text.push_str(value.map_or("", |(_, value)| *value));
            rest = after;
        }
        text.push_str(rest);
        text
    }
}

fn flatten(prefix: &str, table: &toml::Table, into: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(table) => flatten(&key, table, into),
            toml::Value::String(text) => drop(into.insert(key, text.clone())),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ballot::{Mode, Status};
    use crate::ledger::Role;
    use crate::reason::Reason;
    use crate::scan::Verdict;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    fn keys(lang: Lang) -> BTreeSet<String> {
        let lexicon = Lexicon::built_in().unwrap();
        lexicon.words(lang).texts.unwrap().keys().cloned().collect()
    }

    /// What varies in a text.
    fn holes(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn every_language_has_every_key_with_the_same_holes() {
        let lexicon = Lexicon::built_in().unwrap();
        let english = keys(Lang::En);
        for lang in Lang::ALL {
            assert_eq!(keys(lang), english);
            for key in &english {
                let [ours, theirs] = [Lang::En, lang].map(|lang| lexicon.words(lang).of(key));
                assert_eq!(holes(ours), holes(theirs), "{key} in {}", lang.name());
                assert!(!theirs.trim().is_empty(), "{key} in {}", lang.name());
            }
        }
    }

    #[test]
    fn every_key_that_a_template_or_the_code_names_is_there() {
        let keys = keys(Lang::En);
        let desk = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/desk");
        let mut named = 0;
        for folder in [desk.clone(), desk.join("templates")] {
            for entry in fs::read_dir(folder).unwrap() {
                let Ok(text) = fs::read_to_string(entry.unwrap().path()) else { continue };
                let text = text.split("#[cfg(test)]").next().unwrap();
                for call in [".t(\"", ".of(\"", ".with(\"", ".frame(\"", "title: \""] {
                    for rest in text.split(call).skip(1) {
                        let key = rest.split('"').next().unwrap();
                        assert!(keys.contains(key) || call.contains(key), "{key}");
                        named += 1;
                    }
                }
            }
        }
        assert!(named > 30, "{named}");
    }

    /// The text of every source file below.
    fn sources(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| {
                if path.is_dir() {
                    sources(&path)
                } else {
                    vec![fs::read_to_string(path).unwrap_or_default()]
                }
            })
            .collect()
    }

    /// What is in double quotes, in order.
    fn quoted(text: &str) -> impl Iterator<Item = &str> {
        text.split('"').skip(1).step_by(2)
    }

    /// A refusal is told by its code: each that is anywhere in the code has words, and they have holes for what varies in it.
    #[test]
    fn every_refusal_has_words_in_every_language() {
        let lexicon = Lexicon::built_in().unwrap();
        let english = lexicon.words(Lang::En);
        let mut codes = BTreeSet::from(["in_english".to_owned()]);
        for text in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
            let text = text
                .split("#[cfg(test)]")
                .next()
                .unwrap()
                .replace("coded(SIGN_IN_LOCKED,", "coded(\"sign_in_locked\",");
            for call in
                text.split("coded(").skip(1).filter(|call| call.trim_start().starts_with('"'))
            {
                let call = call.split(']').next().unwrap();
                let mut names = quoted(call);
                let code = names.next().unwrap();
                let key = format!("refused.{code}");
                let words = english.find(&key).unwrap_or_else(|| panic!("{key} has no words"));
                let varies: BTreeSet<_> = names.collect();
                assert_eq!(holes(words), varies, "{key}");
                codes.insert(code.to_owned());
            }
        }
        let known: BTreeSet<_> = keys(Lang::En)
            .iter()
            .filter_map(|key| key.strip_prefix("refused.").map(str::to_owned))
            .collect();
        assert_eq!(known, codes);
        for lang in Lang::ALL {
            assert!(keys(lang).is_superset(&keys(Lang::En)), "{}", lang.name());
        }
    }

    #[test]
    fn whatever_a_form_lacks_has_words_and_no_words_are_idle() {
        let mut named = BTreeSet::new();
        let desk = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/desk");
        for text in sources(&desk) {
            let text = text.split("#[cfg(test)]").next().unwrap();
            for rest in text.split("Malformed(\"").skip(1).chain(text.split("none(\"").skip(1)) {
                named.insert(format!("malformed.{}", rest.split('"').next().unwrap()));
            }
            for call in text.split("needed(").skip(1) {
                let call = call.split(')').next().unwrap();
                named.extend(quoted(call).nth(1).map(|key| format!("malformed.{key}")));
            }
        }
        let keys = keys(Lang::En);
        let known: BTreeSet<_> =
            keys.into_iter().filter(|key| key.starts_with("malformed.")).collect();
        assert_eq!(named, known);
    }

    #[test]
    fn every_name_that_the_station_knows_has_words() {
        let keys = keys(Lang::En);
        let names = |group: &str, names: &[&str], end: &str| -> Vec<String> {
            names.iter().map(|name| format!("{group}.{name}{end}")).collect()
        };
        for key in [
            names("verdict", &Verdict::ALL.map(Verdict::name), ".says"),
            names("status", &Status::ALL.map(Status::name), ""),
            names("mode", &Mode::ALL.map(Mode::name), ""),
            names("reason", &Reason::ALL.map(Reason::name), ""),
            names("role", &Role::ALL.map(Role::name), ""),
            names("received_by", &["mail", "drop_box", "in_person", "other"], ""),
            names("short", &Verdict::ALL.map(Verdict::name), ""),
            names("short", &["difference", "to_pull"], ""),
            names("exceptions", &["by_file", "by_person"], ""),
        ]
        .concat()
        {
            assert!(keys.contains(&key), "{key}");
        }
    }

    #[test]
    fn what_varies_is_put_in_and_never_looked_at_again() {
        let lexicon = Lexicon::built_in().unwrap();
        let words = lexicon.words(Lang::En);
        let text = words.with("detail.earlier", &[("at", "{by}"), ("by", "left")]);
        assert_eq!(text, "{by}, left");
        assert_eq!(words.of("no.such.key"), "no.such.key");
    }
}
