//! Frames that play: in a GIF, and on a page, which is opened in a browser where there is one.

use modeseek::picture::{Animation, Scatter, trace};
use modeseek::{Bandwidth, Device, Distance, MeanShift, Points};

use crate::{gathering, lecture, picture_path};

/// A GIF has a frame for each iteration and one before, half a second apart, and plays for ever.
#[test]
fn a_gif_has_a_frame_for_each_iteration() {
    let (points, clustering, frames) = gathering(lecture(), 2);
    let device = Device::processor().unwrap();
    let animation = Animation::new(&device, &points, &clustering, &frames, &Scatter::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = picture_path(&folder, "steps.gif");
    animation.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.windows(11).any(|window| window == b"NETSCAPE2.0"), "no word of repeating");
    let decoder = image::codecs::gif::GifDecoder::new(std::io::Cursor::new(&bytes)).unwrap();
    let found = image::AnimationDecoder::into_frames(decoder).collect_frames().unwrap();
    assert_eq!(found.len(), frames.positions.len());
    let (delays, last) = (found.iter().map(|frame| frame.delay().numer_denom_ms().0), found.len() - 1);
    for (at, delay) in delays.enumerate() {
        assert_eq!(delay, if at == last { 2000 } else { 500 });
    }
    for pair in found.windows(2) {
        assert_ne!(pair[0].buffer(), pair[1].buffer(), "nothing moves");
    }
}

#[test]
fn any_points_can_be_animated() {
    let fixed = |h| MeanShift::new().bandwidth(Bandwidth::Fixed(h));
    let device = Device::processor().unwrap();
    for (rows, dimensions, estimator) in [
        (vec![3.0], 1, fixed(1.0)),
        (vec![3.0, 3.5, 9.0, 11.0], 1, fixed(1.0)),
        (vec![5.0; 8], 2, fixed(1.0)),
        (vec![1e12, 0.0, 1e12 + 1e6, 1.0], 2, MeanShift::new().bandwidth(Bandwidth::PerDimension(vec![1e5, 0.1]))),
        (vec![1.0; 9], 3, fixed(1.0)),
        (vec![0.0, 1.0, 0.1, 1.0, 5.0, 0.1], 2, fixed(0.05).distance(Distance::Cosine)),
        (vec![0.0, 1.0, 0.1, 1.0, 5.0, 0.1], 2, fixed(1.0).distance(Distance::L1)),
    ] {
        let points = Points::from_rows(&rows, dimensions).unwrap();
        let clustering = estimator.fit(&points).unwrap();
        let frames = estimator.frames(&points, 100).unwrap();
        let animation = Animation::new(&device, &points, &clustering, &frames, &Scatter::default()).unwrap();
        // What is no number would be null.
        let page = animation.page();
        assert!(![":null", "[null", ",null"].iter().any(|no_number| page.contains(no_number)), "{rows:?}");
        let drawing = trace(&points, &clustering, &frames, &Scatter::default());
        assert!(!drawing.to_svg().contains("NaN"), "{rows:?}");
    }
}

/// A page refers to nothing outside, and no name ends its script.
#[test]
fn a_page_stands_alone() {
    let (points, clustering, frames) = gathering(lecture(), 2);
    let names = ["</script><b>".to_owned(), "y & z".to_owned()];
    let device = Device::processor().unwrap();
    let options = Scatter { names: &names, title: Some("a < b & </script>"), ..Scatter::default() };
    let page = Animation::new(&device, &points, &clustering, &frames, &options).unwrap().page();
    for outside in ["http:", "https:", "src=", "href=", "import", "fetch(", "{{", "NaN"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(page.contains("<title>a &lt; b &amp; &lt;/script&gt;</title>"));
    assert!(page.len() < 400_000, "{} bytes", page.len());
}

/// A Chromium, if there is one: a name alone may be that of a script which says where to get it.
fn chromium() -> Option<&'static str> {
    let answers = |name: &&str| {
        std::process::Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(answers)
}

/// What a browser shows of a page after a while.
fn browse(browser: &str, page: &std::path::Path, fragment: &str, more: &[&str]) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--virtual-time-budget=20000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(more)
        .arg(format!("file://{}{fragment}", page.display()))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The page in a real browser: it plays to its end by itself, opens at a frame, and its buttons do what they say.
#[test]
fn a_page_plays_in_a_browser() {
    let Some(browser) = chromium() else {
        eprintln!("skipped: there is no chromium here, in which a page could be opened");
        return;
    };
    let (points, clustering, frames) = gathering(lecture(), 2);
    let device = Device::processor().unwrap();
    let animation = Animation::new(&device, &points, &clustering, &frames, &Scatter::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = picture_path(&folder, "steps.html");
    animation.save(&path).unwrap();
    let last = frames.positions.len() - 1;
    let dom = browse(browser, &path, "", &["--dump-dom"]);
    assert!(dom.contains(&format!("data-frame=\"{last}\" data-state=\"paused\"")), "it has not played to its end");
    let dom = browse(browser, &path, "#2", &["--dump-dom"]);
    assert!(dom.contains("data-frame=\"2\" data-state=\"paused\""), "it has not opened at iteration 2");
    assert!(dom.contains(&format!("iteration 2 of {last}")));

    // The same page, with somebody who presses its buttons and writes down what becomes of it.
    let press = "<script>
        const seen = [], note = () => seen.push(document.body.dataset.frame + document.body.dataset.state);
        const ink = () => { const d = g.getImageData(0, 0, W, H).data; let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0 && d[i - 3] + d[i - 2] + d[i - 1] < 750; return n; };
        note();
        $('next').click(); note(); $('next').click(); note(); $('back').click(); note();
        $('at').value = 3; $('at').oninput(); note();
        document.onkeydown({ key: 'ArrowRight', target: document.body, preventDefault() {} }); note();
        $('density').checked = false; draw(); const points = ink();
        $('density').checked = true; draw(); const shaded = ink();
        $('surface').checked = true; draw(); const surface = ink();
        $('surface').checked = false;
        $('play').click(); note(); $('play').click(); note();
        document.body.dataset.seen = seen.join(' ');
        document.body.dataset.ink = [points > 1000, shaded > 2 * points, surface > 2 * points].join(' ');
    </script></body>";
    let pressed = folder.path().join("pressed.html");
    std::fs::write(&pressed, animation.page().replace("</body>", press)).unwrap();
    let dom = browse(browser, &pressed, "#0", &["--dump-dom"]);
    let body = || dom[dom.find("<body").unwrap_or(0)..].chars().take(300).collect::<String>();
    let expected = "0paused 1paused 2paused 1paused 3paused 4paused 4playing 4paused";
    assert!(dom.contains(&format!("data-seen=\"{expected}\"")), "{}", body());
    assert!(dom.contains("data-ink=\"true true true\""), "{}", body());
    for (fragment, name) in [("#1", "page-plan.png"), ("#surface-1", "page-surface.png")] {
        let shot = picture_path(&folder, name);
        browse(browser, &path, fragment, &[&format!("--screenshot={}", shot.display()), "--window-size=940,940"]);
        let colours = image::open(&shot).unwrap().to_rgb8();
        let some = colours.pixels().filter(|pixel| pixel.0 == [0, 114, 178] || pixel.0[0] < 100).count();
        assert!(some > 500, "{name}: {some} pixels of ink");
    }
}
