//! Segments a photo: its regions in their mean colours, and their borders on the photo itself.
//!
//! `cargo run --example 04-segment-a-photo -- photo.jpg segments.png borders.png`

use std::path::PathBuf;

use modeseek::segment::{Segment, photo};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [photo, segments, borders] = paths.as_slice() else {
        println!("give a photo, and two pictures to be written");
        return Ok(());
    };
    let image = photo::read(photo)?;
    let found = Segment::new(8.0, 12.0).run(&image)?;
    found.segments().save(segments)?;
    found.borders(&image).save(borders)?;
    println!("{} regions, after {:?}", found.regions.len(), found.times);
    println!("{} iterations of a pixel", found.iterations as f64 / found.labels.len() as f64);
    Ok(())
}
