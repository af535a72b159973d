//! Pictures of whole clusterings: what is on them, and that there is one for any points.

use modeseek::data::Blobs;
use modeseek::mean_shift::Frames;
use modeseek::picture::{Animation, Mark, Scatter, Shape, palette, scatter, trace, weight_functions};
use modeseek::sweep::{self, Sweep};
use modeseek::{Bandwidth, Clustering, Device, Distance, Error, Form, MeanShift, Points, Seeding};

/// Points of so many clusters, and what a fit makes of them.
fn clustered(points: usize, clusters: usize, dimensions: usize, estimator: MeanShift) -> (Points, Clustering) {
    let blobs = Blobs { points, clusters, dimensions, seed: 14 };
    let points = Points::from_rows(&blobs.generate().unwrap().rows, dimensions).unwrap();
    let clustering = estimator.fit(&points).unwrap();
    (points, clustering)
}

/// The texts on a drawing.
fn texts(drawing: &modeseek::picture::Drawing) -> Vec<&str> {
    fn text(shape: &Shape) -> Option<&str> {
        if let Shape::Text { text, .. } = shape { Some(text) } else { None }
    }
    drawing.shapes.iter().filter_map(text).collect()
}

/// Writes drawings where a person can look at them, if MODESEEK_PICTURES names a folder.
fn show(drawing: &modeseek::picture::Drawing, name: &str) {
    if let Ok(folder) = std::env::var("MODESEEK_PICTURES") {
        for end in ["png", "svg"] {
            drawing.save(&std::path::Path::new(&folder).join(format!("{name}.{end}"))).unwrap();
        }
    }
}

#[test]
fn the_lectures_picture() {
    let (points, clustering) = clustered(1500, 6, 2, MeanShift::new().bandwidth(Bandwidth::Fixed(2.5)));
    let names = ["width".to_owned(), "height".to_owned()];
    let drawing = scatter(&points, &clustering, &Scatter { names: &names, ..Scatter::default() });
    show(&drawing, "lecture");
    let texts = texts(&drawing);
    for text in ["1500 points, 6 clusters, bandwidth 2.5", "width", "height", "0: 250 points", "modes", "bandwidth"] {
        assert!(texts.contains(&text), "{text:?} is not among {texts:?}");
    }
    // A marker for each point, two for each mode and the legend's, six for the clusters there.
    let markers = drawing.shapes.iter().filter(|shape| matches!(shape, Shape::Marker { .. })).count();
    assert_eq!(markers, 1500 + 2 * 6 + 2 + 6);
    let pixels = drawing.to_pixels();
    for label in 0..6 {
        let colour = palette::colour(label);
        assert!(pixels.pixels().any(|pixel| pixel.0 == colour), "no pixel has the colour of cluster {label}");
    }
}

/// Columns that were brought to one scale are shown in their own units, with a round ring; so are moving ones.
#[test]
fn standardized_columns_have_their_units() {
    use modeseek::data::{Standard, Standardization};
    let rows: Vec<f64> = (0..400)
        .flat_map(|i| {
            let (side, angle) = (f64::from(i % 2), f64::from(i));
            [1.2 + 0.6 * side + 0.05 * angle.sin(), 5000.0 - 2000.0 * side + 160.0 * angle.cos()]
        })
        .collect();
    for standard in [Standard::ZScore, Standard::MinMax] {
        let scale = Standardization::of(standard, &rows, 2);
        let mut scaled = rows.clone();
        scale.apply(&mut scaled);
        let points = Points::from_rows(&scaled, 2).unwrap();
        let device = Device::processor().unwrap();
        let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(0.15)).on(&device);
        let clustering = estimator.fit(&points).unwrap();
        assert_eq!(clustering.modes.len(), 2);
        let options = Scatter { standardization: Some(&scale), ..Scatter::default() };
        let drawing = scatter(&points, &clustering, &options);
        let texts = texts(&drawing);
        for text in ["1.2", "1.8", "3000", "5000"] {
            assert!(texts.contains(&text), "{text:?} is not among {texts:?}");
        }
        let ring = drawing.shapes.iter().find_map(|shape| match shape {
            Shape::Ring { radii, .. } => Some(*radii),
            _ => None,
        });
        let (across, up) = ring.expect("the bandwidth is drawn");
        assert!((across / up - 1.0).abs() < 1e-6, "{across} {up}");
        // In the middle of the picture, not in a corner of it.
        let markers = drawing.shapes.iter().filter_map(|shape| match shape {
            Shape::Marker { at, .. } if at.0 < 720.0 => Some(at.0),
            _ => None,
        });
        let (low, high) = markers.fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
        assert!(high - low > 250.0, "{low} {high}");

        let frames = estimator.frames(&points, 100).unwrap();
        let page = Animation::new(&device, &points, &clustering, &frames, &options).unwrap().page();
        let range = page.split("\"y\":[").nth(1).and_then(|rest| rest.split(']').next()).expect("a range");
        let (low, high) = range.split_once(',').expect("two ends");
        let (low, high): (f64, f64) = (low.parse().unwrap(), high.parse().unwrap());
        assert!((2000.0..3000.0).contains(&low) && (5000.0..6500.0).contains(&high), "{low} {high}");
    }
}

/// Columns of which one extends over 25 times as much as the other have a scale each, whatever the bandwidth: on one, they
/// would be a line.
#[test]
fn columns_of_other_sizes_have_other_scales() {
    for (wide, bandwidth, fills) in
        [(20.0, 5.0, true), (20.0, 50.0, true), (20.0, 500.0, true), (70.0, 50.0, true), (200.0, 50.0, false)]
    {
        let rows: Vec<f64> =
            (0..400).flat_map(|i| [wide * f64::from(i * 7 % 20) / 19.0, 2000.0 * f64::from(i) / 399.0]).collect();
        let points = Points::from_rows(&rows, 2).unwrap();
        let device = Device::processor().unwrap();
        let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(bandwidth)).on(&device);
        let clustering = estimator.fit(&points).unwrap();
        let drawing = scatter(&points, &clustering, &Scatter::default());
        let markers = drawing.shapes.iter().filter_map(|shape| match shape {
            Shape::Marker { at, .. } if at.0 < 720.0 => Some(at.0),
            _ => None,
        });
        let (low, high) = markers.fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
        // The ring about the largest mode takes some of the room; on one scale these were less than 20 pixels.
        assert_eq!(high - low > 100.0, fills, "{wide} wide, bandwidth {bandwidth}: {low} to {high}");
    }
}

#[test]
fn many_dimensions_show_their_components() {
    let (points, clustering) = clustered(2000, 9, 5, MeanShift::new().bandwidth(Bandwidth::Fixed(6.0)));
    let drawing = scatter(&points, &clustering, &Scatter::default());
    show(&drawing, "components");
    assert!(texts(&drawing).iter().any(|text| text.starts_with("first principal component (")));
}

#[test]
fn many_points_are_an_image() {
    let (points, clustering) = clustered(300_000, 8, 2, MeanShift::new().bandwidth(Bandwidth::Fixed(2.5)));
    let drawing = scatter(&points, &clustering, &Scatter::default());
    show(&drawing, "dense");
    assert!(drawing.shapes.iter().any(|shape| matches!(shape, Shape::Image { .. })));
    assert!(drawing.shapes.len() < 200, "{} shapes", drawing.shapes.len());
    assert!(drawing.to_svg().len() < 1 << 20);
}

#[test]
fn any_clustering_has_a_picture() {
    let fixed = |h| MeanShift::new().bandwidth(Bandwidth::Fixed(h));
    for (rows, dimensions, estimator) in [
        (vec![3.0], 1, fixed(1.0)),
        (vec![3.0, 3.0, 9.0, 11.0], 1, fixed(1.0)),
        (vec![5.0; 8], 2, fixed(1.0)),
        (vec![1e12, 0.0, 1e12 + 1e6, 1.0], 2, MeanShift::new().bandwidth(Bandwidth::PerDimension(vec![1e5, 0.1]))),
        (vec![1.0; 9], 3, fixed(1.0)),
        (vec![0.0, 0.0, 0.5, 0.5, 9.0, 9.0], 2, fixed(1.0).minimum_size(2)),
        (vec![0.0, 1.0, 0.1, 1.0, 5.0, 0.1], 2, fixed(0.05).distance(Distance::Cosine)),
    ] {
        let points = Points::from_rows(&rows, dimensions).unwrap();
        let clustering = estimator.fit(&points).unwrap();
        let drawing = scatter(&points, &clustering, &Scatter::default());
        show(&drawing, &format!("any-{}-{dimensions}", rows.len()));
        let (pixels, svg) = (drawing.to_pixels(), drawing.to_svg());
        assert!(pixels.pixels().any(|pixel| pixel.0 != palette::WHITE));
        for no_number in ["NaN", "inf"] {
            assert!(!svg.contains(no_number), "{rows:?}: {no_number} in the SVG");
        }
    }
}

#[test]
fn one_is_not_several() {
    let points = Points::from_rows(&[1.0, 2.0], 2).unwrap();
    let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).max_iterations(1);
    let clustering = estimator.fit(&points).unwrap();
    assert!(texts(&scatter(&points, &clustering, &Scatter::default())).contains(&"1 point, 1 cluster, bandwidth 1"));
    let frames = estimator.frames(&points, 10).unwrap();
    let drawing = trace(&points, &clustering, &frames, &Scatter::default());
    assert!(texts(&drawing).contains(&"The way of 1 point in 1 iteration"), "{:?}", texts(&drawing));
}

#[test]
fn the_weight_functions() {
    let drawing = weight_functions(2.5);
    show(&drawing, "kernels");
    assert_eq!(texts(&drawing).iter().filter(|text| text.contains(':')).count(), 5);
    for name in ["distance (u = distance / bandwidth)", "weight, divided by its integral"] {
        assert!(texts(&drawing).contains(&name), "{name:?} is not among {:?}", texts(&drawing));
    }
    // The flat weight, the third of those named, ends upright.
    let flat = drawing.shapes.iter().find_map(|shape| match shape {
        Shape::Line { through, colour, .. } if *colour == palette::COLOURS[2] && through.len() > 2 => Some(through),
        _ => None,
    });
    let falls = flat.unwrap().windows(2).filter(|pair| (pair[0].1 - pair[1].1).abs() > 1.0).collect::<Vec<_>>();
    assert!(falls.len() == 1 && (falls[0][0].0 - falls[0][1].0).abs() < 1e-9, "{falls:?}");
}

/// The lecture's points on their way.
fn gathering(estimator: MeanShift, dimensions: usize) -> (Points, Clustering, Frames) {
    let (points, clustering) = clustered(1500, 6, dimensions, estimator.clone());
    let frames = estimator.frames(&points, 1500).unwrap();
    (points, clustering, frames)
}

fn lecture() -> MeanShift {
    MeanShift::new().bandwidth(Bandwidth::Fixed(2.5))
}

/// The first frame is the data, the last is where a fit ends, and each is one iteration behind the one before.
#[test]
fn frames_are_the_iterations() {
    for estimator in [lecture(), lecture().form(Form::Standard)] {
        let (points, clustering, frames) = gathering(estimator.clone(), 2);
        assert!(frames.converged && frames.of_points && frames.followed.iter().copied().eq(0..1500));
        assert_eq!(frames.positions.len(), clustering.iterations + 1);
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-4);
        for (position, row) in frames.frame(0).zip(points.centred_rows().chunks_exact(2)) {
            assert!(close(position, &points.uncentred(row)), "{position:?}");
        }
        // The naive oracle's first iteration of the blurring form, and of the standard form: the same, as queries begin
        // at the points.
        let rows: Vec<f64> = points.centred_rows().chunks_exact(2).flat_map(|row| points.uncentred(row)).collect();
        for (i, position) in frames.frame(1).enumerate().step_by(97) {
            let (mut sum, mut total) = ([0.0; 2], 0.0);
            for row in rows.chunks_exact(2) {
                let squared = (row[0] - rows[2 * i]).powi(2) + (row[1] - rows[2 * i + 1]).powi(2);
                let weight = (-squared / (2.0 * 2.5 * 2.5)).exp();
                total += weight;
                sum = [sum[0] + weight * row[0], sum[1] + weight * row[1]];
            }
            assert!(close(position, &sum.map(|sum| sum / total)), "{i}: {position:?}");
        }
        for (position, &label) in frames.frame(clustering.iterations).zip(&clustering.labels) {
            let mode = &clustering.modes[label as usize].position;
            assert!((position[0] - mode[0]).hypot(position[1] - mode[1]) <= 0.5, "{position:?} is not at {mode:?}");
        }
    }
}

#[test]
fn some_points_or_seeds_are_followed() {
    let (points, _) = clustered(1500, 6, 3, lecture());
    let frames = lecture().frames(&points, 10).unwrap();
    assert_eq!(frames.followed, (0..10).map(|k| k * 150).collect::<Vec<_>>());
    let seeds = lecture().form(Form::Standard).seeding(Seeding::Random { count: 20, seed: 1 });
    let frames = seeds.max_iterations(3).frames(&points, 100).unwrap();
    assert_eq!((frames.followed.len(), frames.of_points, frames.positions.len()), (20, false, 4));
    assert_eq!(lecture().max_iterations(1).frames(&points, 5).unwrap().positions.len(), 2);
    let error = lecture().tolerance(-1.0).frames(&points, 5).unwrap_err();
    assert!(error.is_usage(), "{error}");
}

/// More pairs than are worth finding the near ones: tiles, from whose steps frames are made all the same.
#[test]
fn frames_of_many_points() {
    let (points, clustering) = clustered(20_000, 6, 2, lecture());
    let frames = lecture().frames(&points, 50).unwrap();
    assert!(frames.converged);
    for (position, &i) in frames.frame(frames.positions.len() - 1).zip(&frames.followed) {
        let mode = &clustering.modes[clustering.labels[i] as usize].position;
        assert!((position[0] - mode[0]).hypot(position[1] - mode[1]) <= 0.5, "{position:?} is not at {mode:?}");
    }
}

/// Of many points some are shown, which need not be those about a mode.
#[test]
fn modes_far_from_what_is_shown_are_on_the_picture() {
    // Four points far from the others, none of which is followed or among those behind.
    let place = |i: u32| if i % 4 == 1 && i > 19_983 { [100.0; 2] } else { [f64::from(i).cos(), f64::from(i).sin()] };
    let points = Points::from_rows(&(0..20_000).flat_map(place).collect::<Vec<f64>>(), 2).unwrap();
    let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0));
    let (clustering, frames) = (estimator.fit(&points).unwrap(), estimator.frames(&points, 200).unwrap());
    assert_eq!(clustering.modes.last().unwrap().size, 4);
    assert!(frames.followed.iter().all(|i| i % 4 == 0));
    let drawing = trace(&points, &clustering, &frames, &Scatter::default());
    let crosses = drawing.shapes.iter().filter_map(|shape| match shape {
        Shape::Marker { at, mark: Mark::Cross(_), .. } => Some(*at),
        _ => None,
    });
    let crosses: Vec<_> = crosses.collect();
    assert_eq!(crosses.len(), 2 * clustering.modes.len());
    for (x, y) in crosses {
        assert!((72.0..=732.0).contains(&x) && (44.0..=584.0).contains(&y), "{x} {y}");
    }
    let device = Device::processor().unwrap();
    let page = Animation::new(&device, &points, &clustering, &frames, &Scatter::default()).unwrap().page();
    let data = page.split_once("const data = ").unwrap().1;
    let data = serde_json::Deserializer::from_str(data).into_iter::<serde_json::Value>().next().unwrap().unwrap();
    for axis in ["x", "y"] {
        assert!(data[axis][1].as_f64().unwrap() > 100.0, "{axis}: {}", data[axis]);
    }
}

#[test]
fn ways_are_drawn() {
    let (points, clustering) = clustered(1500, 6, 2, lecture());
    let frames = lecture().frames(&points, 60).unwrap();
    let drawing = trace(&points, &clustering, &frames, &Scatter::default());
    show(&drawing, "trace");
    let steps = frames.positions.len();
    let ways = drawing.shapes.iter().filter(|shape| match shape {
        Shape::Line { through, .. } => through.len() == steps && steps > 3,
        _ => false,
    });
    assert_eq!(ways.count(), 60);
}

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

/// Where a file is written: where a person can look at it, if MODESEEK_PICTURES names a folder.
fn picture_path(folder: &tempfile::TempDir, name: &str) -> std::path::PathBuf {
    let shown = std::env::var("MODESEEK_PICTURES").map(std::path::PathBuf::from);
    shown.unwrap_or_else(|_| folder.path().to_owned()).join(name)
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

#[test]
fn a_sweep_finds_the_lectures_clusters() {
    let (points, _) = clustered(1500, 6, 2, lecture());
    let device = Device::processor().unwrap();
    let all = sweep::bandwidths(0.5, 40.0, 24).unwrap();
    let sweep = Sweep::new(&device, &points, &MeanShift::new(), &all, |_| Ok(())).unwrap();
    let stopped = Sweep::new(&device, &points, &MeanShift::new(), &all, |_| Err(Error::NoPoints)).unwrap_err();
    assert!(matches!(stopped, Error::NoPoints), "{stopped}");
    let drawing = sweep.picture();
    show(&drawing, "sweep");
    // What is suggested is marked, in both halves, on an axis where a factor is a length; how far a curve goes that does
    // not fit is said.
    let most = sweep.found.iter().map(|found| found.clusters).max().unwrap();
    for text in ["suggested", &format!("up to {most}"), "0.5", "1", "2", "5", "10", "20"] {
        assert!(texts(&drawing).contains(&text), "{text:?} is not among {:?}", texts(&drawing));
    }
    let lines = |shape: &Shape| match shape {
        Shape::Line { through, colour, .. } => Some((through.clone(), *colour)),
        _ => None,
    };
    let lines: Vec<_> = drawing.shapes.iter().filter_map(lines).collect();
    let (left, width) = (78.0, 640.0);
    let place = left + width * (sweep.suggested.unwrap() / 0.5).ln() / 80_f64.ln();
    let marks = lines.iter().filter(|(through, _)| {
        through.len() == 2
            && through.iter().all(|at| (at.0 - place).abs() < 1e-6)
            && through[1].1 - through[0].1 > 200.0
    });
    assert_eq!(marks.count(), 2);
    let curve = lines.iter().find(|(through, colour)| through.len() > 3 && *colour == palette::COLOURS[0]).unwrap();
    assert_eq!(curve.0[0].1, 48.0, "the curve begins at the upper side of its frame");
    assert_eq!(sweep.found.len(), 24);
    let suggested = sweep.suggested.unwrap();
    let near = sweep
        .found
        .iter()
        .min_by(|a, b| (a.bandwidth / suggested).ln().abs().total_cmp(&(b.bandwidth / suggested).ln().abs()));
    assert_eq!(near.unwrap().clusters, 6, "at {suggested}");
    assert!(sweep.found[0].clusters > 6 && sweep.found[23].clusters == 1);
    assert!(serde_json::to_string(&sweep).unwrap().contains("\"stability\":"));
}

/// What is far from the origin is drawn as what is near it: points do not fall on one line, and numbers have room.
#[test]
fn points_far_from_the_origin_are_told_apart() {
    const LEGEND: f64 = 735.0;
    let blobs = Blobs { points: 300, clusters: 3, dimensions: 2, seed: 14 };
    let rows = blobs.generate().unwrap().rows;
    for (name, scale, offset) in [("near", 1.0, 0.0), ("far", 1.0, 1.7e9), ("fine", 1e-3, 1e6)] {
        let rows: Vec<f64> = rows.iter().map(|&x| f64::from(x) * scale + offset).collect();
        let points = Points::from_rows(&rows, 2).unwrap();
        let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(2.5 * scale));
        let (clustering, frames) = (estimator.fit(&points).unwrap(), estimator.frames(&points, 300).unwrap());
        let options = Scatter::default();
        let (plot, ways) = (scatter(&points, &clustering, &options), trace(&points, &clustering, &frames, &options));
        for (drawing, kind) in [(&plot, "plot"), (&ways, "trace")] {
            show(drawing, &format!("{name}-{kind}"));
            let places = drawing.shapes.iter().filter_map(|shape| match shape {
                Shape::Marker { at, .. } => Some(*at),
                _ => None,
            });
            let (across, up): (Vec<f64>, Vec<f64>) = places.filter(|at| at.0 < LEGEND).unzip();
            for (axis, places) in [("x", across), ("y", up)] {
                let (low, high) = places.iter().fold((1e9_f64, -1e9_f64), |(low, high), &x| (low.min(x), high.max(x)));
                assert!(high - low > 200.0, "{name}, {kind}: {axis} from {low} to {high}");
            }
            assert_eq!(texts(drawing).contains(&"+1.7e9"), name == "far", "{:?}", texts(drawing));
        }
    }
}
