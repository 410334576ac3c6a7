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

    /// The clerk's page and what all have, and the other pages.
    const fn texts(self) -> [&'static str; 2] {
        match self {
            Self::En => [include_str!("words/en.toml"), include_str!("words/en-pages.toml")],
            Self::Es => [include_str!("words/es.toml"), include_str!("words/es-pages.toml")],
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
