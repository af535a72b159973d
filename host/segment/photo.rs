//! Images from files: PNG, JPEG, GIF (its first frame) and BMP, within limits that are checked before memory is taken.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use crate::error::{Error, Result};

/// The most pixels of an image: 64 Mi, of which a photograph has a quarter. A file of a few kilobytes can claim more
/// than any memory holds.
pub const MOST_PIXELS: u64 = 1 << 26;

/// The largest file that is looked at: an image of [`MOST_PIXELS`] needs no more.
const MOST_BYTES: u64 = 1 << 30;

/// What is said of anything else.
const UNKNOWN: &str = "it is not a PNG, JPEG, GIF or BMP image of a kind that is known";

/// Reads an image, turned as its camera says, without transparency: what shines through is not there.
///
/// ```
/// use modeseek::segment::photo;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("grey.png");
/// image::RgbImage::from_pixel(4, 3, image::Rgb([90; 3])).save(&path).unwrap();
/// assert_eq!(photo::read(&path)?.dimensions(), (4, 3));
/// assert!(photo::read(folder.path()).is_err());
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// [`Error::ReadFile`]; [`Error::Image`] for what is no image, or not all of one; [`Error::ImageSize`] for one without
/// pixels or with more than [`MOST_PIXELS`].
pub fn read(path: &Path) -> Result<RgbImage> {
    Ok(load(path)?.image)
}

/// An image, and what is lost of the one in the file.
pub(crate) struct Photo {
    pub image: RgbImage,
    pub notes: Vec<String>,
}

/// Reads an image.
///
/// # Errors
/// As [`read`].
pub(crate) fn load(path: &Path) -> Result<Photo> {
    let failed = |cause| Error::ReadFile { path: path.to_owned(), cause };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    load_from(path, BufReader::new(file))
}

/// Reads an image of which messages say this path.
///
/// # Errors
/// As [`read`].
pub(crate) fn load_from(path: &Path, from: impl Read) -> Result<Photo> {
    let failed = |cause| Error::ReadFile { path: path.to_owned(), cause };
    // What has no length, as a pipe, is read to its end; no more than an image can have.
    let mut bytes = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        let message = "it has more than 1 GiB".to_owned();
        return Err(Error::Image { path: path.to_owned(), message });
    }
    decode(path, &bytes)
}

fn decode(path: &Path, bytes: &[u8]) -> Result<Photo> {
    let bad = |message: String| Error::Image { path: path.to_owned(), message };
    if bytes.is_empty() {
        return Err(bad("it is empty".to_owned()));
    }
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| bad(error.to_string()))?;
    let Some(format) = reader.format() else { return Err(bad(UNKNOWN.to_owned())) };
    // Sizes are checked here, with an error that says them; the decoder's own limit is for what it takes beside.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(16 * MOST_PIXELS);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| bad(reason(&error)))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > MOST_PIXELS {
        return Err(Error::ImageSize { path: path.to_owned(), width, height, most: MOST_PIXELS });
    }
    // The decoder makes up what is missing, in grey.
    if format == ImageFormat::Jpeg && !is_whole_jpeg(bytes) {
        return Err(bad("it is cut off: the end of a JPEG image is not there".to_owned()));
    }
    let turned = decoder.orientation().map_err(|error| bad(reason(&error)))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| bad(reason(&error)))?;
    image.apply_orientation(turned);
    let mut notes = Vec::new();
    if is_transparent(&image) {
        notes.push("transparency is ignored: pixels have the colours that it hides; lay the image on a ground first");
    }
    if image.color().bytes_per_pixel() > image.color().channel_count() {
        notes.push("16 bits a channel are read as 8");
    }
    let mut notes: Vec<String> = notes.into_iter().map(str::to_owned).collect();
    let image = image.into_rgb8();
    notes.extend(note_of_range(&image));
    Ok(Photo { image, notes })
}

/// Whether some pixels are not opaque.
fn is_transparent(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageLumaA8(image) => image.pixels().any(|pixel| pixel.0[1] < u8::MAX),
        DynamicImage::ImageRgba8(image) => image.pixels().any(|pixel| pixel.0[3] < u8::MAX),
        DynamicImage::ImageLumaA16(image) => image.pixels().any(|pixel| pixel.0[1] < u16::MAX),
        DynamicImage::ImageRgba16(image) => image.pixels().any(|pixel| pixel.0[3] < u16::MAX),
        _ => false,
    }
}

/// That colours differ little, as those of 12 bits in a file of 16 do.
fn note_of_range(image: &RgbImage) -> Option<String> {
    /// Shades of 255.
    const FEW: u8 = 25;
    let (least, most) = image.iter().fold((u8::MAX, 0), |(least, most), &value| (least.min(value), most.max(value)));
    let shades = most.checked_sub(least).filter(|shades| (1..=FEW).contains(shades))?;
    let share = f64::from(shades) / 2.55;
    Some(format!("the image uses {share:.0} % of its range; stretch it first, or say a smaller --range"))
}

/// Whether a JPEG has its end (ITU-T T.81, B.1.1): the marker of it outside of all segments, of which some have images
/// within, as cameras' previews. What follows is no part of it.
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    /// The end of an image.
    const END: u8 = 0xd9;
    let mut rest = bytes;
    // Bytes between segments, as those of the image itself, have no markers but those that stand for bytes (0) and those
    // that let a decoder begin anew (0xd0 to 0xd7), which have no length.
    while let Some(at) = rest.iter().position(|&byte| byte == 0xff) {
        rest = &rest[at + 1..];
        match rest {
            [END, ..] => return true,
            // Any number of 0xff may be before a marker.
            [0x00 | 0x01 | 0xd0..=0xd8 | 0xff, ..] => {}
            [_, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(1 + length..).unwrap_or(&[]);
            }
            _ => return false,
        }
    }
    false
}

/// What a decoder says, in a line.
fn reason(error: &image::ImageError) -> String {
    match error {
        ImageError::Unsupported(_) => UNKNOWN.to_owned(),
        ImageError::Limits(_) => "it claims to be larger than 64 Mi pixels; make it smaller first".to_owned(),
        other => other.to_string().split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Luma, Rgb, Rgba, RgbaImage};

    use super::*;

    fn encoded(format: ImageFormat) -> Vec<u8> {
        let image = RgbImage::from_fn(32, 20, |x, y| Rgb([x as u8 * 8, y as u8 * 12, (x ^ y) as u8 * 4]));
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn error(bytes: &[u8]) -> String {
        let error = decode(Path::new("photo"), bytes).err().unwrap();
        let text = error.to_string();
        assert!(text.contains("photo") && !text.contains('\n'), "{text}");
        text
    }

    #[test]
    fn every_format_is_read() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::Bmp] {
            assert_eq!(
                decode(Path::new("photo"), &encoded(format)).unwrap().image.dimensions(),
                (32, 20),
                "{format:?}"
            );
        }
    }

    #[test]
    fn what_is_no_image_is_told() {
        assert!(error(b"").contains("empty"));
        for bytes in [&b"Not an image at all"[..], &[0; 100], b"RIFF....WEBPVP8 "] {
            assert!(error(bytes).contains("not a PNG"), "{}", error(bytes));
        }
        for format in [ImageFormat::Png, ImageFormat::Gif, ImageFormat::Bmp] {
            let whole = encoded(format);
            for part in [1, 4, 8, 20, 40, whole.len() / 2] {
                error(&whole[..part]);
            }
        }
    }

    /// What is left of a JPEG is shown by many programs, the rest in grey: not a picture whose colours are to be found.
    #[test]
    fn a_jpeg_is_read_with_its_end() {
        let plain = encoded(ImageFormat::Jpeg);
        // A camera's preview is an image in a segment of its own, behind the first marker, and has an end too.
        let length = (plain.len() as u16 + 2).to_be_bytes();
        let with_preview = [&plain[..2], &[0xff, 0xe1], &length, &plain, &plain[2..]].concat();
        for whole in [plain, with_preview] {
            for part in 0..whole.len() {
                error(&whole[..part]);
            }
            assert!(error(&whole[..whole.len() - 20]).contains("cut off"));
            for more in [&b""[..], b"more", &[0xff, 0xd8, 0xff]] {
                let photo = decode(Path::new("photo"), &[&whole, more].concat()).unwrap();
                assert_eq!(photo.image.dimensions(), (32, 20));
            }
        }
    }

    /// What the pixels that are clustered do not have of the file's is noted.
    #[test]
    fn what_is_lost_is_noted() {
        let notes = |image: DynamicImage| {
            let mut bytes = Cursor::new(Vec::new());
            image.write_to(&mut bytes, ImageFormat::Png).unwrap();
            decode(Path::new("photo"), bytes.get_ref()).unwrap().notes.join("\n")
        };
        let opaque =
            |alpha: u8| RgbaImage::from_fn(8, 8, |x, _| Rgba([x as u8 * 30, 0, 0, if x == 3 { alpha } else { 255 }]));
        assert_eq!(notes(opaque(255).into()), "");
        assert!(notes(opaque(254).into()).starts_with("transparency is ignored"));
        let grey =
            |most: u16| ImageBuffer::<Luma<u16>, _>::from_fn(8, 8, |x, y| Luma([most / 64 * (8 * x + y) as u16]));
        assert_eq!(notes(grey(65535).into()), "16 bits a channel are read as 8");
        let dark = notes(grey(4095).into());
        assert!(dark.starts_with("16 bits") && dark.contains("the image uses 6 % of its range"), "{dark}");
        assert_eq!(notes(RgbImage::from_pixel(8, 8, Rgb([9; 3])).into()), "");
    }

    /// A PNG of a few bytes whose header claims any size.
    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let mut png = encoded(ImageFormat::Png);
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        png
    }

    /// The check sum of PNG chunks (ISO 3309).
    fn crc(bytes: &[u8]) -> u32 {
        let step = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
    }

    #[test]
    fn sizes_are_checked_before_memory_is_taken() {
        assert!(decode(Path::new("photo"), &png_of(32, 20)).is_ok());
        for (width, height) in [(60_000, 60_000), (1 << 27, 1), (i32::MAX as u32, i32::MAX as u32)] {
            let text = error(&png_of(width, height));
            assert!(text.contains(&format!("{width} x {height}")) || text.contains("larger than"), "{text}");
        }
        error(&png_of(0, 20));
    }

    #[test]
    fn files_that_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("none.png"), folder.path().to_owned()] {
            let error = read(&path).unwrap_err();
            assert!(matches!(&error, Error::ReadFile { .. }), "{error}");
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
        let path = folder.path().join("a.jpg");
        std::fs::write(&path, encoded(ImageFormat::Jpeg)).unwrap();
        assert_eq!(read(&path).unwrap().dimensions(), (32, 20));
    }
}
