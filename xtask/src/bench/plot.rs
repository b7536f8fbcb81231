//! The ratios to the yardstick as a drawing in SVG, made of the samples of a report.
//!
//! The style sheet in it has two sets of colours; a viewer takes the one for its background. One
//! that knows no such choice shows the bright one on a ground of its own.

use svg::Document;
use svg::node::element::{Group, Line, Rectangle, Style, Text, Title};

use super::cases::ALONE;
use super::report::{Report, Sample, YARDSTICK};

/// Whose ratios are drawn, with the class of their bars.
const SERVERS: [(&str, &str); 2] = [("httpng threads=0", "t0"), ("httpng threads=1", "t1")];

/// The drawing, in its own units: pixels, where nobody scales it.
const WIDTH: f64 = 760.0;
/// Where bars begin and may end. To the left are names, to the right the number of the longest.
const LEFT: f64 = 180.0;
const RIGHT: f64 = WIDTH - 60.0;
/// Above the bars: title and legend.
const TOP: f64 = 72.0;
const BAR: f64 = 13.0;
/// Between two cases.
const GAP: f64 = 12.0;
/// Below the bars: the scale, and where the numbers are from.
const BOTTOM: f64 = 62.0;

/// A line of the scale at every such ratio.
const STEP: f64 = 0.25;

const STYLE: &str = "
text { font: 12px sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: bold }
.small { font-size: 11px }
.value { paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
.end { text-anchor: end }
.middle { text-anchor: middle }
.ground { fill: #ffffff }
.scale { stroke: #d1d9e0; stroke-width: 1 }
.one { stroke: #1f2328; stroke-width: 1.5 }
.t0 { fill: #2f6fb5 }
.t1 { fill: #d9822b }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .ground { fill: #0d1117 }
  .value { stroke: #0d1117 }
  .scale { stroke: #3d444d }
  .one { stroke: #e6edf3 }
  .t0 { fill: #58a6ff }
  .t1 { fill: #f0a14a }
}
";

/// The bars of one case: the ratio of each of [`SERVERS`] that was measured.
struct Bars<'a> {
    case: &'a str,
    ratios: [Option<f64>; SERVERS.len()],
}

/// The drawing, if there is a ratio to draw.
pub(super) fn svg(report: &Report) -> Option<String> {
    let all = bars(report);
    let longest = all
        .iter()
        .flat_map(|bars| bars.ratios.iter().flatten())
        .copied()
        .reduce(f64::max)?;
    let scale = Scale::for_ratio(longest);
    let group_height = BAR * SERVERS.len() as f64 + GAP;
    let foot = TOP + group_height * all.len() as f64;
    let height = foot + BOTTOM;
    let mut drawing = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("role", "img")
        .add(Title::new(
            "CPU per request of httpng beside nginx with Lua",
        ))
        .add(Style::new(STYLE))
        .add(rectangle("ground", (0.0, 0.0), (WIDTH, height)))
        .add(head())
        .add(scale.drawn(foot));
    for (index, bars) in all.iter().enumerate() {
        drawing = drawing.add(group(bars, TOP + group_height * index as f64, &scale));
    }
    let origin = format!(
        "Medians of {} rounds of {} s",
        report.rounds, report.seconds
    );
    drawing = drawing
        .add(text("small", (12.0, height - 26.0), &origin))
        .add(text(
            "small",
            (12.0, height - 10.0),
            &report.machine.brief(),
        ));
    Some(format!("{drawing}\n"))
}

/// Cases in which somebody was measured beside the yardstick, in the order of the run. Those with
/// the whole machine have other yardsticks, and are not of cost.
fn bars(report: &Report) -> Vec<Bars<'_>> {
    let mut cases: Vec<&str> = Vec::new();
    for sample in &report.samples {
        let case = sample.case.as_str();
        if case != ALONE && !cases.contains(&case) {
            cases.push(case);
        }
    }
    let of_case = |case| {
        let ratio = |server| {
            let value = Sample::cpu_per_request_us;
            let ratio = report.ratio((case, server), (case, YARDSTICK), value);
            ratio.filter(|ratio| ratio.is_finite())
        };
        let ratios = SERVERS.map(|(server, _)| ratio(server));
        Bars { case, ratios }
    };
    let all = cases.into_iter().map(of_case);
    all.filter(|bars| bars.ratios.iter().any(Option::is_some))
        .collect()
}

/// What the bars are measured against.
struct Scale {
    /// The ratio at the right end, a whole number of steps.
    end: f64,
}

impl Scale {
    /// The yardstick itself is always on it.
    fn for_ratio(longest: f64) -> Self {
        let end = (longest / STEP).ceil() * STEP;
        Self {
            end: end.max(1.0 + STEP),
        }
    }

    fn x(&self, ratio: f64) -> f64 {
        LEFT + ratio / self.end * (RIGHT - LEFT)
    }

    /// Its lines and their numbers. Where there are many lines only some have one.
    fn drawn(&self, foot: f64) -> Group {
        let steps = (self.end / STEP).round() as usize;
        let every = steps.div_ceil(8);
        (0..=steps).fold(Group::new(), |lines, step| {
            let ratio = step as f64 * STEP;
            let x = self.x(ratio);
            let is_one = (ratio - 1.0).abs() < STEP / 2.0;
            let line = Line::new()
                .set("class", if is_one { "one" } else { "scale" })
                .set("x1", rounded(x))
                .set("x2", rounded(x))
                .set("y1", TOP - 8.0)
                .set("y2", foot);
            let lines = lines.add(line);
            match is_one || step.is_multiple_of(every) {
                true => lines.add(text("small middle", (x, foot + 16.0), &format!("{ratio}"))),
                false => lines,
            }
        })
    }
}

/// Title and legend.
fn head() -> Group {
    let title = "CPU per request, nginx with Lua = 1; shorter is cheaper";
    let head = Group::new().add(text("title", (12.0, 24.0), title));
    SERVERS
        .iter()
        .enumerate()
        .fold(head, |head, (index, (server, class))| {
            let x = LEFT + 150.0 * index as f64;
            head.add(rectangle(class, (x, 38.0), (BAR, BAR))).add(text(
                "",
                (x + 20.0, 49.0),
                server,
            ))
        })
}

fn group(bars: &Bars<'_>, top: f64, scale: &Scale) -> Group {
    let middle = top + BAR * SERVERS.len() as f64 / 2.0;
    let name = text("end", (LEFT - 10.0, middle + 4.0), bars.case);
    let mut group = Group::new().add(name);
    for (index, ((_, class), ratio)) in SERVERS.iter().zip(bars.ratios).enumerate() {
        let Some(ratio) = ratio else { continue };
        let y = top + BAR * index as f64;
        let end = scale.x(ratio);
        let value = text("small value", (end + 5.0, y + 10.0), &format!("{ratio:.2}"));
        group = group
            .add(rectangle(class, (LEFT, y), (end - LEFT, BAR - 1.0)))
            .add(value);
    }
    group
}

fn rectangle(class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) -> Rectangle {
    Rectangle::new()
        .set("class", class)
        .set("x", x)
        .set("y", y)
        .set("width", rounded(width))
        .set("height", height)
}

fn text(class: &str, (x, y): (f64, f64), content: &str) -> Text {
    Text::new(content)
        .set("class", class)
        .set("x", rounded(x))
        .set("y", rounded(y))
}

/// A tenth of a pixel is as exact as a drawing has to be.
fn rounded(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use svg::node::element::tag;
    use svg::parser::Event;

    use super::super::report::tests::{report, sample};
    use super::*;

    const T0: &str = SERVERS[0].0;
    const T1: &str = SERVERS[1].0;

    /// The widths of the bars of a class, in their order.
    fn widths(drawing: &str, class: &str) -> Vec<f64> {
        let mut widths = Vec::new();
        for event in svg::read(drawing).expect("SVG") {
            assert!(!matches!(event, Event::Error(_)), "{event:?}");
            let Event::Tag(tag::Rectangle, _, attributes) = event else {
                continue;
            };
            if attributes.get("class").is_some_and(|c| **c == *class) {
                widths.push(attributes["width"].parse().expect("a number"));
            }
        }
        // The first is the legend's.
        widths.split_off(1)
    }

    fn drawn() -> String {
        let report = report(&[
            sample(("hello-64", YARDSTICK), 0, 800, 100),
            sample(("hello-64", T0), 0, 400, 100),
            sample(("hello-64", T1), 0, 800, 100),
            sample((ALONE, YARDSTICK), 0, 800, 100),
            sample((ALONE, T0), 0, 400, 100),
            sample(("body-1m", YARDSTICK), 0, 100, 100),
            sample(("body-1m", T0), 0, 25, 100),
            sample(("machine-hello", T0), 0, 25, 100),
        ]);
        svg(&report).expect("a drawing")
    }

    #[test]
    fn bars_are_as_long_as_their_ratios() {
        let drawing = drawn();
        let one = (RIGHT - LEFT) / (1.0 + STEP);
        assert_eq!(
            widths(&drawing, "t0"),
            [rounded(one / 2.0), rounded(one / 4.0)]
        );
        assert_eq!(widths(&drawing, "t1"), [rounded(one)]);
        assert!(drawing.contains("hello-64") && drawing.contains("body-1m"));
        assert!(drawing.contains("\n0.50\n"), "{drawing}");
    }

    #[test]
    fn what_has_no_ratio_to_the_yardstick_is_not_drawn() {
        let drawing = drawn();
        assert!(!drawing.contains("machine-hello") && !drawing.contains(ALONE));
        let alone = report(&[sample(("hello-64", T0), 0, 400, 100)]);
        assert_eq!(svg(&alone), None);
    }

    #[test]
    fn colours_are_there_for_both_backgrounds() {
        let (bright, dark) = STYLE.split_once("@media").expect("both");
        for class in [".ground", ".scale", ".one", ".value", ".t0", ".t1", "text"] {
            assert!(bright.contains(class) && dark.contains(class), "{class}");
        }
        assert!(drawn().contains("prefers-color-scheme: dark"));
    }

    #[test]
    fn the_scale_holds_the_longest_and_the_yardstick() {
        assert_eq!(Scale::for_ratio(0.1).end, 1.25);
        assert_eq!(Scale::for_ratio(1.3).end, 1.5);
        let scale = Scale::for_ratio(7.9);
        assert_eq!((scale.end, scale.x(8.0)), (8.0, RIGHT));
    }
}
