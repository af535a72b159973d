// Included by the targets: reads a file of a format to its end, whatever comes of it.

use std::io::Write;

use modeseek::data::{Carry, Format, ReadOptions, Reader, Source};

fn read(bytes: &[u8], format: Format) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("it can be written");
    let source = Source::new(file.path(), Some(format)).expect("the format is said");
    for carry in [Carry::Nothing, Carry::AsTheyWere] {
        let Ok(mut reader) = Reader::open(&source, &ReadOptions::default(), carry) else { continue };
        while let Ok(Some(chunk)) = reader.next_chunk() {
            assert_eq!(chunk.rows.len() % reader.coordinates().len(), 0);
        }
    }
}
