//! Clusters a file in parts, as one does with files larger than memory: once for the density, once for the labels.
//!
//! `cargo run --example 06-stream-a-file`

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array};
use modeseek::data::{Blobs, Carry, ReadOptions, Reader, Source, Target, with_columns};
use modeseek::{Bandwidth, MeanShift};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let (points, labels) = (folder.path().join("points.csv"), folder.path().join("labels.csv"));
    write_points(&points)?;
    let source = Source::new(&points, None)?;
    let options = ReadOptions::default();

    // First pass: points are added to a field, whose memory does not grow with their number.
    let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(2.5));
    let mut reader = Reader::open(&source, &options, Carry::Nothing)?;
    let mut field = estimator.field(reader.coordinates().len())?;
    while let Some(chunk) = reader.next_chunk()? {
        field.add(&chunk.rows)?;
    }
    let modes = field.modes()?;
    println!("{} points, {} modes", field.points(), modes.modes.len());
    for mode in &modes.modes {
        println!("  at {:.2?}, of weight {:.0}", mode.position, mode.weight);
    }

    // Second pass: labels, beside the columns that the file has.
    let empty: ArrayRef = Arc::new(Int32Array::from(Vec::<i32>::new()));
    let mut reader = Reader::open(&source, &options, Carry::AsTheyWere)?;
    let mut chunk = reader.next_chunk()?;
    let columns = chunk.as_ref().and_then(|chunk| chunk.carried.as_ref()).map(|rows| rows.slice(0, 0));
    let schema = with_columns(columns.as_ref(), vec![("label".to_owned(), empty)]).schema();
    Target::new(&labels)?.write(&schema, |sink| {
        while let Some(part) = chunk {
            let found: ArrayRef = Arc::new(Int32Array::from(modes.predict(&part.rows)?));
            sink.write(&with_columns(part.carried.as_ref(), vec![("label".to_owned(), found)]))?;
            chunk = reader.next_chunk()?;
        }
        Ok(())
    })?;
    println!("{}", std::fs::read_to_string(&labels)?.lines().take(3).collect::<Vec<_>>().join("\n"));
    Ok(())
}

/// Some points, in a file.
fn write_points(path: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let set = Blobs { points: 100_000, clusters: 6, dimensions: 2, seed: 14 }.generate()?;
    let mut text = "x,y\n".to_owned();
    for row in set.rows.chunks(2) {
        text += &format!("{},{}\n", row[0], row[1]);
    }
    Ok(std::fs::write(path, text)?)
}
