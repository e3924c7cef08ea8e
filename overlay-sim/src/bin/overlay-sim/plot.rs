//! The result of the Genet experiment as a picture.

use std::fmt::Write as _;

use overlay_core::Policy;

/// How one rule did with one degree.
pub(crate) struct Line {
    pub(crate) policy: Policy,
    pub(crate) degree: u16,
    /// How many nodes, and the share of them at the depth of the complete tree.
    pub(crate) points: Vec<(u32, f64)>,
}

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 600.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 370.0;

/// The lowest share that is drawn.
const FLOOR: f64 = 0.7;

/// Colours that people with any kind of sight tell apart (Okabe and Ito).
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// The lines over a logarithmic number of nodes.
pub(crate) fn svg(lines: &[Line]) -> String {
    let most = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|(n, _)| *n)
        .max();
    let decades = f64::from(most.unwrap_or(10)).log10();
    let x = |nodes: u32| {
        LEFT + (f64::from(nodes).log10() - 1.0) / (decades - 1.0).max(0.1) * (RIGHT - LEFT)
    };
    let y = |share: f64| BOTTOM - (share.max(FLOOR) - FLOOR) / (1.0 - FLOOR) * (BOTTOM - TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"25\" font-size=\"16\">Nodes at the depth of the complete tree</text>\n"
    );
    for percent in [70, 75, 80, 85, 90, 95, 100] {
        let at = y(f64::from(percent) / 100.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{percent} %</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    let powers = (1..10).map(|power| 10_u32.pow(power));
    for nodes in powers.take_while(|nodes| most.is_some_and(|most| *nodes <= most)) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{nodes}</text>",
            x(nodes),
            BOTTOM + 20.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">nodes</text>",
        f64::midpoint(LEFT, RIGHT),
        BOTTOM + 40.0
    );
    let colours = COLOURS.iter().cycle();
    for (row, (line, colour)) in lines.iter().zip(colours).enumerate() {
        let dashes = match line.policy {
            Policy::Hash => "",
            Policy::Balanced => " stroke-dasharray=\"6 4\"",
        };
        let points: Vec<String> = line
            .points
            .iter()
            .map(|(nodes, share)| format!("{:.1},{:.1}", x(*nodes), y(*share)))
            .collect();
        #[allow(clippy::cast_precision_loss, reason = "a handful of lines")]
        let legend = TOP + 20.0 * row as f64;
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>\n\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{legend:.1}\" y2=\"{legend:.1}\" stroke=\"{colour}\" \
             stroke-width=\"2\"{dashes}/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}, degree {}</text>",
            points.join(" "),
            RIGHT + 15.0,
            RIGHT + 40.0,
            RIGHT + 46.0,
            legend + 4.0,
            line.policy,
            line.degree
        );
    }
    svg.push_str("</svg>\n");
    svg
}
