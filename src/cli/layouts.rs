//! A site's own layouts of mail ballot files: the TOML files of the folder `layouts` beside the configuration in use.
//!
//! A file adds a layout. It cannot take the place of one that is compiled in: the ledger keeps the name of the layout by which a
//! file was read, and a name must mean the same in every county's record.

use super::site::{self, Broken, Site, stem};
use crate::ledger::{Layout, LayoutFault};
use std::path::Path;

/// The folder beside the configuration.
const FOLDER: &str = "layouts";

/// Where a site's own layouts lie.
#[derive(Debug, Clone)]
pub(super) struct Layouts {
    site: Site,
}

/// Why there is no layout of a name.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLayout {
    /// Nothing is called so.
    #[error("there is no layout {wanted}; there are {known}", known = .known.join(", "))]
    Unknown {
        /// The name.
        wanted: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Its file is no layout.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Broken(Vec<Broken>),
}

impl Layouts {
    /// Those that go with that configuration.
    pub(super) fn beside(config: Option<&Path>) -> Self {
        Self { site: Site::beside(config, FOLDER) }
    }

    /// The layout of that name.
    pub(super) fn find(&self, name: &str) -> Result<Layout, NoLayout> {
        if let Some(layout) = Layout::named(name) {
            return Ok(layout);
        }
        let own = self.site.file(name).map_or(Ok(None), |file| read(&file));
        own.map_err(NoLayout::Broken)?
            .ok_or_else(|| NoLayout::Unknown { wanted: name.to_owned(), known: self.names() })
    }

    /// Everything that is wrong with the files, in the order of their names.
    pub(super) fn broken(&self) -> Vec<Broken> {
        match self.site.files() {
            Ok(files) => files.iter().filter_map(|file| read(file).err()).flatten().collect(),
            Err(broken) => vec![broken],
        }
    }

    fn names(&self) -> Vec<String> {
        let files = self.site.files().unwrap_or_default();
        let own = files.iter().filter_map(|file| stem(file)).map(str::to_owned);
        Layout::names().map(str::to_owned).chain(own).collect()
    }
}

/// The layout of a file; nothing where there is no such file.
fn read(file: &Path) -> Result<Option<Layout>, Vec<Broken>> {
    let Some(text) = site::read(file).map_err(|broken| vec![broken])? else { return Ok(None) };
    let layout = Layout::parse(&text).map_err(|faults| {
        let broken = |LayoutFault { line, column, message }: &LayoutFault| {
            Broken::at(file, (*line, *column), message.clone())
        };
        faults.as_slice().iter().map(broken).collect::<Vec<_>>()
    })?;
    let name = layout.name();
    let why = if stem(file) != Some(name) {
        format!("it is named {name}, unlike its file")
    } else if Layout::names().any(|shipped| shipped == name) {
        format!("{name} is a layout of our own, which none can replace: name it otherwise")
    } else {
        return Ok(Some(layout));
    };
    Err(vec![Broken::whole(file, why)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const OWN: &str = "name = 'own'\n[columns]\nvoter = 'V'\n";

    #[test]
    fn a_file_adds_a_layout_and_replaces_none() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(FOLDER);
        fs::create_dir(&folder).unwrap();
        let generic = OWN.replace("own", "generic");
        let faulty = "name = 'faulty'\ndates = 'x'\n[columns]\nvoter = 7\n";
        for (name, text) in [
            ("own.toml", OWN),
            ("generic.toml", &generic),
            ("other.toml", OWN),
            ("faulty.toml", faulty),
        ] {
            fs::write(folder.join(name), text).unwrap();
        }
        let layouts = Layouts::beside(Some(&dir.path().join("config.toml")));
        assert_eq!(layouts.find("own").unwrap().name(), "own");
        assert_eq!(layouts.find("generic").unwrap(), Layout::named("generic").unwrap());
        let shown =
            |broken: &Broken| broken.to_string().replace(&format!("{}/", folder.display()), "");
        let broken: Vec<_> = layouts.broken().iter().map(shown).collect();
        assert_eq!(broken.len(), 5, "{broken:#?}");
        assert!(broken[0].starts_with("faulty.toml:2:9: dates: \"x\" is no form"), "{}", broken[0]);
        assert_eq!(broken[2], "faulty.toml:4:9: voter: not a text in quotes");
        assert!(broken[3].starts_with("generic.toml:1:1: generic is a layout of our own"));
        assert_eq!(broken[4], "other.toml:1:1: it is named own, unlike its file");
        let error = layouts.find("faulty").unwrap_err();
        assert_eq!(error.to_string().lines().count(), 3, "{error}");
    }

    #[test]
    fn an_unknown_name_is_told_with_those_there_are() {
        for name in ["nowhere", "../own", ""] {
            let error = Layouts::beside(None).find(name).unwrap_err();
            let known = "ballottrax-status, ce-068, generic, nc-absentee, vr-systems";
            assert_eq!(error.to_string(), format!("there is no layout {name}; there are {known}"));
        }
    }
}
