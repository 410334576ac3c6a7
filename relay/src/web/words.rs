//! Every text of the pages by its key, in each language.

use axum::http::HeaderMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A language of the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    /// English.
    En,
    /// Spanish.
    Es,
}

impl Lang {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::En, Self::Es];

    /// Its name in `lang` attributes and in the cookie.
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Es => "es",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::En => include_str!("words/en.toml"),
            Self::Es => include_str!("words/es.toml"),
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.name() == name)
    }

    /// The first of `Accept-Language` that there is.
    pub fn accepted(headers: &HeaderMap) -> Self {
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
pub struct Lexicon(Arc<[(Lang, BTreeMap<String, String>)]>);

/// The words of one language.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// Which language.
    pub lang: Lang,
    texts: Option<&'a BTreeMap<String, String>>,
}

impl Lexicon {
    /// Those that are compiled in.
    pub fn built_in() -> Result<Self, WordsError> {
        let mut languages = Vec::new();
        for lang in Lang::ALL {
            let mut texts = BTreeMap::new();
            let table: toml::Table =
                toml::from_str(lang.text()).map_err(|e| WordsError::Toml(lang.name(), e))?;
            flatten("", &table, &mut texts);
            languages.push((lang, texts));
        }
        Ok(Self(languages.into()))
    }

    /// Those of one language.
    pub fn words(&self, lang: Lang) -> Words<'_> {
        let texts = self.0.iter().find(|(of, _)| *of == lang).map(|(_, texts)| texts);
        Words { lang, texts }
    }
}

impl<'a> Words<'a> {
    /// The text of a key; the key itself where there is none, which a test does not let happen.
    pub fn of<'k>(&self, key: &'k str) -> &'k str
    where
        'a: 'k,
    {
        self.find(key).unwrap_or(key)
    }

    /// The text of a key, if there is one.
    pub fn find(&self, key: &str) -> Option<&'a str> {
        self.texts.and_then(|texts| texts.get(key)).map(String::as_str)
    }

    /// The text with `{name}` replaced.
    pub fn with(&self, key: &str, values: &[(&str, &str)]) -> String {
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
    use crate::news::{Channel, Kind};
    use crate::web::Role;
    use relay_wire::Status;
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
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut named = 0;
        for folder in
            ["web", "web/templates", "pages", "pages/templates", "office", "office/templates"]
        {
            for entry in fs::read_dir(source.join(folder)).unwrap() {
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

    #[test]
    fn every_name_that_the_relay_knows_has_words() {
        let keys = keys(Lang::En);
        let kinds = Kind::ALL.iter().map(|kind| format!("kind.{kind}"));
        let channels = Channel::ALL.iter().map(|channel| format!("channel.{channel}"));
        let statuses = Status::ALL.iter().map(|status| format!("ballot.{status}"));
        let roles = Role::ALL.iter().map(|role| format!("people.{}", role.name()));
        let alarms = raised().into_iter().map(|kind| format!("alarm.{kind}"));
        for key in kinds.chain(channels).chain(statuses).chain(roles).chain(alarms) {
            assert!(keys.contains(&key), "{key}");
        }
    }

    /// The kinds of alarms that the code raises.
    fn raised() -> BTreeSet<String> {
        let mut kinds = BTreeSet::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let Ok(text) = fs::read_to_string(&path) else {
                    folders.push(path);
                    continue;
                };
                for rest in text.split("Alarm {").skip(1) {
                    let kind =
                        rest.split_once("kind: \"").and_then(|(_, rest)| rest.split('"').next());
                    kinds.extend(
                        kind.filter(|kind| {
                            kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                        })
                        .map(str::to_owned),
                    );
                }
            }
        }
        assert!(kinds.len() > 4, "{kinds:?}");
        kinds
    }

    #[test]
    fn what_varies_is_put_in_and_never_looked_at_again() {
        let lexicon = Lexicon::built_in().unwrap();
        let words = lexicon.words(Lang::En);
        let text = words.with("bulk.progress", &[("made", "{target}"), ("target", "9")]);
        assert_eq!(text, "Written out: {target} of 9");
        assert_eq!(words.of("no.such.key"), "no.such.key");
    }
}
