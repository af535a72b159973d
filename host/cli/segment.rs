//! `modeseek segment`: an image's regions.

use std::io::{self, Cursor, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use image::{ImageBuffer, ImageFormat, Luma, RgbImage};
use serde::Serialize;

use super::places::check_files;
use super::terminal::line;
use super::typed::{count, name, number};
use crate::error::{Error, Result};
use crate::executor::{CpuOptions, Device, DeviceChoice};
use crate::mean_shift::WeightFunction;
use crate::picture::{PhotoFormat, save_photo};
use crate::segment::photo::{self, Photo};
use crate::segment::{Segment, Segmented};

/// Smooths an image within things and not across their borders, and divides it into regions.
#[derive(Clone, Debug, Args)]
pub struct SegmentArgs {
    /// The image: PNG, JPEG, GIF or BMP; - for standard input. Transparency is ignored, and 16 bits a channel are read as 8
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,

    /// How far pixels attract each other, in pixels
    #[arg(long, value_name = "PIXELS", value_parser = number, default_value_t = 8.0, allow_hyphen_values = true)]
    pub spatial: f64,

    /// How far colours attract each other, in units of Lab; a difference of 2 is just visible
    #[arg(long, value_name = "LAB", value_parser = number, default_value_t = 12.0, allow_hyphen_values = true)]
    pub range: f64,

    /// Weight of a difference in colour
    #[arg(long, value_enum, default_value_t)]
    pub kernel: ColourKernel,

    /// Fewest pixels of a region; smaller ones go to the neighbour nearest in colour
    #[arg(long, value_name = "PIXELS", value_parser = count::<usize>, default_value_t = 20, allow_negative_numbers = true)]
    pub min_region: usize,

    /// How far neighbours' filtered colours may be apart in one region, in range bandwidths
    #[arg(long, value_name = "R", value_parser = number, default_value_t = 0.5, allow_hyphen_values = true)]
    pub merge_radius: f64,

    /// Most iterations of a pixel
    #[arg(long, value_name = "MAX", value_parser = count::<usize>, default_value_t = 100, allow_negative_numbers = true)]
    pub iterations: usize,

    /// A pixel rests when it moves no more than this many bandwidths
    #[arg(long, value_name = "TOL", value_parser = number, default_value_t = 0.01, allow_hyphen_values = true)]
    pub tolerance: f64,

    /// Writes the regions in their mean colours: .png, .jpg or .bmp; - for PNG on standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Writes the filtered image
    #[arg(long, value_name = "FILE")]
    pub filtered: Option<PathBuf>,

    /// Writes the image with the regions' borders in it
    #[arg(long, value_name = "FILE")]
    pub borders: Option<PathBuf>,

    /// Writes the number of each pixel's region, the largest first, as a grey PNG of 16 bits
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,

    /// auto, cpu, cuda, cuda:N or interpreter
    #[arg(long, value_name = "DEVICE", value_parser = name::<DeviceChoice>, default_value = "auto")]
    pub device: DeviceChoice,

    /// Processor threads; one for each core if not given. Results do not depend on it
    #[arg(long, value_name = "W", value_parser = count::<NonZero<usize>>)]
    pub threads: Option<NonZero<usize>>,

    /// Write the report as one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Names of the weights of a difference in colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColourKernel {
    /// 1 up to the bandwidth
    #[default]
    Flat,
    /// exp(-u^2 / 2)
    Gaussian,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Told {
    device: String,
    image: String,
    width: u32,
    height: u32,
    regions: usize,
    regions_before_merging: usize,
    largest: u32,
    iterations_per_pixel: f64,
    still_moving: usize,
    /// What is lost of the image in the file.
    notes: Vec<String>,
    seconds: Seconds,
}

#[derive(Debug, Serialize)]
struct Seconds {
    prepare: f64,
    filter: f64,
    regions: f64,
}

impl SegmentArgs {
    /// Does what was typed, and writes the report.
    ///
    /// # Errors
    /// Whatever goes wrong on the way.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let weight = match self.kernel {
            ColourKernel::Flat => WeightFunction::Flat,
            ColourKernel::Gaussian => WeightFunction::Gaussian,
        };
        let segment = Segment::new(self.spatial, self.range)
            .weight(weight)
            .minimum_size(self.min_region)
            .merge_radius(self.merge_radius)
            .max_iterations(self.iterations)
            .tolerance(self.tolerance);
        segment.check()?;
        let output = self.output.as_deref().filter(|path| !is_stream(path));
        let pictures = [output, self.filtered.as_deref(), self.borders.as_deref()];
        for path in pictures.into_iter().flatten() {
            PhotoFormat::of(path)?;
        }
        if let Some(path) = &self.labels
            && PhotoFormat::of(path)? != PhotoFormat::Png
        {
            return Err(Error::PictureName { path: path.clone(), ends: ".png, which holds 16 bits a pixel" });
        }
        let written: Vec<&Path> = pictures.into_iter().chain([self.labels.as_deref()]).flatten().collect();
        let photo = if is_stream(&self.image) {
            check_files(&[], &written)?;
            photo::load_from(Path::new("standard input"), io::stdin().lock())?
        } else {
            check_files(&[&self.image], &written)?;
            photo::load(&self.image)?
        };
        let device = self.device.open(CpuOptions { workers: self.threads, machine: None })?;
        let found = segment.on(&device).run(&photo.image)?;
        self.write(&photo.image, &found, out)?;
        let out: &mut dyn Write =
            if self.output.as_deref().is_some_and(is_stream) { &mut io::stderr().lock() } else { out };
        self.tell(&device, photo, &found, out).map_err(Error::Output)
    }

    fn write(&self, image: &RgbImage, found: &Segmented, out: &mut dyn Write) -> Result<()> {
        const MOST: usize = 1 << 16;
        // All is written or nothing.
        if self.labels.is_some() && found.regions.len() > MOST {
            return Err(Error::TooManyRegions { regions: found.regions.len(), most: MOST });
        }
        match &self.output {
            Some(path) if is_stream(path) => {
                let mut bytes = Cursor::new(Vec::new());
                let made = found.segments().write_to(&mut bytes, ImageFormat::Png).map_err(io::Error::other);
                made.and_then(|()| out.write_all(bytes.get_ref())).and_then(|()| out.flush()).map_err(Error::Output)?;
            }
            Some(path) => save_photo(&found.segments().into(), path)?,
            None => {}
        }
        if let Some(path) = &self.filtered {
            save_photo(&found.filtered.clone().into(), path)?;
        }
        if let Some(path) = &self.borders {
            save_photo(&found.borders(image).into(), path)?;
        }
        if let Some(path) = &self.labels {
            save_labels(found, path)?;
        }
        Ok(())
    }

    fn tell(&self, device: &Device, photo: Photo, found: &Segmented, out: &mut dyn Write) -> io::Result<()> {
        let (width, height) = photo.image.dimensions();
        let image = if is_stream(&self.image) { "standard input".to_owned() } else { self.image.display().to_string() };
        let times = found.times;
        let told = Told {
            device: device.describe(),
            image,
            width,
            height,
            regions: found.regions.len(),
            regions_before_merging: found.before_merging,
            largest: found.regions[0].size,
            iterations_per_pixel: found.iterations as f64 / found.labels.len() as f64,
            still_moving: found.moving,
            notes: photo.notes,
            seconds: Seconds {
                prepare: times.prepare.as_secs_f64(),
                filter: times.filter.as_secs_f64(),
                regions: times.regions.as_secs_f64(),
            },
        };
        if self.json {
            serde_json::to_writer(&mut *out, &told)?;
            return writeln!(out);
        }
        let Seconds { prepare, filter, regions } = told.seconds;
        writeln!(out, "device      {}", told.device)?;
        writeln!(out, "image       {}: {width} x {height} pixels", line(&told.image))?;
        let (spatial, range) = (self.spatial, self.range);
        writeln!(
            out,
            "filter      {spatial} pixels, {range} units of Lab; {:.1} iterations a pixel, {} pixels still moving",
            told.iterations_per_pixel, told.still_moving
        )?;
        writeln!(
            out,
            "regions     {}, of {} before those of fewer than {} pixels were merged; the largest has {} pixels",
            told.regions, told.regions_before_merging, self.min_region, told.largest
        )?;
        for note in &told.notes {
            writeln!(out, "note        {note}")?;
        }
        let total = prepare + filter + regions;
        writeln!(
            out,
            "time        {total:.3} s in all: prepare {prepare:.3} s, filter {filter:.3} s, regions {regions:.3} s"
        )
    }
}

/// Whether a name is that of standard input, or output.
fn is_stream(path: &Path) -> bool {
    path == Path::new("-")
}

/// Labels, which it can number, as a grey image of 16 bits.
fn save_labels(found: &Segmented, path: &Path) -> Result<()> {
    let (width, height) = found.filtered.dimensions();
    let labels = found.labels.iter().map(|&label| label as u16).collect();
    let image: ImageBuffer<Luma<u16>, Vec<u16>> =
        ImageBuffer::from_raw(width, height, labels).expect("a label for each pixel");
    save_photo(&image.into(), path)
}
