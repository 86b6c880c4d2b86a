//! As much of Markdown as the pages use: headings, paragraphs, list items, tables, code blocks, links.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A page, its path from the root of the repository.
pub struct Page {
    pub path: PathBuf,
    pub text: String,
}

/// A part of a page, and the line that it begins on.
pub struct Block {
    pub line: usize,
    pub kind: Kind,
}

pub enum Kind {
    Heading(String),
    /// A paragraph or a list item, its lines joined.
    Prose(String),
    /// The cells of one row.
    Row(Vec<String>),
    Code {
        language: String,
        text: String,
    },
}

/// Returns the root of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Reads a file by its path from the root.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads the README, the pages for operators and contributors, and all pages of the guide.
pub fn pages() -> Vec<Page> {
    let mut paths = files_under("crates/guide", "md");
    paths.extend(["README.md", "infra/README.md", ".github/CONTRIBUTING.md"].map(PathBuf::from));
    paths.sort();
    let page = |path: PathBuf| Page {
        text: read(&path),
        path,
    };
    paths.into_iter().map(page).collect()
}

/// Reads one page of the guide.
pub fn guide_page(name: &str) -> Page {
    let path = Path::new("crates/guide").join(name);
    Page {
        text: read(&path),
        path,
    }
}

/// Returns the files of a folder, and of those in it, whose names end so; paths from the root.
pub fn files_under(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() && name != "node_modules" && name != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path.strip_prefix(root()).expect("it is below").to_owned());
            }
        }
    }
    found
}

impl Page {
    /// Takes the page apart.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().enumerate();
        let mut open = false; // Whether the last block is prose that goes on.
        while let Some((index, line)) = lines.next() {
            let (line_number, trimmed) = (index + 1, line.trim());
            if let Some(language) = trimmed.strip_prefix("```") {
                let body = lines.by_ref().map(|(_, line)| line);
                let body: Vec<_> = body.take_while(|line| line.trim() != "```").collect();
                let (language, text) = (language.to_owned(), body.join("\n"));
                blocks.push(block(line_number, Kind::Code { language, text }));
                open = false;
            } else if trimmed.is_empty() {
                open = false;
            } else if line.starts_with('#') {
                let heading = line.trim_start_matches('#').trim().to_owned();
                blocks.push(block(line_number, Kind::Heading(heading)));
                open = false;
            } else if trimmed.starts_with('|') {
                blocks.push(block(line_number, Kind::Row(cells(trimmed))));
                open = false;
            } else {
                let text = trimmed.trim_start_matches("> ");
                let item = list_item(text);
                match blocks.last_mut() {
                    Some(Block {
                        kind: Kind::Prose(prose),
                        ..
                    }) if open && item.is_none() => {
                        prose.push(' ');
                        prose.push_str(text);
                    }
                    _ => blocks.push(block(line_number, Kind::Prose(item.unwrap_or(text).to_owned()))),
                }
                open = true;
            }
        }
        blocks
    }

    /// Returns the blocks below the heading of this text, up to the next heading.
    pub fn section(&self, title: &str) -> Option<Vec<Block>> {
        let mut blocks = self.blocks().into_iter();
        blocks.find(|block| matches!(&block.kind, Kind::Heading(heading) if heading == title))?;
        Some(
            blocks
                .take_while(|block| !matches!(block.kind, Kind::Heading(_)))
                .collect(),
        )
    }

    /// Returns the anchors of the page's headings, as repositories' web views make them.
    pub fn anchors(&self) -> Vec<String> {
        let headings = self.blocks().into_iter().filter_map(|block| match block.kind {
            Kind::Heading(heading) => Some(anchor(&heading)),
            _ => None,
        });
        headings.collect()
    }

    /// Returns the text outside of code blocks.
    pub fn prose(&self) -> String {
        let mut code = false;
        let outside = |line: &&str| {
            let fence = line.trim().starts_with("```");
            code ^= fence;
            !code && !fence
        };
        self.text.lines().filter(outside).collect::<Vec<_>>().join("\n")
    }
}

/// Returns what stands between backticks.
pub fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Returns text and target of each link and picture outside of code spans.
pub fn links(text: &str) -> Vec<(String, String)> {
    let outside: String = (text.split('`').enumerate())
        .map(|(index, part)| if index % 2 == 0 { part } else { "code" })
        .collect();
    let found = outside.match_indices("](").filter_map(|(middle, _)| {
        let start = outside[..middle].rfind('[')?;
        let target = outside[middle + 2..].split(')').next()?;
        Some((outside[start + 1..middle].to_owned(), target.to_owned()))
    });
    found.collect()
}

fn block(line: usize, kind: Kind) -> Block {
    Block { line, kind }
}

fn cells(row: &str) -> Vec<String> {
    let inside = row.trim_matches('|');
    inside.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// Returns the text of a list item; `None` for a line that begins none.
fn list_item(line: &str) -> Option<&str> {
    let (marker, text) = line.split_once(' ')?;
    let number = marker.strip_suffix('.').unwrap_or_default();
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (marker == "-" || marker == "*" || numbered).then(|| text.trim_start())
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
