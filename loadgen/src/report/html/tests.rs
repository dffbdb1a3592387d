//! What the page must hold and must not, of every sample.

use super::*;
use crate::report::samples;

#[test]
fn a_page_refers_to_nothing_outside() {
    for (name, report) in samples::all() {
        let page = to_html(&report);
        samples::keep(name, "html", &page);
        for reference in ["http://", "https://", "src=", "url(", "@import", "NaN", "inf%"] {
            assert!(!page.contains(reference), "{name}: {reference}");
        }
        assert_eq!(page.matches("href=").count(), 1, "{name}: the icon alone, which is empty");
    }
}

#[test]
fn what_comes_from_outside_is_only_text() {
    let hostile = r#""><script>alert('x')</script><img onerror=y>"#;
    let mut report = samples::lossy();
    report.target = hostile.into();
    report.reasons = vec![hostile.into()];
    report.setup.backend = hostile.into();
    report.setup.started = hostile.into();
    report.machine.processor = hostile.into();
    report.objectives[0].measured = hostile.into();
    let relay = report.relay.as_mut().unwrap();
    relay.version = hostile.into();
    relay.url = hostile.into();
    relay.dropped_copies = vec![(hostile.into(), 1)];
    let page = to_html(&report);
    assert!(!page.contains("<img") && !page.contains("alert('x')</script"), "{page}");
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.matches("&lt;script&gt;alert").count() >= 9);
}

#[test]
fn every_run_has_the_charts_that_it_can_have() {
    let charts = |report| to_html(&report).matches("<figure").count();
    let counts = samples::all().into_iter().map(|(name, report)| (name, charts(report)));
    assert_eq!(
        counts.collect::<Vec<_>>(),
        [("perfect", 5), ("lossy", 5), ("invalid", 5), ("heartbeat", 1), ("nobody", 0), ("short", 5)]
    );
}

#[test]
fn a_single_point_is_a_dot_and_no_loss_has_an_axis() {
    let page = to_html(&samples::short());
    assert!(page.contains("h0\""), "{page}");
    assert!(page.contains(">0.2 %<") && page.contains(">1 %<"), "{page}");
}
