//! Links between our own pages lead somewhere.

use super::Finding;

/// Every relative link of a Markdown file names a file or folder of the repository, and its
/// fragment, if the target is Markdown, a heading there.
pub(super) fn links_lead_somewhere(
    files: &[String],
    read: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in files.iter().filter(|path| path.ends_with(".md")) {
        let text = read(path).unwrap_or_default();
        for (line, link) in links(&text) {
            if let Some(message) = complaint(path, &text, link, files, &read) {
                findings.push(Finding::new(path, line, "links", message));
            }
        }
    }
    findings
}

fn complaint(
    path: &str,
    text: &str,
    link: &str,
    files: &[String],
    read: &impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let (target, fragment) = link.split_once('#').unwrap_or((link, ""));
    let (target, page) = match target {
        "" => (path.to_owned(), Some(text.to_owned())),
        _ => {
            let target = resolve(path, target);
            let page = target.ends_with(".md").then(|| read(&target)).flatten();
            (target, page)
        }
    };
    let folder = format!("{target}/");
    if !files
        .iter()
        .any(|file| *file == target || file.starts_with(&folder))
    {
        return Some(format!("`{link}` leads nowhere"));
    }
    let page = page.filter(|_| !fragment.is_empty())?;
    let found = headings(&page).any(|heading| heading == fragment);
    (!found).then(|| format!("`{target}` has no heading `#{fragment}`"))
}

/// `](target)` outside of fences, without those that lead out of the repository.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_fence = false;
    let outside = text.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_fence ^= is_fence;
        !in_fence && !is_fence
    });
    outside.flat_map(|(index, line)| {
        let targets = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        targets
            .filter(|target| !target.contains("://"))
            .map(move |target| (index + 1, target))
    })
}

/// A path relative to the folder of `from`.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The fragments by which headings can be linked to: lower case, hyphens for spaces, no
/// punctuation.
fn headings(page: &str) -> impl Iterator<Item = String> {
    let titles = page.lines().filter(|line| line.starts_with('#'));
    titles.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let files = ["README.md", "docs/a.md", "docs/b.txt"].map(str::to_owned);
        let read = |path: &str| {
            let a = "# A page\n## httpng.cfg(options)\n".to_owned();
            Some(if path == "docs/a.md" {
                a
            } else {
                text.to_owned()
            })
        };
        let findings = links_lead_somewhere(&files, read);
        findings
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn good_links_pass() {
        let good = "[a](docs/a.md) [b](docs/b.txt) [d](docs) [c](docs/a.md#httpngcfgoptions)\n\
                    [out](https://example.org/x) [here](#a-heading)\n# A heading\n\
                    ```lua\nx = t[1](gone.md)\n```\n";
        assert_eq!(check(good), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_bite() {
        assert_eq!(check("[a](docs/gone.md)"), ["`docs/gone.md` leads nowhere"]);
        assert_eq!(
            check("[a](docs/a.md#gone)"),
            ["`docs/a.md` has no heading `#gone`"]
        );
        assert_eq!(check("[a](#gone)"), ["`README.md` has no heading `#gone`"]);
    }

    #[test]
    fn targets_are_relative_to_their_page() {
        assert_eq!(resolve("docs/a.md", "../src/lib.rs"), "src/lib.rs");
        assert_eq!(resolve("docs/a.md", "b.md"), "docs/b.md");
        assert_eq!(resolve("README.md", "./docs/"), "docs");
    }
}
