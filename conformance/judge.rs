//! Cases of conformance, and whether what a server answered is what a case expects. Included by the
//! tests of the worker and by those of the whole server.

/// One case of `cases.txt`.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) input: Vec<u8>,
    answers: Vec<Expected>,
    /// The line that says what is expected.
    #[allow(dead_code, reason = "for those who print it")]
    pub(crate) expected: String,
    /// Whether the connection serves another request afterwards.
    pub(crate) stays: bool,
}

/// What one answer must be.
#[derive(Debug)]
struct Expected {
    status: u16,
    /// The request was HEAD.
    is_bodiless: bool,
    has: Vec<String>,
    lacks: Vec<String>,
    body: Option<String>,
}

/// One answer, taken apart.
#[derive(Debug)]
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

/// All cases, in their order.
pub(crate) fn cases() -> Vec<Case> {
    let text = include_str!("cases.txt");
    let mut cases = Vec::new();
    let mut lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    while let Some(name) = lines.next() {
        let name = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        let name = name.expect("a case begins with its name").to_owned();
        let mut input = Vec::new();
        let expected = loop {
            let line = lines.next().expect("a case ends with what is expected");
            match line.strip_prefix("=> ") {
                Some(expected) => break expected,
                None => unescape(line, &mut input),
            }
        };
        let (answers, fate) = expected.rsplit_once(' ').expect("answers, then a fate");
        assert!(matches!(fate, "open" | "closed"), "{name}: {fate}");
        cases.push(Case {
            name,
            input,
            answers: answers.split(' ').map(Expected::of).collect(),
            expected: expected.to_owned(),
            stays: fate == "open",
        });
    }
    cases
}

/// `|` is CR LF; `\r`, `\n`, `\t`, `\0`, `\\`, `\p` (a bar), `\xHH` are single bytes, and
/// `\*N*TEXT*` is TEXT so many times. The ends of lines in the file mean nothing.
fn unescape(line: &str, out: &mut Vec<u8>) {
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        if first == '|' {
            out.extend_from_slice(b"\r\n");
        } else if first != '\\' {
            out.extend_from_slice(first.to_string().as_bytes());
        } else if let Some(repeated) = rest.strip_prefix('*') {
            let parts: Vec<&str> = repeated.splitn(3, '*').collect();
            let mut piece = Vec::new();
            unescape(parts[1], &mut piece);
            out.extend_from_slice(&piece.repeat(parts[0].parse().expect("a count")));
            rest = parts[2];
        } else {
            let escape = rest.chars().next().expect("something is escaped");
            rest = &rest[1..];
            out.push(match escape {
                'r' => b'\r',
                'n' => b'\n',
                't' => b'\t',
                '0' => 0,
                'p' => b'|',
                'x' => {
                    let (hex, after) = rest.split_at(2);
                    rest = after;
                    u8::from_str_radix(hex, 16).expect("two digits")
                }
                other => other as u8,
            });
        }
    }
}

impl Expected {
    /// `200`, then `~` (no body follows its head), `+name`, `-name` (fields), `=text` (the body).
    fn of(text: &str) -> Self {
        let (status, mut rest) = text.split_at(3);
        let mut expected = Self {
            status: status.parse().expect("a status"),
            is_bodiless: false,
            has: Vec::new(),
            lacks: Vec::new(),
            body: None,
        };
        while let Some(kind) = rest.chars().next() {
            let end = rest[1..]
                .find(['~', '+', '=', '-'])
                .map_or(rest.len(), |at| at + 1);
            let (name, after) = (rest[1..end].replace('_', "-"), &rest[end..]);
            match kind {
                '~' => expected.is_bodiless = true,
                '+' => expected.has.push(name),
                '-' => expected.lacks.push(name),
                _ => expected.body = Some(rest[1..end].to_owned()),
            }
            rest = after;
        }
        expected
    }

    fn is_met_by(&self, answer: &Answer) -> bool {
        let has = |name: &String| answer.field(name).is_some();
        let is_text = |text: &String| answer.body == text.as_bytes();
        self.status == answer.status
            && self.has.iter().all(has)
            && !self.lacks.iter().any(has)
            && self.body.as_ref().is_none_or(is_text)
            // RFC 9110 section 6.6.1.
            && (answer.status < 200 || answer.field("date").is_some())
    }
}

impl Answer {
    /// The answer at the front of `bytes`, and what follows it.
    fn read(bytes: &[u8], is_bodiless: bool) -> Option<(Self, &[u8])> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let rest = &bytes[end + 4..];
        let mut lines = head.split("\r\n");
        let status = lines
            .next()?
            .strip_prefix("HTTP/1.1 ")?
            .get(..3)?
            .parse()
            .ok()?;
        let field = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_ascii_lowercase(), value.to_owned()))
        };
        let fields = lines.map(field).collect::<Option<Vec<_>>>()?;
        let mut answer = Self {
            status,
            fields,
            body: Vec::new(),
        };
        let has_none = is_bodiless || status < 200 || status == 204 || status == 304;
        let length = answer.field("content-length").map(str::parse::<usize>);
        let rest = match (answer.field("transfer-encoding"), length) {
            _ if has_none => rest,
            (Some("chunked"), None) => answer.take_chunks(rest)?,
            (None, Some(Ok(length))) if length <= rest.len() => {
                answer.body.extend_from_slice(&rest[..length]);
                &rest[length..]
            }
            // Until the end of the connection.
            (None, None) => {
                answer.body.extend_from_slice(rest);
                &[]
            }
            _ => return None,
        };
        Some((answer, rest))
    }

    fn take_chunks<'a>(&mut self, mut rest: &'a [u8]) -> Option<&'a [u8]> {
        loop {
            let end = rest.windows(2).position(|two| two == b"\r\n")?;
            let size = std::str::from_utf8(&rest[..end]).ok()?;
            let size = usize::from_str_radix(size, 16).ok()?;
            let chunk = rest.get(end + 2..end + 2 + size + 2)?;
            self.body.extend_from_slice(chunk.strip_suffix(b"\r\n")?);
            rest = &rest[end + 2 + size + 2..];
            if size == 0 {
                return Some(rest);
            }
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(key, _)| key == name);
        field.map(|(_, value)| value.as_str())
    }
}

impl Case {
    /// How many bytes of `got` its answers are, or why they are not its answers. `100 Continue` may
    /// come or not, wherever a final answer is expected: that depends on when bytes arrive.
    pub(crate) fn judge(&self, got: &[u8]) -> Result<usize, String> {
        let mut rest = got;
        let complain = |what: &str| {
            let got = String::from_utf8_lossy(got);
            Err(format!(
                "{}: {what}, expected {:?}, got {got:?}",
                self.name, self.answers
            ))
        };
        for expected in &self.answers {
            loop {
                let Some((answer, after)) = Answer::read(rest, expected.is_bodiless) else {
                    return complain("an answer is missing or malformed");
                };
                rest = after;
                if answer.status == 100 && expected.status != 100 {
                    continue;
                }
                if !expected.is_met_by(&answer) {
                    return complain(&format!("{answer:?}"));
                }
                break;
            }
        }
        Ok(got.len() - rest.len())
    }
}
