//! A PDF file (ISO 32000-1) of text in Helvetica and black rectangles: as much of it as labels need.
//!
//! Lengths are points, 72 to the inch, from the lower left corner of the page. Nothing is compressed, so a sheet can be checked by
//! reading it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// US letter.
pub(crate) const PAGE_PT: [f64; 2] = [612.0, 792.0];

/// The objects before the first page: the catalog, the list of pages, and two fonts.
const OBJECTS_BEFORE: usize = 4;

/// A point on the page.
pub(crate) type Point = [f64; 2];

/// How bold a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Helvetica.
    Plain,
    /// Helvetica-Bold.
    Bold,
}

/// One page in the making.
#[derive(Debug, Default)]
pub(crate) struct Page {
    content: String,
}

impl Page {
    /// Writes a line of text that begins there; what is not ASCII becomes `?`.
    pub(crate) fn text(&mut self, [x, y]: Point, size: f64, weight: Weight, text: &str) {
        let font = match weight {
            Weight::Plain => "P",
            Weight::Bold => "B",
        };
        let escaped = text.chars().fold(String::new(), |mut line, c| {
            match c {
                '(' | ')' | '\\' => line.extend(['\\', c]),
                ' '..='~' => line.push(c),
                _ => line.push('?'),
            }
            line
        });
        self.say(format_args!("BT /{font} {size:.2} Tf {x:.2} {y:.2} Td ({escaped}) Tj ET"));
    }

    /// Fills rectangles, each with its lower left corner, width and height.
    pub(crate) fn fill(&mut self, rectangles: &[[f64; 4]]) {
        for [x, y, width, height] in rectangles {
            self.say(format_args!("{x:.3} {y:.3} {width:.3} {height:.3} re"));
        }
        if !rectangles.is_empty() {
            self.say(format_args!("f"));
        }
    }

    fn say(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        if writeln!(self.content, "{what}").is_err() {
            self.content.clear();
        }
    }
}

/// The file with these pages.
pub(crate) fn file(pages: &[Page]) -> Vec<u8> {
    let page_number = |n: usize| OBJECTS_BEFORE + 1 + 2 * n;
    let kids: Vec<_> = (0..pages.len()).map(|n| format!("{} 0 R", page_number(n))).collect();
    let font = |name: &str| {
        format!("<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>")
    };
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Count {} /Kids [{}] >>", pages.len(), kids.join(" ")),
        font("Helvetica"),
        font("Helvetica-Bold"),
    ];
    let [width, height] = PAGE_PT;
    for (n, page) in pages.iter().enumerate() {
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] \
             /Resources << /Font << /P 3 0 R /B 4 0 R >> >> /Contents {} 0 R >>",
            page_number(n) + 1
        ));
        let content = &page.content;
        objects.push(format!("<< /Length {} >>\nstream\n{content}endstream", content.len()));
    }
    let mut text = "%PDF-1.4\n".to_owned();
    let mut table = vec!["0000000000 65535 f \n".to_owned()];
    for (n, object) in objects.iter().enumerate() {
        table.push(format!("{:010} 00000 n \n", text.len()));
        text.extend([(n + 1).to_string().as_str(), " 0 obj\n", object.as_str(), "\nendobj\n"]);
    }
    let (start, size) = (text.len(), table.len());
    let end = format!(
        "xref\n0 {size}\n{}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n",
        table.concat()
    );
    (text + &end).into_bytes()
}

/// Writes it for its owner only, for a sheet is as good as a key, and puts it in place when it is whole.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
