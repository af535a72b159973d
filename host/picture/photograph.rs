//! Images that are saved as they are.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat};

use super::drawing::{end_of, unwritable};
use crate::error::{Error, Result};
use crate::files::write_whole;

/// What an image is saved as, which its file's name says.
///
/// ```
/// use std::path::Path;
///
/// use modeseek::picture::PhotoFormat;
///
/// assert_eq!(PhotoFormat::of(Path::new("photo.JPG"))?, PhotoFormat::Jpeg);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhotoFormat {
    /// Exact.
    Png,
    /// Small.
    Jpeg,
    /// Exact and large.
    Bmp,
}

impl PhotoFormat {
    /// The format that a file's name ends with.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use modeseek::picture::PhotoFormat;
    ///
    /// assert_eq!(PhotoFormat::of(Path::new("photo.bmp"))?, PhotoFormat::Bmp);
    /// assert!(PhotoFormat::of(Path::new("photo.svg")).is_err());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::PictureName`] for any other end.
    pub fn of(path: &Path) -> Result<Self> {
        match end_of(path).as_deref() {
            Some("png") => Ok(Self::Png),
            Some("jpg" | "jpeg") => Ok(Self::Jpeg),
            Some("bmp") => Ok(Self::Bmp),
            _ => Err(Error::PictureName { path: path.to_owned(), ends: ".png, .jpg or .bmp" }),
        }
    }
}

/// Saves an image as what the file's name ends with.
///
/// ```
/// use modeseek::picture::save_photo;
/// use modeseek::segment::photo;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("red.png");
/// let image = image::RgbImage::from_pixel(4, 3, image::Rgb([200, 0, 0]));
/// save_photo(&image.clone().into(), &path)?;
/// assert_eq!(photo::read(&path)?, image);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// [`Error::PictureName`], [`Error::WriteFile`].
pub fn save_photo(image: &DynamicImage, path: &Path) -> Result<()> {
    let format = match PhotoFormat::of(path)? {
        PhotoFormat::Png => ImageFormat::Png,
        PhotoFormat::Jpeg => ImageFormat::Jpeg,
        PhotoFormat::Bmp => ImageFormat::Bmp,
    };
    write_whole(path, |out| {
        // The encoders of some formats go back in what they have written.
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).map_err(unwritable)?;
        out.write_all(bytes.get_ref()).map_err(Error::Output)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let image = image::RgbImage::from_fn(20, 10, |x, y| image::Rgb([x as u8, y as u8, 9]));
        for name in ["a.png", "a.JPG", "a.bmp"] {
            let path = folder.path().join(name);
            save_photo(&image.clone().into(), &path).unwrap();
            assert_eq!(crate::segment::photo::read(&path).unwrap().dimensions(), (20, 10));
        }
        for name in ["a", "a.webp", "a.svg"] {
            let error = save_photo(&image.clone().into(), Path::new(name)).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(name), "{error}");
        }
    }
}
